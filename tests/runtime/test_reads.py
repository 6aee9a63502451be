"""Which tables a statement reads, from what Spark's parser makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.runtime.reads import ReadRecord, read_names, relations

PLANS = [
    pytest.param("'Project\n+- 'UnresolvedRelation [c, s, a], [], false", [("c", "s", "a")], id="select"),
    pytest.param(
        "'InsertIntoStatement 'UnresolvedRelation [c, s, t], [__required_write_privileges__=INSERT], false\n"
        "+- 'UnresolvedRelation [s, b], [], false",
        [("s", "b")],
        id="the target of an insert is not read",
    ),
    pytest.param("'ReplaceTable\n:- 'UnresolvedIdentifier [c, s, d], false", [], id="nothing"),
]


@pytest.mark.parametrize(("plan", "parts"), PLANS)
def test_the_tables_of_a_plan(plan: str, parts: list[tuple[str, ...]]) -> None:
    assert list(relations(plan)) == parts


class InMain(ReadRecord):
    """A record of a session whose catalog is `main` and whose schema is `default`."""

    def current(self) -> tuple[str, str]:
        return "main", "default"


def test_only_tables_of_the_lake_are_kept_by_their_full_names(tmp_path: Path) -> None:
    lake, folder = tmp_path / "lake", tmp_path / "attempt"
    folder.mkdir()
    for name in ("main/default/a", "c/s/b"):
        (lake / name / "_delta_log").mkdir(parents=True)
    (lake / "c/s/outside.table.json").write_text(json.dumps({"provider": "csv"}))
    record: Any = InMain(None, lake, folder)
    for parts in (("A",), ("c", "s", "b"), ("c", "s", "b"), ("c", "s", "outside"), ("a_temporary_view",), ("x", "/p")):
        record.table(parts)
    assert read_names(folder) == ["c.s.b", "c.s.outside", "main.default.a"]


def test_an_attempt_without_a_record_read_nothing(tmp_path: Path) -> None:
    assert read_names(tmp_path) == []
