"""`%pip`: packages for this task alone. Runs in the task process.

They go to a folder of the task, first on `sys.path`; the project's own environment stays as it is. Packages that the
runtime has loaded already (pandas, pyspark and their like) keep their versions. As on Databricks, Python restarts after
an installation: the notebook's variables are gone.
"""

from __future__ import annotations

import importlib
import os
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from medallion.runtime.task import Task

FOLDER = "packages"
LOADED = ("numpy", "pandas", "pyarrow", "pyspark", "py4j", "delta-spark", "ipython", "nbformat", "protobuf")


class PipError(MedallionError):
    """uv could not do what `%pip` asked."""


def run_line(task: Task, line: str) -> None:
    """Run `%pip install …`, `%pip list` and so on.

    :raises PipError: the command failed; its output stands above.
    """
    words = shlex.split(os.path.expandvars(line), comments=True)
    if not words:
        raise PipError("%pip needs a command", hint="such as %pip install package==1.2.3")
    if words[0] == "install":
        install(task, words[1:])
    elif words[0] == "uninstall":
        raise PipError("%pip uninstall does nothing here", hint="leave the package out of %pip install")
    else:
        call(task, ["pip", words[0], *words[1:], "--python", sys.executable])


def install(task: Task, words: list[str]) -> None:
    """Install into the task's folder and make the packages importable."""
    folder = Path(task.context.output) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    constraints = folder.with_suffix(".constraints")
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in loaded_versions()), encoding="utf-8")
    options = [word for word in words if word not in {"-q", "--quiet", "-U", "--upgrade", "--user"}]
    upgrade = ["--upgrade"] if {"-U", "--upgrade"} & set(words) else []
    quiet = ["--quiet"] if {"-q", "--quiet"} & set(words) else []
    command = ["pip", "install", "--target", str(folder), "--python", sys.executable, "--constraint", str(constraints)]
    call(task, [*command, *upgrade, *quiet, *options])
    forget_modules(folder)
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    print("Note: Python restarts after %pip: the notebook's variables are cleared.")  # noqa: T201  as Databricks does
    if task.on_restart is not None:
        task.on_restart()


def loaded_versions() -> list[tuple[str, str]]:
    """Name and version of the packages that are loaded already."""
    found = []
    for name in LOADED:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return found


def call(task: Task, arguments: list[str]) -> None:
    """Run uv; its output goes out as it comes."""
    from uv import find_uv_bin

    task.output.drain()
    environment = {**os.environ, "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    done = subprocess.run([find_uv_bin(), *arguments], check=False, stdin=subprocess.DEVNULL, env=environment)
    task.output.drain()
    if done.returncode:
        shown = " ".join(word for word in arguments[:2])
        raise PipError(f"%{shown} failed with status {done.returncode}", hint="uv's message stands above")


def forget_modules(folder: Path) -> None:
    """Let the next import find what is in the folder, but for packages that must stay as they are."""
    kept = {name.replace("-", "_").lower() for name in LOADED} | {"IPython", "google", "medallion", "delta"}
    names = {path.name.removesuffix(".py") for path in folder.iterdir() if path.suffix in {"", ".py"}}
    for name in list(sys.modules):
        top = name.partition(".")[0]
        if top in names and top not in kept and top.lower() not in kept:
            del sys.modules[name]
