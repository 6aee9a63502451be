"""Fixtures for the examples: sample data, a home of their own, and a job run as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

RUN_SECONDS = 600
ORDERS = "2000"

Rows = set[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Bench:
    """A project's home in a temporary folder."""

    project: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a user would set to keep this home apart."""
        return {
            **os.environ,
            "MEDALLION_PROJECT": str(self.project),
            "MEDALLION_HOME": str(self.home),
            "MEDALLION_DRIVER_IDLE_SECONDS": "120",
            "MEDALLION_SPARE_IDLE_SECONDS": "120",
        }

    def medallion(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The `medallion` command."""
        command = [str(Path(sys.executable).with_name("medallion")), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=RUN_SECONDS)

    def run(self, job: str, **parameters: str) -> dict[str, Any]:
        """Run a job to its end; the JSON object that the command printed."""
        given = [word for name, value in parameters.items() for word in ("-p", f"{name}={value}")]
        done = self.medallion("run", job, "--json", *given)
        assert done.stdout.strip(), done.stderr
        return json.loads(done.stdout)

    def datasets(self, catalog: str) -> Path:
        """The folder of a catalog's sample files."""
        return self.home / "volumes" / catalog / "default" / "datasets"

    def generate(self, example: str, catalog: str, orders: str = ORDERS) -> Path:
        """Make an example's sample files where its job looks for them."""
        out = self.datasets(catalog)
        script = self.project / "jobs" / example / "generate.py"
        subprocess.run(
            [sys.executable, str(script), "--orders", orders, "--seed", "7", "--out", str(out)],
            check=True,
            capture_output=True,
            timeout=RUN_SECONDS,
        )
        return out

    def rows(self, table: str, *columns: str) -> Rows:
        """Rows of a Delta table, read without Spark."""
        return set(self.counted(table, *columns))

    def counted(self, table: str, *columns: str) -> dict[tuple[Any, ...], int]:
        """Rows of a Delta table with how often each occurs; all columns by default."""
        import duckdb
        from deltalake import DeltaTable

        delta = DeltaTable(str(self.home / "lake" / Path(*table.split("."))))
        arrow = delta.to_pyarrow_dataset()
        names = columns or arrow.schema.names
        with duckdb.connect() as db:
            db.execute("SET TimeZone = 'UTC'")
            db.register("delta", arrow)
            chosen = ", ".join(f'"{name}"' for name in names)
            found = db.execute(f"SELECT {chosen}, count(*) FROM delta GROUP BY ALL").fetchall()
        return {row[:-1]: row[-1] for row in found}

    def reasons(self, table: str) -> dict[str, int]:
        """Rows of a quarantine table, by reason."""
        return {reason: count for (reason,), count in self.counted(table, "reason").items()}


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Iterator[Bench]:
    """One home for all examples, so that they share a driver."""
    bench = Bench(project, tmp_path_factory.mktemp("home"))
    yield bench
    bench.medallion("down")


@pytest.fixture(scope="session")
def generate(project: Path) -> Callable[..., Any]:
    """RetailHub's generator: `generate(folder, orders=…, seed=…)`."""
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location("retailhub_samples_under_test", project / "jobs" / "retailhub" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.generate
