"""Finds the file of a notebook from a stated path. Runs on the worker and in the task process."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from pathlib import Path

from medallion.compute.paths import to_local
from medallion.errors import MedallionError, SpecError
from medallion.runtime.protocol import Places
from medallion.runtime.source import COMMENTS, SUFFIXES, is_notebook, not_a_notebook
from medallion.spec.problems import Problem, Severity, did_you_mean

WORKSPACE = "/Workspace"


def find_notebook(path: str, places: Places, *, caller: Path | None = None) -> Path:
    """The local file of a notebook path.

    A path may lack the extension, as in the workspace. `/Workspace/…` prefixes, with or without `/Workspace`, stand for
    the folders in `places.workspace`; the longest prefix wins. A relative path counts from the caller's folder.

    :param caller: the notebook file that asks.
    :raises SpecError: no such file (says what was tried and the nearest name), or the file is a plain script.
    """
    bases = list(local_paths(path.strip(), places.workspace, caller))
    tried = [candidate for base in bases for candidate in candidates(base)]
    files = [candidate for candidate in tried if is_file(candidate)]
    for file in files:
        if is_notebook(file):
            return file.resolve()
    if files:
        comment = COMMENTS.get(files[0].suffix.lower(), "#")
        raise SpecError([not_a_notebook(files[0], comment).problem])
    raise SpecError([not_found(path, bases, tried)])


def find_file(path: str, places: Places) -> Path:
    """The local file of a stated path.

    :raises MedallionError: no such file; says what was looked for and the nearest name.
    """
    file = Path(to_local(path, places)).absolute()
    if is_file(file):
        return file
    there = [entry.name for entry in file.parent.iterdir()] if is_folder(file.parent) else []
    near = did_you_mean(file.name, there)
    if not there:
        near = f"the folder {file.parent} is empty or does not exist"
    if not there and str(file).startswith(f"{WORKSPACE}/"):
        near = mapping_hint(path)
    raise MedallionError(f"file {path!r} not found: looked for {file}", hint=near)


def mapping_hint(path: str) -> str:
    """What to set for a workspace path that no setting maps."""
    return f'say in medallion.toml what its folder stands for: [workspace] "{Path(path).parent}" = "<a local folder>"'


def local_paths(path: str, workspace: Mapping[str, str], caller: Path | None) -> Iterator[Path]:
    """Local paths that the stated path can stand for, the likeliest first."""
    if not path.startswith("/"):
        yield (caller.parent if caller else Path.cwd()) / path
        return
    # `..` stays within the workspace, as there: it must not lead from a mapped folder to the rest of this machine.
    normal = posixpath.normpath(path).replace("//", "/", 1)
    if within_workspace(path) and not within_workspace(normal):
        message = f"the notebook path {path!r} leads out of {WORKSPACE}"
        raise SpecError([Problem(Severity.ERROR, message, hint="take the '..' out of it")])
    path = normal
    plain = path.removeprefix(WORKSPACE) or "/"
    by_length = sorted(workspace.items(), key=lambda item: len(item[0].removeprefix(WORKSPACE)), reverse=True)
    for prefix, folder in by_length:
        prefix = prefix.removeprefix(WORKSPACE).rstrip("/")
        if plain == prefix or plain.startswith(f"{prefix}/"):
            yield Path(folder) / plain[len(prefix) :].lstrip("/")
    yield Path(path)


def within_workspace(path: str) -> bool:
    """Whether an absolute path is one of the workspace by its first folder."""
    return path == WORKSPACE or path.startswith(f"{WORKSPACE}/")


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that no folder can have is none."""
    try:
        return path.is_dir()
    except OSError:
        return False


def candidates(base: Path) -> Iterator[Path]:
    """The path as it stands, then with each extension of a notebook added."""
    yield base
    for suffix in SUFFIXES:
        yield base.with_name(base.name + suffix) if base.name else base


def not_found(path: str, bases: list[Path], tried: list[Path]) -> Problem:
    """What is wrong: which files were looked for and what lies there instead."""
    stems = {
        file.stem if "." not in bases[0].name else file.name
        for base in bases
        if is_folder(base.parent)
        for file in base.parent.iterdir()
        if file.suffix in SUFFIXES
    }
    near = did_you_mean(bases[0].name, sorted(stems))
    if near is None and path.startswith(WORKSPACE) and len(bases) == 1:
        near = mapping_hint(path)
    looked = ", ".join(dict.fromkeys(str(base) for base in bases))
    extensions = ", ".join(SUFFIXES[:-1])
    folder = "" if any(is_folder(base.parent) for base in bases) else "; the folder does not exist"
    return Problem(
        Severity.ERROR,
        f"notebook {path!r} not found: looked for {looked}, as it stands and with {extensions}{folder}",
        hint=near,
    )
