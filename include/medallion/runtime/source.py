"""Notebook files as cells: Databricks source files (.py, .sql, .scala, .r) and Jupyter's .ipynb. Runs everywhere; pure.

The format, from exported notebooks: the first line is exactly `<comment> Databricks notebook source`; a line
`<comment> COMMAND ----------` stands between cells; a cell in another language has `<comment> MAGIC ` before each
line and its first word is the magic; `<comment> DBTITLE 1,Title` before a cell gives its title.
"""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.spec.problems import Problem, Severity

COMMENTS = {".py": "#", ".r": "#", ".sql": "--", ".scala": "//"}
LANGUAGES = {".py": "python", ".r": "r", ".sql": "sql", ".scala": "scala"}
SUFFIXES = (".py", ".ipynb", ".sql", ".scala", ".r", ".R")
HEADER = "Databricks notebook source"
SEPARATOR = "COMMAND ----------"
# Magics that choose what a whole cell is. Others (%pip, %time, %matplotlib) are lines of a Python cell, for IPython.
CELL_MAGICS = {"python", "sql", "scala", "r", "md", "md-sandbox", "sh", "fs", "run", "skip"}
CELLS, GAP, END = re.compile(r'"cells"\s*:\s*\['), re.compile(r"[\s,]*"), re.compile(r"\s*\]")
MOST_PLACES = 20
"""A notebook about notebooks has the word in its cells; the list itself is among the first."""
MAX_BYTES = 50 * 1024 * 1024
"""Databricks imports notebooks of up to 10 MB; here outputs may be in the file."""
MAGIC = re.compile(r"\s*%%?([A-Za-z][\w-]*)(?=\s|$)[ \t]*")
VENDOR = "application/vnd.databricks.v1+"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell. Line `i` (from 0) of `source` stands on line `line + i` of the file, but for .ipynb, where the text is
    JSON and `line` is where the cell begins.

    :param index: number of the cell, from 1.
    :param language: what runs it: `python`, `sql`, `r`, `scala`, or a magic: `md`, `sh`, `fs`, `run`, `skip`.
    :param source: the text without comment prefixes and without the magic that chose the language.
    :param raw: the text as the user sees it in a notebook: with the magic.
    """

    index: int
    language: str
    source: str
    line: int
    title: str | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook's main language and its cells, in order."""

    language: str
    cells: tuple[Cell, ...]
    is_json: bool = False


class NotebookFormatError(ValueError):
    """The text is not a notebook. `problem` says why and on which line."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def is_notebook(path: Path) -> bool:
    """Whether the file is a notebook: its suffix says so (.ipynb) or its first line does."""
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        return True
    if suffix not in COMMENTS:
        return False
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return file.readline().rstrip("\r\n") == f"{COMMENTS[suffix]} {HEADER}"


def read_notebook(path: Path) -> Notebook:
    """The notebook of a file.

    :raises NotebookFormatError: the file is not a notebook, or its JSON is broken.
    :raises OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > MAX_BYTES:
        hint = "clear its outputs, or split it"
        raise fault(f"{path.name} has {size:,} bytes; a notebook may have {MAX_BYTES:,}", path, hint=hint)
    return parse_notebook(path.read_text(encoding="utf-8-sig", errors="replace"), path)


def parse_notebook(text: str, path: Path) -> Notebook:
    """The notebook of a text; the suffix of `path` chooses the format.

    :raises NotebookFormatError: as `read_notebook`.
    """
    suffix = path.suffix.lower()
    if suffix == ".ipynb":
        return parse_json(text, path)
    comment = COMMENTS.get(suffix)
    if comment is None:
        raise fault(f"{path.name} is no notebook", path, hint=f"notebooks end in {', '.join(SUFFIXES[:-1])}")
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[0] != f"{comment} {HEADER}":
        raise not_a_notebook(path, comment)
    return Notebook(LANGUAGES[suffix], tuple(source_cells(lines[1:], comment, LANGUAGES[suffix])))


def not_a_notebook(path: Path, comment: str) -> NotebookFormatError:
    """The error for a plain script where a notebook is wanted."""
    kind = {".py": "Python", ".sql": "SQL"}.get(path.suffix.lower(), "source")
    return fault(
        f"{path.name} is a plain {kind} file, not a notebook",
        path,
        line=1,
        hint=f"a notebook's first line is exactly `{comment} {HEADER}`; a script is run by spark_python_task",
    )


def fault(message: str, path: Path, *, line: int | None = None, hint: str | None = None) -> NotebookFormatError:
    """A format error with its place."""
    return NotebookFormatError(Problem(Severity.ERROR, message, file=path, line=line, hint=hint))


def source_cells(lines: list[str], comment: str, language: str) -> list[Cell]:
    """Cells of a source file's lines after the header. The header is line 1."""
    blocks: list[tuple[int, list[str]]] = [(2, [])]
    for number, line in enumerate(lines, start=2):
        if line.rstrip() == f"{comment} {SEPARATOR}":
            blocks.append((number + 1, []))
        else:
            blocks[-1][1].append(line)
    cells: list[Cell] = []
    for start, block in blocks:
        cell = source_cell(len(cells) + 1, start, block, comment, language)
        if cell is not None:
            cells.append(cell)
    return cells


def source_cell(index: int, start: int, block: list[str], comment: str, language: str) -> Cell | None:
    """The cell of one block of lines, or None when the block is blank."""
    title = None
    lines = list(block)
    begin, end = trim(lines, 0)
    if begin < end and (found := re.match(rf"{re.escape(comment)} DBTITLE \d+,(.*)", lines[begin])):
        title = found[1].strip()
        begin, end = trim(lines, begin + 1)
    lines = lines[begin:end]
    if not lines:
        return None if title is None else Cell(index, language, "", start + begin, title)
    magic = f"{comment} MAGIC"
    if lines[0] == magic or lines[0].startswith(f"{magic} "):
        lines = [line[len(magic) + 1 :] if line.startswith(magic) else line for line in lines]
        return make_cell(index, "\n".join(lines), start + begin, language, title)
    return make_cell(index, "\n".join(lines), start + begin, language, title)


def trim(lines: list[str], begin: int) -> tuple[int, int]:
    """First and last+1 of the lines from `begin` that are not blank at the edges."""
    end = len(lines)
    while begin < end and not lines[begin].strip():
        begin += 1
    while end > begin and not lines[end - 1].strip():
        end -= 1
    return begin, end


def make_cell(index: int, raw: str, line: int, language: str, title: str | None) -> Cell:
    """A cell whose first magic, if it is one of CELL_MAGICS, chooses the language."""
    head = len(raw) - len(raw.lstrip("\n \t"))
    found = MAGIC.match(raw[head:])
    if found is None:
        return Cell(index, language, raw, line, title, raw)
    if found[1].lower() not in CELL_MAGICS:
        # A magic that IPython knows: it needs a Python cell whatever the notebook's language.
        return Cell(index, "python", raw, line, title, raw)
    source = raw[head + found.end() :]
    return Cell(index, found[1].lower().removesuffix("-sandbox"), source, line + raw[:head].count("\n"), title, raw)


def parse_json(text: str, path: Path) -> Notebook:
    """The notebook of Jupyter's JSON, format 4."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise fault(f"{path.name} is not valid JSON: {error}", path, line=getattr(error, "lineno", None)) from None
    except RecursionError:
        raise fault(f"{path.name} is nested too deeply", path) from None
    raw_cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(raw_cells, list):
        raise fault(f"{path.name} has no list of cells", path, hint="save it as Jupyter notebook format 4")
    metadata = mapping(document.get("metadata"))
    language = (
        mapping(metadata.get(VENDOR + "notebook")).get("language")
        or mapping(metadata.get("language_info")).get("name")
        or mapping(metadata.get("kernelspec")).get("language")
        or "python"
    )
    lines = cell_lines(text, len(raw_cells))
    cells: list[Cell] = []
    for raw, line in zip(raw_cells, lines, strict=True):
        cell = json_cell(len(cells) + 1, mapping(raw), line, str(language).lower())
        if cell is not None:
            cells.append(cell)
    return Notebook(str(language).lower(), tuple(cells), is_json=True)


def json_cell(index: int, raw: dict[str, Any], line: int, language: str) -> Cell | None:
    """The cell of one entry of `cells`; None for raw cells and blank ones."""
    source = raw.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    title = mapping(mapping(raw.get("metadata")).get(VENDOR + "cell")).get("title") or None
    if raw.get("cell_type") == "markdown":
        return Cell(index, "md", text, line, title, text)
    if raw.get("cell_type") != "code" or not text.strip():
        return None
    return make_cell(index, text.replace("\r\n", "\n"), line, language, title)


def mapping(value: Any) -> dict[str, Any]:
    """The value if it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def cell_lines(text: str, count: int) -> list[int]:
    """The line on which each entry of `cells` begins, or 1 for each when the text hides them."""
    decoder = json.JSONDecoder()
    for start in itertools.islice(CELLS.finditer(text), MOST_PLACES):
        lines: list[int] = []
        position, line = start.end(), text.count("\n", 0, start.end()) + 1
        try:
            for _ in range(count):
                begin = GAP.match(text, position).end()  # type: ignore[union-attr]  # matches always
                line += text.count("\n", position, begin)
                lines.append(line)
                position = decoder.raw_decode(text, begin)[1]
                line += text.count("\n", begin, position)
        except ValueError:
            continue
        if END.match(text, position):
            return lines
    return [1] * count
