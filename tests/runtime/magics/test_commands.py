"""`%sh`, `%fs` and `%pip`."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_shell_script_runs_and_only_fails_when_told(run_cells: Callable[..., Any], as_magic: Any) -> None:
    ran = run_cells(as_magic("%sh\nfalse\necho still here >&2"), as_magic("%sh -e\nfalse\necho not here"))
    assert ran.lines[0] == "still here"
    assert "not here" not in ran.lines
    assert (ran.result.failure.kind, ran.result.failure.cell) == ("ShellError", 2)


def test_fs_is_dbutils_fs_by_words(run_cells: Callable[..., Any], as_magic: Any, tmp_path: Path) -> None:
    ran = run_cells(
        as_magic("%fs put dbfs:/a/b.txt 'some text'"),
        as_magic("%fs ls dbfs:/a"),
        as_magic("%fs rm -r dbfs:/a"),
        "files = %fs ls dbfs:/\nprint(len(files))",
        as_magic("%fs list /"),
    )
    assert any("b.txt" in line and "| 9 " in line for line in ran.lines)
    assert "0" in ran.lines
    assert "did you mean ls?" in ran.result.failure.message


def make_wheel(folder: Path, name: str, version: str, text: str) -> Path:
    """A wheel of one module, without building."""
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", text)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/entry_points.txt", f"[console_scripts]\nmain-command = {name}:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def test_pip_installs_for_this_task_alone_and_python_restarts(run_cells: Callable[..., Any], tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "mdl_only_here", "1.0", "VALUE = 'installed'")
    ran = run_cells(
        "x = 1",
        f"%pip install --no-index {wheel}",
        "import mdl_only_here\nprint(mdl_only_here.VALUE, 'x' in globals(), mdl_only_here.__file__)",
    )
    assert ran.result.success, ran.text
    value, had_x, file = ran.lines[-1].split()
    assert (value, had_x) == ("installed", "False")
    assert Path(file).is_relative_to(ran.output)
    assert run_cells("import mdl_only_here").result.failure.kind == "ModuleNotFoundError"


def test_pip_that_fails_fails_the_cell(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("%pip install --no-index mdl-no-such-package")
    assert ran.result.failure.kind == "PipError"
    assert "mdl-no-such-package" in ran.text
