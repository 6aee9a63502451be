"""The README's table of figures is what the results give, and results that are older than their code are refused."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`benchmarks/table.py`."""
    monkeypatch.syspath_prepend(str(PROJECT / "benchmarks"))
    for name in ("table", "measured"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    return importlib.import_module("table")


@pytest.fixture
def measured(table: ModuleType) -> ModuleType:
    """`benchmarks/measured.py`."""
    return sys.modules["measured"]


def test_the_readme_has_the_table_that_the_results_give(table: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert table.main(["--check"]) == 0, capsys.readouterr().err


@pytest.fixture
def small(table: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program with one row, a README and a result of its own."""
    rows = tuple(item for item in table.ROWS if item.result == "chain")
    monkeypatch.setattr(table, "ROWS", rows)
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    monkeypatch.setattr(table, "README", tmp_path / "README.md")
    table.README.write_text(f"# Speed\n\n{table.HEAD}| old | 1 s | 2 s: x | 0.50 | never |\n\nAfter it.\n| a |\n")
    return table


def result(table: ModuleType, **extra: Any) -> None:
    """A result of the chain, measured now unless `extra` says otherwise."""
    found = {
        "date": "2026-11-29",
        "code": sys.modules["measured"].code_of("chain"),
        "rounds": 5,
        "seconds": {"8 notebooks": 1.524, "8 plain Python tasks": 1.16},
    }
    (table.RESULTS / "chain.json").write_text(json.dumps(found | extra))


LINE = (
    "| a chain of 8 notebooks under the scheduler | 1.5 s | 1.2 s: 8 plain Airflow Python tasks | 1.31 "
    "| 29 Nov 2026, 5 rounds |\n"
)


def test_the_table_is_replaced_and_nothing_else(small: ModuleType) -> None:
    result(small)
    assert small.main(["--check"]) == 1
    assert small.main(["--write"]) == 0
    assert small.README.read_text() == f"# Speed\n\n{small.HEAD}{LINE}\nAfter it.\n| a |\n"
    assert small.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("extra", "why"),
    [
        pytest.param({"rounds": 2}, "2 rounds, wanted are 5", id="too few rounds"),
        pytest.param({"code": {"core": "x"}}, "before changes of core, ", id="code has changed"),
        pytest.param({"code": "e7ee3990f389"}, "before changes of core, ", id="measured before digests were kept"),
    ],
)
def test_a_result_that_does_not_count_is_refused_unless_it_is_accepted_by_name(
    small: ModuleType, capsys: pytest.CaptureFixture[str], extra: dict[str, Any], why: str
) -> None:
    result(small, **extra)
    before = small.README.read_text()
    assert small.main(["--write"]) == 1
    assert small.README.read_text() == before
    told = capsys.readouterr().err
    assert why in told
    assert "python benchmarks/scheduler.py chain" in told
    assert small.main(["--write", "--accept", "chain"]) == 0
    assert f"29 Nov 2026, {extra.get('rounds', 5)} rounds" in small.README.read_text()


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        pytest.param(lambda package: None, [], id="nothing"),
        pytest.param(lambda package: (package / "core" / "deep" / "b.py").write_text("2"), ["core"], id="an edit"),
        pytest.param(lambda package: (package / "core" / "c.py").write_text("1"), ["core"], id="a new file"),
        pytest.param(lambda package: (package / "settings.py").unlink(), ["settings.py"], id="a file that is gone"),
        pytest.param(lambda package: (package / "web" / "d.py").write_text("1"), [], id="another part"),
        pytest.param(lambda package: (package / "core" / "a.pyc").write_text("1"), [], id="no code"),
    ],
)
def test_a_change_of_the_code_shows_in_its_part(
    measured: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, parts: list[str]
) -> None:
    for name in ("core/a.py", "core/deep/b.py", "settings.py", "web/d.py"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("-")
    monkeypatch.setitem(measured.CODE, "mine", ("core", "settings.py"))
    monkeypatch.setattr(measured.code_of, "__defaults__", (tmp_path,))
    then = {"code": measured.code_of("mine")}
    change(tmp_path)
    assert measured.changed("mine", then) == parts


def test_every_part_that_a_result_names_is_there(measured: ModuleType) -> None:
    package = measured.PROJECT / measured.PACKAGE
    missing = {part for parts in measured.CODE.values() for part in parts if not (package / part).exists()}
    assert not missing
