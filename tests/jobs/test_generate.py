"""The sample data: the same bytes for the same seed, and bad rows in the numbers that it claims."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from jobs.expected import work_out

Generate = Callable[..., Any]


def digest(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(generate: Generate, tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("again", 7), ("other", 8)):
        generate(tmp_path / name, orders=500, seed=seed)
    assert digest(tmp_path / "one") == digest(tmp_path / "again")
    assert digest(tmp_path / "one") != digest(tmp_path / "other")


@pytest.mark.parametrize("orders", [pytest.param(10, id="smallest"), pytest.param(3_000, id="usual")])
def test_the_files_hold_what_was_planted(generate: Generate, tmp_path: Path, orders: int) -> None:
    planted = generate(tmp_path, orders=orders, seed=7)
    found = work_out(tmp_path)
    assert json.loads((tmp_path / "planted.json").read_text()) == asdict(planted)
    assert found.customer_rows == planted.customers.rows
    assert found.order_rows == planted.orders.rows
    assert len(found.customers) == planted.customers.good
    assert len(found.orders) == planted.orders.good + planted.orders.unknown_customer
    assert found.refused_customers == planted.customers.refused
    assert found.refused_orders == planted.orders.refused
    assert found.unknown_customer == planted.orders.unknown_customer
    for kind in (planted.customers, planted.orders):
        extra = kind.stale + kind.repeated + sum(kind.refused.values()) + getattr(kind, "unknown_customer", 0)
        assert kind.rows == kind.good + extra


def test_a_smaller_call_leaves_no_files_of_a_larger_one(generate: Generate, tmp_path: Path) -> None:
    generate(tmp_path, orders=300_000, seed=7)
    generate(tmp_path, orders=100, seed=7)
    planted = json.loads((tmp_path / "planted.json").read_text())
    lines = sum(len(file.read_text().splitlines()) for file in (tmp_path / "orders").iterdir())
    assert lines == planted["orders"]["rows"]


@pytest.mark.parametrize(
    ("example", "catalog"),
    [("retailhub", "retailhub"), ("retailhub_bundle", "retailhub_trainer"), ("lab08", "lab08")],
)
def test_each_example_writes_below_its_own_volume(project: Path, tmp_path: Path, example: str, catalog: str) -> None:
    done = subprocess.run(
        [sys.executable, str(project / "jobs" / example / "generate.py"), "--orders", "20"],
        env={"MEDALLION_PROJECT": str(project), "MEDALLION_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    out = tmp_path / "volumes" / catalog / "default" / "datasets"
    assert json.loads(done.stdout)["out"] == str(out)
    assert sorted(path.name for path in out.iterdir()) == ["customers", "orders", "planted.json"]


def test_too_few_orders_are_refused_in_plain_words(project: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(project / "jobs/retailhub/generate.py"), "--orders", "9", "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "--orders must be 10 or more" in done.stderr
    assert not (tmp_path / "out").exists()
