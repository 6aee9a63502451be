"""What the scheduler imports ahead of its workers."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

from medallion.components.preload import MODULES, on_starting

HEAVY = ("pyspark", "pandas", "databricks", "IPython", "delta", "duckdb")


@pytest.mark.parametrize("name", MODULES)
def test_every_module_exists(name: str) -> None:
    assert find_spec(name) is not None


def test_other_components_import_nothing_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["airflow", "triggerer"])
    monkeypatch.delitem(sys.modules, "medallion.compute.pool", raising=False)
    on_starting(object())
    assert "medallion.compute.pool" not in sys.modules


@pytest.mark.airflow
def test_the_scheduler_imports_what_tasks_need_and_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['airflow', 'scheduler']\n"
        "from medallion.components.preload import MODULES, on_starting\n"
        "on_starting(object())\n"
        f"print([name for name in MODULES if name not in sys.modules], [n for n in {HEAVY!r} if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines()[-1] == "[] []"
