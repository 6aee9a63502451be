"""Paths of notebooks, files and libraries: from the file that defines them to the workspace. Runs at parse.

A relative path counts from the file that defines it; an absolute one is in the workspace, one with a scheme elsewhere,
and both stay. Paths of tasks stay as well when the job has a git source. Rules and modes: reference §17.1.
"""

from __future__ import annotations

import json
import os
import posixpath
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from medallion.spec.bundle.includes import GLOB_CHARACTERS, glob
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, EMPTY, Node, put, rewrite, with_value
from medallion.spec.bundle.workspace import defining_folder
from medallion.spec.positions import JsonPath

NOTEBOOK_HEADERS = {
    ".py": "# Databricks notebook source",
    ".r": "# Databricks notebook source",
    ".scala": "// Databricks notebook source",
    ".sql": "-- Databricks notebook source",
}
JUPYTER = ".ipynb"
DESIGNER = ".designer.ipynb"
EXTENSIONS = (*NOTEBOOK_HEADERS, JUPYTER)
HEADER_BYTES = 32
MAX_NOTEBOOK_BYTES = 50 * 1024 * 1024
"""As for notebooks that run."""
PIP_FLAGS = ("-r", "-e")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
PIP_FLAG = re.compile(r"(?:^|\s)--?[a-zA-Z0-9-]+(?:[\s|=]|$)")
VERSION = r"(\d+!)?\d+(\.\d+)*([-_.]?(a|b|rc)\d+)?([-_.]?post\d+)?([-_.]?dev\d+)?(\+[a-zA-Z0-9]+([-_.][a-zA-Z0-9]+)*)?"
PACKAGE = re.compile(rf"[a-zA-Z0-9\-_]+\s?(\[.*\])?\s?((==|!=|<=|>=|~=|>|<)\s?{VERSION},?)*")


class Mode(Enum):
    """What a path must lead to, and what it becomes."""

    NOTEBOOK = auto()
    FILE = auto()
    FOLDER = auto()
    GLOB = auto()
    LIBRARY = auto()
    """Stays relative to the sync root: it is built and uploaded on deployment."""
    DEPENDENCY = auto()
    """A library among pip's requirement lines, so it begins with ./"""
    PIP_FLAG = auto()
    """A file after -r or -e."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in the tree paths stand.

    :param applies: which texts there are paths; None for all.
    """

    pattern: JsonPath
    mode: Mode
    applies: Callable[[str], bool] | None = None


def is_local(path: str) -> bool:
    """Whether a path is neither in the workspace nor behind a scheme."""
    return not path.startswith("/") and not SCHEME.match(path)


def is_local_dependency(line: str) -> bool:
    """Whether a requirement line is the path of a library rather than a package's name."""
    if line.startswith("."):
        return True
    if not line or PIP_FLAG.search(line) or PACKAGE.fullmatch(line):
        return False
    name, separator, url = line.partition(" @ ")
    if separator and PACKAGE.fullmatch(name) and re.match(r"(?!file:)[A-Za-z][A-Za-z0-9+.-]*:/", url):
        return False
    bare = line.strip("\"'")
    return not bare.startswith("/") and not re.match(r"file://|(?!file:)[A-Za-z][A-Za-z0-9+.-]*:/", bare)


def split_flag(line: str) -> tuple[str, str]:
    """A requirement line as flag and path; no flag for other lines."""
    for flag in PIP_FLAGS:
        if line.startswith(flag + " "):
            return flag, line.removeprefix(flag + " ").strip()
    return "", line


def is_flagged_path(line: str) -> bool:
    """Whether a requirement line is -r or -e with a local path."""
    flag, path = split_flag(line)
    return bool(flag) and is_local(path.strip("\"'"))


JOB = ("resources", "jobs", ANY)
PIPELINE = ("resources", "pipelines", ANY)
TASKS = ((*JOB, "tasks", ANY), (*JOB, "tasks", ANY, "for_each_task", "task"))
IN_TASKS: tuple[tuple[JsonPath, Mode], ...] = (
    (("notebook_task", "notebook_path"), Mode.NOTEBOOK),
    (("spark_python_task", "python_file"), Mode.FILE),
    (("dbt_task", "project_directory"), Mode.FOLDER),
    (("sql_task", "file", "path"), Mode.FILE),
    (("alert_task", "workspace_path"), Mode.FILE),
    (("libraries", ANY, "requirements"), Mode.FILE),
    (("ai_runtime_task", "deployments", ANY, "command_path"), Mode.FILE),
    (("libraries", ANY, "whl"), Mode.LIBRARY),
    (("libraries", ANY, "jar"), Mode.LIBRARY),
)
DEPENDENCIES: tuple[JsonPath, ...] = (
    (*JOB, "environments", ANY, "spec", "dependencies", ANY),
    (*PIPELINE, "environment", "dependencies", ANY),
)
SPOTS: tuple[Spot, ...] = (
    *(Spot((*task, *below), mode) for task in TASKS for below, mode in IN_TASKS),
    *(Spot(lines, Mode.DEPENDENCY, is_local_dependency) for lines in DEPENDENCIES),
    *(Spot(lines, Mode.PIP_FLAG, is_flagged_path) for lines in DEPENDENCIES),
    Spot((*PIPELINE, "libraries", ANY, "notebook", "path"), Mode.NOTEBOOK),
    Spot((*PIPELINE, "libraries", ANY, "file", "path"), Mode.FILE),
    Spot((*PIPELINE, "libraries", ANY, "glob", "include"), Mode.GLOB),
    Spot((*PIPELINE, "root_path"), Mode.FOLDER),
    Spot(("resources", "apps", ANY, "source_code_path"), Mode.FOLDER),
)
OUTSIDE_ALLOWED = frozenset({Mode.LIBRARY, Mode.DEPENDENCY, Mode.PIP_FLAG})


def visit(tree: Node, change: Callable[[Spot, JsonPath, Node], Node]) -> Node:
    """The tree with every path changed; paths in jobs with a git source are passed over."""
    from_git = {key for key, job in (tree.at("resources", "jobs") or EMPTY).items() if job.at("git_source") is not None}
    for spot in SPOTS:

        def changed(at: JsonPath, node: Node, spot: Spot = spot) -> Node:
            if at[1] == "jobs" and at[2] in from_git:
                return node
            if node.kind != "string" or (spot.applies and not spot.applies(node.value)):
                return node
            return change(spot, at, node)

        tree = rewrite(tree, spot.pattern, changed)
    return tree


def make_relative(tree: Node, folder: Path) -> Node:
    """Relative paths count from the bundle's folder instead of the file that defines them (§17.6 step 7)."""

    def change(_spot: Spot, _at: JsonPath, node: Node) -> Node:
        flag, path = split_flag(node.value)
        if not is_local(path):
            return node
        base = os.path.relpath(defining_folder(node, folder), folder)
        path = posixpath.normpath(posixpath.join(base, path))
        return with_value(node, f"{flag} {path}" if flag else path)

    return visit(tree, change)


def expand_pipeline_globs(tree: Node, folder: Path, read: list[Path]) -> Node:
    """Notebooks and files of pipelines that are patterns become one library for each match."""

    def expand(library: Node) -> list[Node]:
        for kind in ("notebook", "file"):
            pattern = library.text(kind, "path")
            if not pattern or not is_local(pattern) or not any(character in pattern for character in GLOB_CHARACTERS):
                continue
            found = [os.path.relpath(path, folder) for path in glob(folder, pattern, read)]
            old = library.at(kind, "path") or EMPTY
            return [put(library, (kind, "path"), with_value(old, path)) for path in found] or [library]
        return [library]

    def change(_at: JsonPath, libraries: Node) -> Node:
        if libraries.kind != "sequence":
            return libraries
        return Node([fresh for library in libraries.value for fresh in expand(library)], libraries.places)

    return rewrite(tree, (*PIPELINE, "libraries"), change)


@dataclass(frozen=True, slots=True)
class Translator:
    """Turns paths below the sync root into paths in the workspace.

    :param folder: the bundle's folder, which relative paths count from.
    :param sync: the folder that is deployed.
    :param remote: the workspace folder that it is deployed to.
    :param read: files that were found wrong or missing; grows.
    """

    folder: Path
    sync: Path
    remote: str
    report: Report
    read: list[Path]

    def translate(self, tree: Node) -> Node:
        """The tree with workspace paths. A path that leads nowhere stays and is reported."""

        def change(spot: Spot, at: JsonPath, node: Node) -> Node:
            return self.change(tree, spot, at, node)

        return visit(tree, change)

    def change(self, tree: Node, spot: Spot, at: JsonPath, node: Node) -> Node:
        """One path."""
        flag, path = split_flag(node.value) if spot.mode is Mode.PIP_FLAG else ("", node.value)
        if not path or not is_local(path):
            return node
        local = Path(os.path.normpath(self.folder / path))
        inside = os.path.relpath(local, self.sync).replace(os.sep, "/")
        if spot.mode not in OUTSIDE_ALLOWED and (inside == ".." or inside.startswith("../")):
            message = f"path {path} leads out of the folder that is deployed, {self.sync}"
            self.report.error(message, node, at, "list the folder under sync.paths")
            return node
        problem, hint = CHECKS[spot.mode](local, path) if spot.mode in CHECKS else ("", None)
        if problem:
            self.read.append(local)
            self.report.error(problem, node, at, hint or self.relative_hint(tree, node, path, at))
            return node
        deployed = self.deployed(spot.mode, inside)
        return with_value(node, f"{flag} {deployed}" if flag else deployed)

    def deployed(self, mode: Mode, inside: str) -> str:
        """What a path below the sync root becomes."""
        if mode is Mode.LIBRARY:
            return inside
        if mode is Mode.DEPENDENCY:
            return inside if inside.startswith(".") else f"./{inside}"
        if mode is Mode.NOTEBOOK and not inside.endswith(DESIGNER):
            inside = inside.removesuffix(posixpath.splitext(inside)[1])
        return posixpath.normpath(posixpath.join(self.remote, inside))

    def relative_hint(self, tree: Node, node: Node, path: str, at: JsonPath) -> str | None:
        """What to write when the path would lead somewhere from the resource's file or the bundle, a common mistake."""
        own = defining_folder(node, self.folder)
        written = os.path.relpath(self.folder / path, own)
        for base in (defining_folder(tree.at(*at[:3]) or node, self.folder), self.folder):
            if base != own and (base / written).exists():
                return f"{written} counts from the file that defines it; write {os.path.relpath(base / written, own)}"
        return None


Finding = tuple[str, str | None]
"""What is wrong and what to do; empty when nothing is."""


def check_notebook(local: Path, shown: str) -> Finding:
    """A notebook exists, has its extension and the header that makes it one."""
    listed = ", ".join(EXTENSIONS)
    if not local.exists():
        if local.suffix:
            return f"notebook {shown} not found", None
        found = next((shown + suffix for suffix in EXTENSIONS if Path(f"{local}{suffix}").exists()), None)
        hint = f"did you mean {found}?" if found else None
        return f"notebook {shown} not found; a local notebook's path must carry its extension ({listed})", hint
    is_notebook, unreadable = detect_notebook(local)
    if unreadable:
        return f"cannot tell whether {shown} is a notebook: {unreadable}", None
    if is_notebook:
        return "", None
    header = NOTEBOOK_HEADERS.get(local.suffix.lower())
    hint = f"its first line must be `{header}`" if header else f"notebooks end in {listed}"
    return f"expected a notebook, but {shown} is a file", hint


def check_file(local: Path, shown: str) -> Finding:
    """A file exists and is no notebook."""
    if not local.exists():
        return f"file {shown} not found", None
    is_notebook, unreadable = detect_notebook(local)
    if unreadable:
        return f"cannot tell whether {shown} is a notebook: {unreadable}", None
    if is_notebook:
        return (
            f"expected a file, but {shown} is a notebook",
            "remove the line `Databricks notebook source`, or use notebook_task",
        )
    return "", None


def check_folder(local: Path, shown: str) -> Finding:
    """A folder exists."""
    if not local.exists():
        return f"folder {shown} not found", None
    return ("", None) if local.is_dir() else (f"{shown} is not a folder", None)


CHECKS: dict[Mode, Callable[[Path, str], Finding]] = {
    Mode.NOTEBOOK: check_notebook,
    Mode.FILE: check_file,
    Mode.FOLDER: check_folder,
    Mode.PIP_FLAG: check_file,
}


def detect_notebook(file: Path) -> tuple[bool, str]:
    """Whether a file is a notebook, and why that cannot be told."""
    suffix = file.suffix.lower()
    try:
        status = file.stat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            return False, "it is not a regular file"
        if suffix == JUPYTER and status.st_size > MAX_NOTEBOOK_BYTES:
            return False, f"it has {status.st_size:,} bytes; a notebook may have {MAX_NOTEBOOK_BYTES:,}"
        if suffix == JUPYTER:
            return detect_jupyter(file)
        with file.open("rb") as stream:
            start = stream.read(HEADER_BYTES)
    except OSError as error:
        return False, str(error.strerror or error)
    first = start.decode("utf-8", errors="replace").split("\n")[0].removesuffix("\r")
    return suffix in NOTEBOOK_HEADERS and first == NOTEBOOK_HEADERS[suffix], ""


def detect_jupyter(file: Path) -> tuple[bool, str]:
    """Whether a file is a notebook of Jupyter's format 4 or later."""
    try:
        content: Any = json.loads(file.read_bytes())
    except (ValueError, RecursionError):
        return False, "it is not the JSON of a notebook"
    if not isinstance(content, dict) or content.get("cells") is None or content.get("metadata") is None:
        return False, "it is not the JSON of a notebook"
    version = content.get("nbformat")
    if not isinstance(version, int) or version < 4:
        return False, f"notebook format {version} is too old"
    return True, ""
