"""The source files of a pipeline, from its `libraries`. Runs in the task process; pure but for reading files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.compute.paths import to_local
from medallion.errors import MedallionError, UnsupportedError
from medallion.runtime.lookup import find_notebook
from medallion.runtime.source import is_notebook, read_notebook
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from medallion.runtime.protocol import Places

LANGUAGES = {".py": "python", ".sql": "sql", ".ipynb": "python"}
SKIPPED_CELLS = frozenset({"md", "md-sandbox", "skip"})
KINDS = ("notebook", "file", "glob")


@dataclass(frozen=True, slots=True)
class Source:
    """One part of a pipeline's code.

    :param language: `python` or `sql`.
    :param text: with as many lines before it as the file has, so that line numbers are the file's.
    """

    file: Path
    language: str
    text: str


def sources(libraries: tuple[Mapping[str, Any], ...], places: Places, root: Path) -> list[Source]:
    """The code of all libraries, in their order; files of a glob by name.

    :param root: folder that relative paths count from.
    :raises MedallionError: a library names nothing, or nothing that a pipeline can run.
    """
    files = [file for library in libraries for file in files_of(library, places, root)]
    if not files:
        raise MedallionError("the pipeline has no source files", hint="list notebooks, files or globs under libraries")
    return [part for file in dict.fromkeys(files) for part in parts_of(file)]


def files_of(library: Mapping[str, Any], places: Places, root: Path) -> list[Path]:
    """The files of one library."""
    if path := (library.get("notebook") or {}).get("path"):
        return [find_notebook(str(path), places, caller=root / "databricks.yml")]
    if path := (library.get("file") or {}).get("path"):
        return [existing(local(str(path), places, root), str(path))]
    if pattern := (library.get("glob") or {}).get("include"):
        return matching(str(pattern), local(str(pattern), places, root))
    kind = next(iter(library), "nothing")
    raise UnsupportedError(
        f"a library of a pipeline is a notebook, file or glob here, not {kind}",
        hint="give Python packages by the pipeline's environment, or by the libraries of the task's job",
    )


def local(path: str, places: Places, root: Path) -> Path:
    """A stated path on this machine."""
    here = Path(to_local(path, places))
    return here if here.is_absolute() else root / here


def existing(file: Path, stated: str) -> Path:
    """:raises MedallionError: there is no such file."""
    if file.is_file():
        return file.resolve()
    there = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
    raise MedallionError(
        f"pipeline source {stated!r} not found: looked for {file}", hint=did_you_mean(file.name, there)
    )


def matching(stated: str, pattern: Path) -> list[Path]:
    """The files of a pattern; a folder, and `folder/**`, stand for all files below.

    :raises MedallionError: there are none.
    """
    text = str(pattern)
    if not has_magic(text):
        if pattern.is_file():
            return [pattern.resolve()]
        text += "/**"
    if text.endswith("/**"):
        text += "/*"
    found = [Path(name) for name in glob(text, recursive=True)]  # noqa: PTH207  the pattern is absolute
    chosen = sorted(
        file.resolve()
        for file in found
        if file.is_file() and file.suffix in LANGUAGES and "__pycache__" not in file.parts
    )
    if not chosen:
        raise MedallionError(f"no pipeline source matches {stated!r}", hint="a source is a .py, .sql or .ipynb file")
    return chosen


def parts_of(file: Path) -> Iterator[Source]:
    """A plain file as it stands; a notebook's cells, of which Python ones are joined to one program.

    :raises UnsupportedError: a cell or file in another language.
    """
    if file.suffix not in LANGUAGES:
        raise UnsupportedError(f"{file.name}: pipelines take .py, .sql and .ipynb files")
    if not is_notebook(file):
        yield Source(file, LANGUAGES[file.suffix], file.read_text(encoding="utf-8-sig"))
        return
    notebook = read_notebook(file)
    program: list[str] = []
    for cell in notebook.cells:
        if cell.language == "python":
            program += [""] * (cell.line - 1 - len(program)) if not notebook.is_json else []
            program += [without_magics(line) for line in cell.source.split("\n")]
        elif cell.language == "sql":
            yield Source(file, "sql", "\n" * (cell.line - 1) + cell.source)
        elif cell.language not in SKIPPED_CELLS:
            raise UnsupportedError(f"{file.name}, line {cell.line}: a pipeline runs no %{cell.language} cells")
    if program:
        yield Source(file, "python", "\n".join(program))


def without_magics(line: str) -> str:
    """A line of Python; `%pip` and other magics say nothing to a pipeline, whose environment is made before."""
    return f"# {line}" if line.lstrip().startswith(("%", "!")) else line
