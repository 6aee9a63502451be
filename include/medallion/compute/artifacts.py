"""What a bundle builds before its jobs run: wheels and JARs of its `artifacts`. Runs on the worker.

On Databricks the bundle's tool builds them at each deployment. Here they are built when a task asks for one, and kept by
the content of their source, so an unchanged source is built once.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medallion.compute.environments import without_credentials
from medallion.compute.programs import run_program
from medallion.core.environment import for_user_code
from medallion.settings import Settings
from medallion.spec.libraries import LibraryError

BUILD_SECONDS = 1200
SHOWN_LINES = 12
LEFT_OUT = frozenset({"dist", "build", "__pycache__", ".git", ".venv", "venv", ".databricks", ".medallion", "target"})
"""Folders that hold no source; what a build writes among them."""
PROJECT_FILES = ("pyproject.toml", "setup.py")
OUTPUTS = {"whl": "dist/*.whl", "jar": "target/*.jar"}
"""Where a build leaves its files when `files` does not say."""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Artifact:
    """One entry of a bundle's `artifacts`.

    :param folder: the source, absolute.
    :param command: the shell command that builds it; none for Python's usual build.
    :param patterns: where the build leaves its files, relative to `folder`.
    """

    name: str
    kind: str
    folder: Path
    command: str | None
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Built:
    """One built file.

    :param stated: where the bundle would have it, such as `<root>/dist/pack-1.0-py3-none-any.whl`.
    :param file: where it is.
    """

    stated: Path
    file: Path


def artifacts_of(artifacts: Mapping[str, Any], root: Path) -> list[Artifact]:
    """The artifacts of a bundle. Without any, a Python project in the bundle's folder is one, as for its tool."""
    if not artifacts:
        is_project = any((root / name).is_file() for name in PROJECT_FILES)
        return [Artifact(root.name, "whl", root, None, (OUTPUTS["whl"],))] if is_project else []
    found = []
    for name, raw in artifacts.items():
        kind = str((raw or {}).get("type") or "whl")
        folder = (root / str((raw or {}).get("path") or ".")).resolve()
        # Sources are absolute: they count from the bundle's file, and the build may leave its files anywhere.
        files = tuple(
            os.path.relpath(root / item["source"], folder)
            for item in (raw or {}).get("files") or ()
            if item.get("source")
        )
        found.append(Artifact(name, kind, folder, (raw or {}).get("build"), files or (OUTPUTS.get(kind, "dist/*"),)))
    return found


def build(artifact: Artifact, settings: Settings, progress: Progress) -> list[Built]:
    """The files of an artifact, built when its source has changed since the last time.

    :raises LibraryError: the build failed; with its last lines.
    """
    from filelock import FileLock

    root = settings.home / "artifacts"
    root.mkdir(parents=True, exist_ok=True)
    key = f"{file_name_of(artifact.name)}-{digest_of(artifact)}"
    folder = root / key
    with FileLock(root / f"{file_name_of(artifact.name)}.lock"):
        if not folder.is_dir():
            progress(f"building the artifact {artifact.name} of {artifact.folder}")
            draft = root / f"{key}.part"
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir()
            BUILDERS.get(bool(artifact.command), build_wheel)(artifact, draft)
            draft.rename(folder)
    place = Path(os.path.normpath(artifact.folder / Path(artifact.patterns[0]).parent))
    return [Built(place / file.name, file) for file in sorted(folder.iterdir())]


def file_name_of(name: str) -> str:
    """A name for a folder by an artifact's name, which may hold any letters."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "_", name).lstrip("-")[:60]
    return plain if plain == name else f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def build_wheel(artifact: Artifact, out: Path) -> None:
    """Python's usual build of a copy of the source, so that the user's folder stays as it is."""
    from uv import find_uv_bin

    if artifact.kind != "whl":
        raise LibraryError(f"artifact {artifact.name}: a {artifact.kind} has no usual build", hint="set its build")
    with TemporaryDirectory(prefix="medallion-artifact-") as scratch:
        copy = Path(scratch) / "source"
        shutil.copytree(artifact.folder, copy, ignore=shutil.ignore_patterns(*LEFT_OUT, "*.egg-info"))
        command = [find_uv_bin(), "build", "--wheel", "--python", sys.executable, "--out-dir", str(out), str(copy)]
        run(artifact, command, copy)
    (out / ".gitignore").unlink(missing_ok=True)


def build_by_command(artifact: Artifact, out: Path) -> None:
    """The user's command, in the user's folder, as the bundle's tool runs it."""
    before = {file: file.stat().st_mtime_ns for file in outputs(artifact)}
    run(artifact, ["/bin/sh", "-c", str(artifact.command)], artifact.folder)
    made = [file for file in outputs(artifact) if before.get(file) != file.stat().st_mtime_ns]
    made = made or list(outputs(artifact))
    if not made:
        wanted = ", ".join(artifact.patterns)
        raise LibraryError(f"artifact {artifact.name}: {artifact.command!r} left no {wanted} in {artifact.folder}")
    for file in made:
        shutil.copy2(file, out / file.name)


BUILDERS: Mapping[bool, Callable[[Artifact, Path], None]] = {True: build_by_command, False: build_wheel}


def outputs(artifact: Artifact) -> Iterator[Path]:
    """The files that a build has left in the source's folder."""
    for pattern in artifact.patterns:
        yield from sorted(artifact.folder.glob(pattern))


def run(artifact: Artifact, command: list[str], folder: Path) -> None:
    """Run a build.

    :raises LibraryError: it failed, or took too long.
    """
    # The build finds Python and uv of the product where the user's command names them without a path.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    environment = for_user_code(extra={"PATH": path, "UV_NO_PROGRESS": "1", "NO_COLOR": "1"})
    try:
        done = run_program(command, seconds=BUILD_SECONDS, environment=environment, folder=folder, joined=True)
    except subprocess.TimeoutExpired:
        raise LibraryError(f"artifact {artifact.name}: the build took longer than {BUILD_SECONDS} s") from None
    if done.returncode:
        said = without_credentials("\n".join(done.stdout.strip().splitlines()[-SHOWN_LINES:]))
        raise LibraryError(
            f"artifact {artifact.name}: its build failed with status {done.returncode}:\n{said}",
            hint=f"run it by hand in {artifact.folder}",
        )


def digest_of(artifact: Artifact) -> str:
    """Digest of an artifact's source and of how it is built."""
    seen = hashlib.sha256(f"{artifact.kind}\0{artifact.command}\0{artifact.patterns}\0{sys.version_info[:2]}".encode())
    for file in sources(artifact.folder):
        seen.update(str(file.relative_to(artifact.folder)).encode(errors="surrogateescape") + b"\0")
        seen.update(hashlib.sha256(file.read_bytes()).digest())
    return seen.hexdigest()[:24]


def sources(folder: Path) -> Iterator[Path]:
    """The files of a source folder, in a stable order."""
    for entry in sorted(folder.iterdir()):
        if entry.name in LEFT_OUT or entry.name.endswith(".egg-info"):
            continue
        if entry.is_dir() and not entry.is_symlink():
            yield from sources(entry)
        elif entry.is_file():
            yield entry
