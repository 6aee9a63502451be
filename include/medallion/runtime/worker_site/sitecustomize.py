"""Databricks' paths in user functions. Runs in the Python workers of Spark, on this machine and on executors.

Python imports a module of this name when it starts. The folder goes first on the workers' PYTHONPATH, so neither Spark nor
the worker's Python needs to know of it; where the folder or this package is not on an executor's machine, nothing happens.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

PATHS = "MEDALLION_PATHS"
"""Variable with the mapped prefixes and their folders, as JSON; `compute.session` sets it for workers."""


def install() -> None:
    """Make Python's file functions understand the mapped prefixes. A folder that is not here is told when it is used."""
    text = os.environ.get(PATHS)
    if not text:
        return
    with contextlib.suppress(ImportError):
        from medallion.compute import path_patches

        table = tuple((str(prefix), str(folder)) for prefix, folder in json.loads(text))
        absent = frozenset(folder for _, folder in table if not Path(folder).is_dir())
        path_patches.install(table, absent=absent)


def run_hidden() -> None:
    """Run the module of this name that this one hides, when the machine has one."""
    here = Path(__file__).parent
    spec = PathFinder.find_spec("sitecustomize", [entry for entry in sys.path if entry and Path(entry) != here])
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(module_from_spec(spec))


run_hidden()
install()
