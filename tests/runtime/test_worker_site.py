"""What Python workers import when they start; each in a Python of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from medallion.compute.session import PATHS, WORKER_SITE

INCLUDE = Path(WORKER_SITE).parents[2]


def run(code: str, table: object, *folders: Path, package: bool = True) -> subprocess.CompletedProcess[str]:
    """A worker's Python: without site-packages, as on a machine of the cluster."""
    path = [WORKER_SITE, *map(str, folders), *([str(INCLUDE)] if package else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), PATHS: json.dumps(table)}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def test_a_worker_opens_what_the_notebook_can(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("hello")
    done = run("print(open('/Volumes/a/x.txt').read())", [["/Volumes", str(tmp_path)]])
    assert done.stdout == "hello\n", done.stderr


def test_a_folder_that_the_workers_machine_lacks_is_named(tmp_path: Path) -> None:
    done = run("open('/Volumes/a/x.txt')", [["/Volumes", str(tmp_path / "gone")]])
    assert f"does not have the folder {tmp_path / 'gone'}" in done.stderr
    assert "share it with the workers of the cluster" in done.stderr
    assert "'/Volumes/a/x.txt'" in done.stderr


def test_a_module_of_the_same_name_runs_as_well(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('the machine own')")
    assert run("print('done')", [], tmp_path).stdout == "the machine own\ndone\n"


@pytest.mark.parametrize(
    "table", [pytest.param([], id="nothing mapped"), pytest.param([["/Volumes", "/x"]], id="mapped")]
)
def test_a_machine_without_this_package_starts_its_workers(table: object, tmp_path: Path) -> None:
    # `-S`: no site-packages, so not even an installed package can be imported
    command = [
        sys.executable,
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {WORKER_SITE!r}); import sitecustomize; print('up')",
    ]
    done = subprocess.run(
        command, env={PATHS: json.dumps(table)}, capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    assert done.stdout == "up\n", done.stderr


SENDS = """
import pickle, sys
from pathlib import Path
import IPython.core.interactiveshell
from medallion.compute import path_patches
path_patches.install((("/Volumes", sys.argv[1]),))
from medallion.runtime.shell import make_ipython
from pyspark import cloudpickle
shell = make_ipython(Path(sys.argv[1]))
shell.run_cell('''
import os
from os import listdir
def read(_):
    with open("/Volumes/a/x.txt") as stream:
        return stream.read(), listdir("/Volumes/a"), os.path.exists("/Volumes/a/x.txt")
''').raise_error()
sys.stdout.write(cloudpickle.dumps(shell.user_ns["read"]).hex())
"""


def test_a_notebooks_function_that_opens_files_goes_to_a_worker(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text("hello")
    sent = subprocess.run(
        [sys.executable, "-c", SENDS, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert sent.returncode == 0, sent.stderr
    code = f"import pickle; print(pickle.loads(bytes.fromhex({sent.stdout!r}))(0))"
    done = run(code, [["/Volumes", str(tmp_path)]])
    assert done.stdout == "('hello', ['x.txt'], True)\n", done.stderr
