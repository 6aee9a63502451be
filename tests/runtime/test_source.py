"""Notebook files become cells, and never an unexplained error."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.runtime.source import COMMENTS, Notebook, NotebookFormatError, is_notebook, parse_notebook, read_notebook

PYTHON = """# Databricks notebook source
# DBTITLE 1,Load the orders
x = 1

y = 2

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT 1
# MAGIC
# MAGIC FROM t

# COMMAND ----------

# MAGIC %run ./child $a="1"

# COMMAND ----------

# MAGIC %pip install six

# COMMAND ----------

# MAGIC %md-sandbox
# MAGIC # Title
"""


def cells(text: str, name: str = "nb.py") -> list[tuple[str, str, int, str | None]]:
    notebook = parse_notebook(text, Path(name))
    return [(cell.language, cell.source, cell.line, cell.title) for cell in notebook.cells]


def test_a_source_file_becomes_cells_with_their_lines_and_titles() -> None:
    assert cells(PYTHON) == [
        ("python", "x = 1\n\ny = 2", 3, "Load the orders"),
        ("sql", "\nSELECT 1\n\nFROM t", 9, None),
        ("run", './child $a="1"', 16, None),
        ("python", "%pip install six", 20, None),
        ("md", "\n# Title", 24, None),
    ]


def test_each_line_of_a_cell_is_the_line_of_the_file() -> None:
    lines = PYTHON.split("\n")
    for cell in parse_notebook(PYTHON, Path("nb.py")).cells:
        for offset, text in enumerate(cell.source.split("\n")):
            assert lines[cell.line + offset - 1].endswith(text)


@pytest.mark.parametrize(
    ("suffix", "comment", "language"),
    [
        pytest.param(".py", "#", "python", id="python"),
        pytest.param(".sql", "--", "sql", id="sql"),
        pytest.param(".scala", "//", "scala", id="scala"),
        pytest.param(".r", "#", "r", id="r"),
        pytest.param(".R", "#", "r", id="R in capitals"),
    ],
)
def test_the_suffix_chooses_comment_and_language(suffix: str, comment: str, language: str) -> None:
    lines = ["# Databricks notebook source", "one", "# COMMAND ----------", "# MAGIC %python", "# MAGIC two"]
    text = "\n".join(line.replace("#", comment) for line in lines)
    notebook = parse_notebook(text, Path(f"x{suffix}"))
    assert notebook.language == language
    assert [(cell.language, cell.source.strip()) for cell in notebook.cells] == [(language, "one"), ("python", "two")]


@pytest.mark.parametrize(
    ("cell", "language", "source"),
    [
        pytest.param("%sql SELECT 1", "sql", "SELECT 1", id="on the magic's line"),
        pytest.param("%%sql\nSELECT 1", "sql", "\nSELECT 1", id="two percent signs"),
        pytest.param("%sh -e\nls", "sh", "-e\nls", id="option of the magic"),
        pytest.param("%time x = 1", "python", "%time x = 1", id="a magic of IPython"),
        pytest.param("%sqlx", "python", "%sqlx", id="only whole words are magics"),
        pytest.param("x = 5 % 3", "python", "x = 5 % 3", id="an operator is no magic"),
        pytest.param("%python\nx", "python", "\nx", id="python"),
    ],
)
def test_the_first_magic_of_a_cell_chooses_what_runs_it(cell: str, language: str, source: str) -> None:
    document = {"cells": [{"cell_type": "code", "source": cell}], "metadata": {}, "nbformat": 4}
    notebook = parse_notebook(json.dumps(document), Path("nb.ipynb"))
    assert [(one.language, one.source) for one in notebook.cells] == [(language, source)]


def test_a_jupyter_notebook_gives_lines_titles_and_language() -> None:
    document = {
        "cells": [
            {"cell_type": "markdown", "source": ["# Hello\n", "there"], "metadata": {}},
            {"cell_type": "raw", "source": "left out"},
            {
                "cell_type": "code",
                "source": ["x = 1\n", "y"],
                "metadata": {"application/vnd.databricks.v1+cell": {"title": "Second"}},
            },
        ],
        "metadata": {"language_info": {"name": "python"}},
    }
    text = json.dumps(document, indent=1)
    first, second = parse_notebook(text, Path("nb.ipynb")).cells
    assert (first.language, first.source) == ("md", "# Hello\nthere")
    assert (second.source, second.title, second.index) == ("x = 1\ny", "Second", 2)
    assert '"code"' in text.split("\n")[second.line]


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        pytest.param("print(1)", "job.py", "plain Python file, not a notebook", id="script"),
        pytest.param("# Databricks notebook source \nx", "job.py", "first line is exactly", id="trailing space"),
        pytest.param("SELECT 1", "job.sql", "plain SQL file", id="sql script"),
        pytest.param("{", "nb.ipynb", "not valid JSON", id="broken JSON"),
        pytest.param("[]", "nb.ipynb", "no list of cells", id="JSON of something else"),
        pytest.param("x", "nb.txt", "is no notebook", id="other suffix"),
    ],
)
def test_what_is_no_notebook_is_told_with_the_reason(text: str, name: str, words: str) -> None:
    with pytest.raises(NotebookFormatError, match=words):
        parse_notebook(text, Path(name))


@given(text=st.text(), header=st.booleans(), suffix=st.sampled_from([*COMMENTS, ".ipynb"]))
def test_any_text_is_a_notebook_or_a_told_error(text: str, header: bool, suffix: str) -> None:
    if header and suffix in COMMENTS:
        text = f"{COMMENTS[suffix]} Databricks notebook source\n{text}"
    try:
        notebook = parse_notebook(text, Path(f"nb{suffix}"))
    except NotebookFormatError:
        return
    assert isinstance(notebook, Notebook)
    assert [cell.index for cell in notebook.cells] == list(range(1, len(notebook.cells) + 1))


LINE = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda text: not text.startswith(("%", "#")) and text.strip() == text
)
CELL = st.tuples(st.sampled_from(["python", "sql", "md", "sh"]), st.lists(LINE, min_size=1, max_size=4))


@given(st.lists(CELL, min_size=1, max_size=6))
def test_a_written_notebook_is_read_back(wanted: list[tuple[str, list[str]]]) -> None:
    blocks = []
    for language, lines in wanted:
        shown = lines if language == "python" else [f"# MAGIC {line}" for line in (f"%{language}", *lines)]
        blocks.append("\n".join(shown))
    text = "# Databricks notebook source\n" + "\n\n# COMMAND ----------\n\n".join(blocks)
    read = [(cell.language, cell.source.lstrip("\n").split("\n")) for cell in parse_notebook(text, Path("a.py")).cells]
    assert read == wanted


def test_a_file_is_a_notebook_by_suffix_or_first_line(tmp_path: Path) -> None:
    script, notebook, jupyter = tmp_path / "a.py", tmp_path / "b.py", tmp_path / "c.ipynb"
    script.write_text("print(1)")
    notebook.write_text("# Databricks notebook source\r\nprint(1)")
    jupyter.write_text("{}")
    assert [is_notebook(path) for path in (script, notebook, jupyter)] == [False, True, True]


def test_a_notebook_of_ten_thousand_cells_is_read_within_a_second_or_so() -> None:
    cell = {"cell_type": "code", "source": ["x = 1\n"] * 20, "metadata": {}}
    text = json.dumps({"cells": [cell] * 10_000, "metadata": {}}, indent=1)
    begun = time.process_time()
    found = parse_notebook(text, Path("big.ipynb"))
    assert time.process_time() - begun < 5  # it was 18 s when each cell looked through the whole text
    assert text.split("\n")[found.cells[-1].line - 1].strip() == "{"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[" * 200_000, id="lists"),
        pytest.param('{"cells": ' + "[" * 5000 + "]" * 5000 + "}", id="cells"),
        pytest.param('{"cells":[' * 3000, id="objects"),
    ],
)
def test_a_notebook_that_is_nested_deeply_is_told_and_not_a_crash(text: str) -> None:
    with pytest.raises(NotebookFormatError, match="nested too deeply"):
        parse_notebook(text, Path("deep.ipynb"))


def test_a_notebook_of_a_hundred_megabytes_is_refused_unread(tmp_path: Path) -> None:
    file = tmp_path / "big.py"
    with file.open("wb") as stream:
        stream.write(b"# Databricks notebook source\n")
        stream.truncate(100 * 1024 * 1024)
    with pytest.raises(NotebookFormatError, match="104,857,600 bytes"):
        read_notebook(file)
