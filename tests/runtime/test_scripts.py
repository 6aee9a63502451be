"""Python files and wheels run as Databricks runs them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from medallion.runtime.scripts import limited


@pytest.fixture
def script(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Run a text as a Python file."""

    def go(text: str, **options: Any) -> Any:
        path = tmp_path / "job.py"
        path.write_text(text)
        return run(path, kind="python", **options)

    return go


def test_a_script_is_main_with_its_arguments_and_the_given_names(script: Callable[..., Any]) -> None:
    ran = script(
        "import sys, os\nif __name__ == '__main__':\n"
        "    print(sys.argv[1:], os.path.basename(__file__), sys.argv[0] == __file__)\n"
        "    print(dbutils.widgets, display)",
        argv=("--day", "2026-01-01"),
    )
    assert ran.result.success
    assert ran.lines[0] == "['--day', '2026-01-01'] job.py True"


@pytest.mark.parametrize(
    ("text", "success", "kind", "line"),
    [
        pytest.param("import sys\nsys.exit(0)", True, None, None, id="exit 0"),
        pytest.param("import sys\nsys.exit()", True, None, None, id="exit"),
        pytest.param("import sys\nsys.exit(2)", False, "Exit", 2, id="exit 2"),
        pytest.param("import os\nos._exit(0)", True, None, None, id="hard exit 0"),
        pytest.param("import os\nos._exit(4)", False, "Exit", None, id="hard exit 4"),
        pytest.param("x = 1\nx.y", False, "AttributeError", 2, id="error"),
        pytest.param("x = (", False, "SyntaxError", 1, id="syntax error"),
    ],
)
def test_the_end_of_a_script_is_the_end_of_its_task(
    script: Callable[..., Any], text: str, success: bool, kind: str | None, line: int | None
) -> None:
    result = script(text).result
    assert result.success is success
    if not success:
        assert (result.failure.kind, result.failure.line) == (kind, line)


def test_a_script_waits_for_its_threads_and_runs_what_is_due_at_exit(script: Callable[..., Any]) -> None:
    ran = script(
        "import atexit, threading, time\natexit.register(print, 'at exit')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\nprint('main')"
    )
    assert ran.lines == ["main", "thread", "at exit"]


def test_a_script_that_is_a_notebook_is_told(run_cells: Callable[..., Any]) -> None:
    assert "is a notebook, not a Python file" in run_cells("1", kind="python").result.failure.message


def test_a_missing_script_says_what_is_near(
    script: Callable[..., Any], run: Callable[..., Any], tmp_path: Path
) -> None:
    script("1")
    assert "did you mean job.py?" in run(tmp_path / "jbo.py", kind="python").result.failure.message


def test_classes_of_a_script_can_be_pickled(script: Callable[..., Any]) -> None:
    ran = script("import pickle\nclass A: pass\nprint(type(pickle.loads(pickle.dumps(A()))).__name__)")
    assert ran.lines == ["A"]


WHEEL = {
    "pkg/__init__.py": "import sys\ndef direct():\n    print('direct', sys.argv[1:])\n"
    "def bad():\n    raise ValueError('no')\n",
    "pkg/cli.py": "import sys\ndef main():\n    print('by metadata', sys.argv[1:], dbutils is not None)\n    return 0\n"
    "def three():\n    return 3\ndef leaves():\n    sys.exit(3)\n",
    "my_pkg-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: my-pkg\nVersion: 1.0\n",
    "my_pkg-1.0.dist-info/entry_points.txt": "[console_scripts]\nrun-it = pkg.cli:main\nthree = pkg.cli:three\n"
    "leaves = pkg.cli:leaves\n"
    "bad = pkg:bad\n",
}


@pytest.fixture
def wheel(run: Callable[..., Any], tmp_path: Path) -> Callable[..., Any]:
    """Call an entry point of an installed package."""
    for name, text in WHEEL.items():
        (tmp_path / "site" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "site" / name).write_text(text)

    def go(package: str, entry_point: str, **options: Any) -> Any:
        options = {"kind": "wheel", "root": str(tmp_path / "site"), **options}
        return run(Path(package), options={"entry_point": entry_point}, **options)

    return go


@pytest.mark.parametrize(
    ("package", "entry_point", "line"),
    [
        pytest.param("my-pkg", "run-it", "by metadata ['--a=1'] True", id="by the package's metadata"),
        pytest.param("pkg", "direct", "direct ['--a=1']", id="a function of the package"),
        pytest.param("pkg", "pkg.cli:main", "by metadata ['--a=1'] True", id="module and function"),
    ],
)
def test_an_entry_point_is_called(wheel: Callable[..., Any], package: str, entry_point: str, line: str) -> None:
    ran = wheel(package, entry_point, argv=("--a=1",))
    assert ran.result.success, ran.text
    assert ran.lines == [line]


def test_what_an_entry_point_returns_is_dropped(wheel: Callable[..., Any]) -> None:
    assert wheel("my-pkg", "three").result.success


@pytest.mark.parametrize(
    ("package", "entry_point", "kind", "words"),
    [
        pytest.param("my-pkg", "runit", "MedallionError", "did you mean run-it?", id="wrong name"),
        pytest.param("nothing-here", "main", "MedallionError", "is not installed", id="not installed"),
        pytest.param("my-pkg", "leaves", "Exit", "sys.exit(3)", id="a status"),
        pytest.param("my-pkg", "bad", "ValueError", "no", id="an error"),
    ],
)
def test_a_wheel_that_fails_says_why(
    wheel: Callable[..., Any], package: str, entry_point: str, kind: str, words: str
) -> None:
    failure = wheel(package, entry_point).result.failure
    assert failure.kind == kind
    assert words in failure.message
    assert str(Path(sys.modules["medallion"].__file__ or "").parent) not in failure.trace


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param(Decimal("12345678901234567890"), 12345678901234567890, id="a whole decimal"),
        pytest.param(Decimal("12.50"), 12.5, id="a decimal that a float holds"),
        pytest.param(Decimal("12345678901234567890.12"), "12345678901234567890.12", id="one that it does not"),
        pytest.param(float("nan"), "NaN", id="not a number"),
        pytest.param([float("-inf")], ["-Infinity"], id="infinity inside a list"),
        pytest.param(-0.0, -0.0, id="the sign of nothing"),
    ],
)
def test_values_of_sql_rows_are_json_without_loss(value: object, kept: object) -> None:
    (row,) = limited(["a"], [{"a": value}])["rows"]
    assert repr(row["a"]) == repr(kept)
