"""What `udf` makes of functions with hints."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

import pandas as pd
import pytest
from pyspark.errors import PySparkNotImplementedError
from pyspark.sql.pandas import typehints

from medallion.runtime.spark import functions


class Names:
    def fixed(self) -> str:
        return "x"

    def upper(self, text: str) -> str:
        return text.upper()


def add(left: int, right: int) -> int:
    return left + right


def total(values: pd.Series) -> float:
    return float(values.sum())


@pytest.fixture
def infer(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(typehints, "infer_eval_type_for_udf", typehints.infer_eval_type_for_udf)
    functions.install()
    functions.install()
    return typehints.infer_eval_type_for_udf


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(Names().fixed, id="bound method without arguments"),
        pytest.param(Names().upper, id="bound method"),
        pytest.param(partial(add, 1, 2), id="partial without arguments"),
        pytest.param(partial(add, 1), id="partial"),
        pytest.param(add, id="function"),
        pytest.param(lambda: 1, id="lambda"),
    ],
)
def test_a_function_of_rows_stays_one(infer: Any, function: Any) -> None:
    """As `udf` does, which takes an unsupported signature for a function of rows."""
    with suppress(PySparkNotImplementedError):
        assert infer(function) is None


def test_hints_of_pandas_still_count(infer: Any) -> None:
    assert infer(total) is not None
