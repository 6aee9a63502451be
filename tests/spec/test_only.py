"""The `only` list of a partial run."""

from __future__ import annotations

import pytest

from medallion.errors import RunError
from medallion.spec.only import selected

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"]}


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        pytest.param([], "abcde", id="empty: all"),
        pytest.param(["c"], "c", id="one"),
        pytest.param(["+d"], "abcd", id="with all before"),
        pytest.param(["b+"], "bde", id="with all after"),
        pytest.param(["+b+"], "abde", id="both"),
        pytest.param(["a", "e"], "ae", id="two"),
    ],
)
def test_plus_signs_choose_what_is_before_and_after(only: list[str], expected: str) -> None:
    assert selected(DIAMOND, only) == set(expected)


def test_an_unknown_task_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(RunError, match="did you mean bronze"):
        selected({"bronze": [], "gold": ["bronze"]}, ["+bronce"])
