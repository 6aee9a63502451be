"""Runs notebooks as a worker does: in real processes, by the spare one, without Spark unless asked for."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from medallion.errors import MedallionError
from medallion.runtime.launch import launch
from medallion.runtime.protocol import NOTEBOOK_FILE, Places, TaskContext, TaskResult
from medallion.runtime.spare_start import connect
from medallion.settings import Settings

HEADER = "# Databricks notebook source\n"
SEPARATOR = "\n\n# COMMAND ----------\n\n"


@dataclass
class MemoryAnswers:
    """What the worker answers, from dictionaries."""

    values: dict[tuple[str, str], Any] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    vault: dict[str, dict[str, str]] = field(default_factory=dict)

    def task_value(self, task_key: str, key: str) -> Any:
        if task_key == "forbidden":
            raise MedallionError("forbidden is not upstream")
        return self.values[task_key, key]

    def set_task_value(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def secret(self, scope: str, key: str) -> str:
        return self.vault[scope][key]

    def secrets(self, scope: str) -> list[str]:
        return sorted(self.vault[scope])

    def secret_scopes(self) -> list[str]:
        return sorted(self.vault)


@dataclass
class Ran:
    """What came of a run."""

    result: TaskResult
    lines: list[str]
    context: TaskContext
    answers: MemoryAnswers

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def output(self) -> Path:
        return Path(self.context.output)

    @property
    def cells(self) -> list[Any]:
        document = nbformat.read(self.output / NOTEBOOK_FILE, as_version=4)
        nbformat.validate(document)
        return document.cells


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """Settings of a project that ends with the session, and its spare process with it."""
    home = Path(tempfile.mkdtemp(prefix="mdl-"))
    made = Settings.load(home, environ={})
    connection = connect(made)  # the first start of the spare takes seconds; no test shall count them
    if connection is not None:
        connection.close()
    yield made
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Folders of this test alone."""
    return Places(lake=str(tmp_path / "lake"), volumes=str(tmp_path / "volumes"), dbfs=str(tmp_path / "dbfs"))


@pytest.fixture
def run(settings: Settings, places: Places, tmp_path: Path) -> Callable[..., Ran]:
    """Run a file: `run(path, parameters=…, answers=…, timeout=…, spare=…, **context)`."""

    def go(path: Path, *, answers: MemoryAnswers | None = None, **options: Any) -> Ran:
        answers = answers or MemoryAnswers()
        how = {name: options.pop(name) for name in ("timeout", "spare", "masks") if name in options}
        lines: list[str] = []
        context = TaskContext(kind="notebook", path=str(path), output=str(tmp_path / "out"), places=places)
        context = replace(context, **options)
        result = launch(context, settings, answers=answers, on_output=lines.append, **how)
        return Ran(result, lines, context, answers)

    return go


@pytest.fixture
def run_cells(run: Callable[..., Ran], tmp_path: Path) -> Callable[..., Ran]:
    """Run cells as a Python notebook: `run_cells("x = 1", "print(x)", parameters=…)`."""

    def go(*cells: str, name: str = "nb.py", **options: Any) -> Ran:
        return run(write_notebook(tmp_path / name, *cells), **options)

    return go


def write_notebook(path: Path, *cells: str) -> Path:
    """A Databricks source notebook."""
    path.parent.mkdir(parents=True, exist_ok=True)
    comment = {".sql": "--"}.get(path.suffix, "#")
    text = (HEADER + SEPARATOR.join(cells)).replace("# COMMAND", f"{comment} COMMAND")
    path.write_text(text.replace("# Databricks", f"{comment} Databricks").replace("# MAGIC", f"{comment} MAGIC"))
    return path


def magic(text: str) -> str:
    """A magic cell as it stands in a source file."""
    return "\n".join(f"# MAGIC {line}".rstrip() for line in text.split("\n"))


@pytest.fixture
def write() -> Callable[..., Path]:
    """`write(path, *cells)` makes a notebook file."""
    return write_notebook


@pytest.fixture
def as_magic() -> Callable[[str], str]:
    """`as_magic("%sh\\nls")` gives a magic cell."""
    return magic


@pytest.fixture
def answers() -> Callable[..., MemoryAnswers]:
    """`answers(values={(task, key): value}, vault={scope: {key: secret}})`."""
    return MemoryAnswers
