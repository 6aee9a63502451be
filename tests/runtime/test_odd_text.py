"""Names of files that are no UTF-8, NUL and control characters fail nothing and stand in every record as escapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.runtime.page import write_page

NAME = "caf\udce9\0.csv"
SETUP = "name = 'caf\\udce9\\0.csv'\n"


def files_of(ran: Any) -> dict[str, str]:
    """The text of each file of the attempt; all of it must be UTF-8."""
    write_page(ran.output)
    return {file.name: file.read_text(encoding="utf-8") for file in ran.output.iterdir() if file.is_file()}


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("print(name)", id="print"),
        pytest.param("import sys\nsys.stderr.write(name)\nNone", id="standard error"),
        pytest.param("name", id="last value"),
        pytest.param("display(name)", id="display"),
        pytest.param("displayHTML(name)", id="HTML"),
        pytest.param("import pandas as pd\ndisplay(pd.DataFrame({name: [name]}))", id="a table"),
        pytest.param("import warnings\nwarnings.warn(name)", id="a warning"),
        pytest.param("import logging\nlogging.error(name)", id="a log event"),
        pytest.param("import os\nos.write(1, os.fsencode(name) + b'\\n');", id="below Python"),
    ],
)
def test_a_notebook_whose_cells_succeed_succeeds(run_cells: Callable[..., Any], code: str) -> None:
    ran = run_cells(SETUP + code)
    assert ran.result.success, ran.result.failure
    files = files_of(ran)
    assert not any(set("\0") & set(text) for text in files.values())
    assert ran.cells[0].metadata["medallion"]["status"] == "ok"


def test_an_exit_value_comes_back_as_it_was(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(SETUP + "dbutils.notebook.exit(name)")
    assert ran.result.success
    assert ran.result.exit_value == NAME
    assert json.loads(files_of(ran)["result.json"])["exit_value"] == NAME


def test_a_called_notebook_gives_it_back(
    run_cells: Callable[..., Any], write: Callable[..., Any], tmp_path: Path
) -> None:
    write(tmp_path / "inner.py", "dbutils.notebook.exit(dbutils.widgets.get('n'))")
    ran = run_cells(SETUP + "assert dbutils.notebook.run('inner', 60, {'n': name}) == name")
    assert ran.result.success, ran.result.failure


def test_a_task_value_comes_back_as_it_was(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(SETUP + "dbutils.jobs.taskValues.set('k', {name: [name]})")
    assert ran.answers.kept == {"k": {NAME: [NAME]}}


@pytest.mark.parametrize("call", ["raise ValueError(name)", "open('/nowhere/' + name[:4])", "{}[name]"])
def test_an_error_says_it_in_escapes(run_cells: Callable[..., Any], call: str) -> None:
    ran = run_cells(SETUP + call)
    assert not ran.result.success
    assert ran.result.failure.cell == 1
    assert "caf\\udce9" in ran.text
    told = json.loads(files_of(ran)["result.json"])["failure"]
    assert "caf\\udce9" in told["message"]
    assert (told["message"] + told["trace"]).encode("utf-8")


def test_a_page_shows_the_last_state_of_a_progress_bar(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("for n in range(3):\n    print(f'\\r{n} of 2', end='', flush=True)\nprint()")
    page = files_of(ran)["notebook.html"]
    assert "2 of 2" in page
    assert not {"0 of 2", "1 of 2"} & {line.strip() for line in page.replace("<pre>", "\n").splitlines()}
