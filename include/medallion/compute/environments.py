"""Python environments of tasks: made by uv once per distinct set of packages, kept in the cache. Runs on the worker.

An environment is a folder that goes before the product's own packages on `sys.path`. It holds what the product has not,
or has in another version: uv is given the product's versions as preferences, so most packages are shared and the folder
is small. pyspark and its like keep their versions, as they must fit the driver. Airflow's own environment is only read.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from medallion.compute.programs import run_program
from medallion.core.environment import for_user_code
from medallion.settings import Settings
from medallion.spec.libraries import LibraryError, name_of
from medallion.spec.requirement_lines import Sources, hashes_of

READY = "environment.json"
LOCK_SECONDS = 1800
INSTALL_SECONDS = 1500
SHOWN_LINES = 12
FIXED = ("pyspark", "py4j", "delta-spark", "medallion-airflow")
"""Packages that must be the product's: they fit the driver, or are the product."""
FORMAT = 1
"""Raised when environments of an earlier version would be wrong."""
OFFLINE = re.compile(r"dns error|error sending request|Failed to fetch|Could not connect|network.*disabled", re.I)
MISSING = re.compile(r"was not found in the package registry|there (?:are|is) no versions? of|no versions? of", re.I)

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Site:
    """An environment that can be used.

    :param folder: goes first on `sys.path`.
    :param forkable: it replaces no package of the product, so a process with the product's packages loaded can use it.
    """

    folder: Path
    forkable: bool

    def options(self) -> dict[str, Any]:
        """The options of a task's context."""
        return {"site": [str(self.folder)], "forkable": self.forkable}


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment is made of.

    :param lines: lines of a requirements file; local files by absolute path.
    :param files: local wheels and folders among the lines, by the digest of their content.
    :param indexes: package indexes tried before the usual one.
    :param sources: what the options among the lines say.
    """

    lines: tuple[str, ...]
    files: tuple[tuple[str, str], ...] = ()
    indexes: tuple[str, ...] = ()
    sources: Sources = field(default_factory=Sources)

    def key(self, product: Mapping[str, str]) -> str:
        """Digest of all that makes a difference. A local file counts by its name and content, not by its place."""
        lines = list(self.lines)
        for path, content in self.files:
            lines = [line.replace(path, f"{Path(path).name}={content}") for line in lines]
        parts = [FORMAT, sys.version_info[:2], sys.platform, sorted(lines), self.indexes, sorted(product.items())]
        parts += [asdict(self.sources)] if self.sources != Sources() else []
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def provide(settings: Settings, recipe: Recipe, progress: Progress) -> Site:
    """The environment of a recipe, made when there is none. Two tasks that ask at once make it once.

    :param progress: gets a line of text while it is made.
    :raises LibraryError: the packages could not be installed; with uv's last lines.
    """
    from filelock import FileLock, Timeout

    product = installed()
    root = settings.cache / "environments"
    folder = root / recipe.key(product)
    if (site := ready(folder)) is not None:
        return site
    root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(root / f"{folder.name}.lock", timeout=LOCK_SECONDS):
            if (site := ready(folder)) is not None:
                return site
            progress(f"making a Python environment of {', '.join(map(without_credentials, recipe.lines))}")
            make(folder, recipe, product)
    except Timeout:
        raise LibraryError(f"another task has been making the environment {folder} for {LOCK_SECONDS} s") from None
    site = ready(folder)
    if site is None:
        raise LibraryError(f"the environment {folder} was changed while it was made", hint="run the task again")
    return site


def ready(folder: Path) -> Site | None:
    """The environment in a folder; None when there is none, or a part of it is gone."""
    try:
        told = json.loads((folder / READY).read_text(encoding="utf-8"))
        whole = set(told["holds"]) <= {entry.name for entry in folder.iterdir()}
    except (OSError, ValueError, KeyError):
        return None
    return Site(folder, bool(told["forkable"])) if whole else None


def make(folder: Path, recipe: Recipe, product: Mapping[str, str]) -> None:
    """Resolve, install and put in place, under the recipe's lock. What an earlier try left is removed first."""
    for old in (folder, *folder.parent.glob(f"{folder.name}.part*")):
        shutil.rmtree(old, ignore_errors=True)
    draft = folder.with_name(f"{folder.name}.part{os.getpid()}")
    draft.mkdir()
    try:
        with TemporaryDirectory(prefix="medallion-environment-") as scratch:
            lines = resolve(Path(scratch), recipe, product)
            own = [line for line in lines if not is_shared(line, product)]
            if own:
                chosen = Path(scratch) / "own.txt"
                chosen.write_text("\n".join(with_hashes(own, recipe)) + "\n", encoding="utf-8")
                run_uv("install", ["--no-deps", "--target", str(draft), "-r", str(chosen)], recipe)
        replaced = sorted(name for name in distributions(draft) if name in product)
        told = {"lines": recipe.lines, "installed": own, "replaced": replaced, "forkable": not replaced}
        told["holds"] = sorted(entry.name for entry in draft.iterdir() if entry.name != ".lock")
        (draft / READY).write_text(json.dumps(told, indent=1), encoding="utf-8")
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def resolve(scratch: Path, recipe: Recipe, product: Mapping[str, str]) -> list[str]:
    """Every package that the lines lead to, with versions; the product's versions where they will do."""
    asked, fixed, out = scratch / "asked.txt", scratch / "fixed.txt", scratch / "resolved.txt"
    asked.write_text("\n".join(map(as_line, recipe.lines)) + "\n", encoding="utf-8")
    fixed.write_text("".join(f"{name}=={product[name]}\n" for name in FIXED if name in product), encoding="utf-8")
    # uv prefers the versions that stand in the file that it is about to write.
    out.write_text("".join(f"{name}=={version}\n" for name, version in product.items()), encoding="utf-8")
    options = ["--constraint", str(fixed), "--output-file", str(out), "--no-header", "--no-annotate"]
    run_uv("compile", [str(asked), *options], recipe)
    return [line for line in out.read_text(encoding="utf-8").splitlines() if line and not line.startswith("-")]


def as_line(line: str) -> str:
    """A line of a recipe as uv reads it: a local file as an address, so that its name is nothing but a name."""
    path, bracket, extras = line.partition("[")
    return f"{Path(path).as_uri()}{bracket}{extras}" if line.startswith("/") else line


def with_hashes(lines: list[str], recipe: Recipe) -> list[str]:
    """Resolved lines, with the hashes that the asked ones have: uv checks them as it installs."""
    known = {name_of(line): hashes_of(line)[1] for line in recipe.lines if not line.startswith(("/", "-"))}
    return [f"{line} {known.get(name_of(line), '')}".rstrip() for line in lines]


def source_options(sources: Sources) -> list[str]:
    """uv's options for what holds no secret of where packages come from."""
    options = [f"--no-binary={name}" for name in sources.no_binary]
    options += [f"--only-binary={name}" for name in sources.only_binary]
    options += ["--no-index"] if sources.no_index else []
    return [*options, "--prerelease=allow"] if sources.pre else options


def source_variables(recipe: Recipe) -> dict[str, str]:
    """uv's variables for the rest: every user of a machine sees command lines, and addresses may hold passwords."""
    sources = recipe.sources
    found = {
        "UV_DEFAULT_INDEX": sources.index,
        "UV_INDEX": " ".join((*recipe.indexes, *sources.extra)),
        "UV_FIND_LINKS": ",".join(sources.links),
        "UV_INSECURE_HOST": " ".join(sources.trusted),
    }
    return {name: value for name, value in found.items() if value}


def is_shared(line: str, product: Mapping[str, str]) -> bool:
    """Whether a resolved line names a package of the product in the product's version."""
    name, _, version = line.partition(" ;")[0].strip().partition("==")
    return bool(version) and product.get(normal(name)) == version.strip()


def run_uv(command: str, arguments: list[str], recipe: Recipe) -> None:
    """Run `uv pip <command>` with the sources of a recipe.

    :raises LibraryError: it failed; carries its last lines.
    """
    from uv import find_uv_bin

    quiet = {"UV_NO_PROGRESS": "1", "NO_COLOR": "1", "GIT_ALLOW_PROTOCOL": "https:ssh:file"}
    environment = for_user_code(extra={**quiet, **source_variables(recipe)})
    line = [find_uv_bin(), "pip", command, "--python", sys.executable, *arguments, *source_options(recipe.sources)]
    try:
        done = run_program(line, seconds=INSTALL_SECONDS, environment=environment)
    except subprocess.TimeoutExpired:
        raise LibraryError(f"uv did not end within {INSTALL_SECONDS} s", hint="check the network") from None
    if done.returncode:
        said = without_credentials("\n".join(done.stderr.strip().splitlines()[-SHOWN_LINES:]))
        raise LibraryError(f"the task's packages could not be installed; uv said:\n{said}", hint=advice(said))


def advice(said: str) -> str:
    """What to do about uv's complaint."""
    if OFFLINE.search(said):
        return "the package index cannot be reached: check the network, or name another index with UV_DEFAULT_INDEX"
    if MISSING.search(said):
        return "check the package's name and version"
    return "change the task's libraries or its environment's dependencies"


def without_credentials(text: str) -> str:
    """Text without user names and passwords in URLs."""
    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def installed() -> dict[str, str]:
    """Name and version of the product's packages. Reads folder names only, as it runs at each start of a task."""
    found: dict[str, str] = {}
    for entry in sys.path:
        if Path(entry).name in {"site-packages", "dist-packages"}:
            found = {**distributions(Path(entry)), **found}
    return dict(sorted(found.items()))


def distributions(folder: Path) -> dict[str, str]:
    """Name and version of the packages in a folder, by the names of their metadata folders."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return {}
    parts = [name.removesuffix(".dist-info").partition("-") for name in names if name.endswith(".dist-info")]
    return {normal(name): version for name, _, version in parts if version}


def normal(name: str) -> str:
    """A package's name in the form that names are compared in (PEP 503), without its extras."""
    return re.sub(r"[-_.]+", "-", name.partition("[")[0].strip()).lower()
