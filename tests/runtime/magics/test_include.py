"""`%run`: another notebook in this one's namespace."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.runtime.magics.include import RunMagicError, parse


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("./x", ("./x", {}), id="path"),
        pytest.param('"./a b" $n="1" $m=two', ("./a b", {"n": "1", "m": "two"}), id="parameters"),
        pytest.param('../x $text="a = b"', ("../x", {"text": "a = b"}), id="equals sign in a value"),
        pytest.param("./x\n# a comment", ("./x", {}), id="comment below"),
    ],
)
def test_path_and_parameters_are_read(text: str, wanted: tuple[str, dict[str, str]]) -> None:
    assert parse(text) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "alone", id="nothing"),
        pytest.param("./x\nprint(1)", "alone in its cell", id="more code"),
        pytest.param("./x y=1", "is no parameter", id="no dollar"),
        pytest.param('./x $a="1', "quotation", id="open quote"),
    ],
)
def test_a_wrong_line_is_told(text: str, words: str) -> None:
    with pytest.raises(RunMagicError, match=words):
        parse(text)


def test_trap_26_run_shares_the_namespace_with_names_parameters_and_relative_paths(
    run_cells: Callable[..., Any], write: Callable[..., Path], as_magic: Callable[[str], str], tmp_path: Path
) -> None:
    write(
        tmp_path / "lib/setup.py",
        "dbutils.widgets.text('mode', 'default')\nmode = dbutils.widgets.get('mode')",
        as_magic("%run ./deeper"),
        "from_setup = x + 1",
    )
    write(tmp_path / "lib/deeper.py", "def helper():\n    return 'helped'")
    ran = run_cells("x = 1", as_magic('%run ./lib/setup $mode="fast"'), "print(mode, from_setup, helper())")
    assert ran.result.success
    assert ran.lines == ["fast 2 helped"]


def test_a_failure_inside_shows_the_included_file_and_the_calling_cell(
    run_cells: Callable[..., Any], write: Callable[..., Path], as_magic: Callable[[str], str], tmp_path: Path
) -> None:
    child = write(tmp_path / "child.py", "x = 1", "1 / 0")
    failure = run_cells("pass", as_magic("%run ./child")).result.failure
    assert (failure.kind, failure.cell, failure.line) == ("ZeroDivisionError", 2, 6)
    assert f'File "{child}", line 6, in <module>' in failure.trace


def test_exit_in_the_included_notebook_ends_the_caller(
    run_cells: Callable[..., Any], write: Callable[..., Path], as_magic: Callable[[str], str], tmp_path: Path
) -> None:
    write(tmp_path / "child.py", "dbutils.notebook.exit('early')")
    ran = run_cells(as_magic("%run ./child"), "print('after')")
    assert (ran.result.exit_value, ran.lines) == ("early", [])


def test_a_circle_is_told_with_its_way(
    run_cells: Callable[..., Any], write: Callable[..., Path], as_magic: Callable[[str], str], tmp_path: Path
) -> None:
    write(tmp_path / "a.py", as_magic("%run ./b"))
    write(tmp_path / "b.py", as_magic("%run ./a"))
    failure = run_cells(as_magic("%run ./a")).result.failure
    assert failure.kind == "RunMagicError"
    assert "nb.py → a.py → b.py → a.py" in failure.message


def test_a_plain_file_is_refused(run_cells: Callable[..., Any], as_magic: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "plain.py").write_text("x = 1")
    failure = run_cells(as_magic("%run ./plain")).result.failure
    assert "plain Python file, not a notebook" in failure.message


def test_within_python_code_it_is_refused(run_cells: Callable[..., Any]) -> None:
    failure = run_cells("x = 1\n%run ./child").result.failure
    assert "alone in its cell" in failure.message
