"""Where the session of a batch begins, without Spark."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql.utils import ForeachBatchFunction

from medallion.runtime.spark import batches


def test_a_querys_session_is_put_once_where_its_maker_was(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(ForeachBatchFunction, "__init__", lambda self, session, func: None)
    monkeypatch.setattr(ForeachBatchFunction, "call", lambda self, jdf, number: told.append(number))
    batches.install_place()
    session = SimpleNamespace(catalog=SimpleNamespace(currentCatalog=lambda: "shop", currentDatabase=lambda: "silver"))
    clone = SimpleNamespace(setCurrentCatalog=told.append, setCurrentDatabase=told.append)
    batch = SimpleNamespace(sparkSession=lambda: SimpleNamespace(catalog=lambda: clone))
    function: Any = ForeachBatchFunction(session, print)  # type: ignore[arg-type]
    function.call(batch, 0)
    function.call(batch, 1)
    assert told == ["shop", "silver", 0, 1]
