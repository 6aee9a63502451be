"""A disk that fills while tasks write: a clear error, the old version stays, and on free space the repair goes through."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable
from disk import MEGABYTE, Disk, small_disk
from factory.lab import Lab, Ran
from factory.test_notebook_runs import notebook

pytestmark = [pytest.mark.airflow, pytest.mark.spark]

LEFT = 300_000
ROWS = 1000
MANY = 60_000
"""Rows of random text, 36 characters each: more than is left, less than fits a free disk."""

NEW = f"SELECT id, uuid() AS word FROM range(0, {MANY}, 1, 2)"
WRITES = {
    "overwrite": f"INSERT OVERWRITE main.full.overwrite {NEW}",
    "append": f"INSERT INTO main.full.append {NEW}",
    "merge": f"MERGE INTO main.full.merge t USING ({NEW}) s ON t.id = s.id "
    "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
    "replace": f"CREATE OR REPLACE TABLE main.full.replace AS {NEW}",
}
AFTER = {"overwrite": MANY, "append": MANY + ROWS, "merge": MANY, "replace": MANY}


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Disk]:
    with small_disk(tmp_path_factory.mktemp("full") / "disk", 24 * MEGABYTE) as found:
        yield found


@pytest.fixture(scope="module")
def full_lab(disk: Disk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A project whose tables and volumes are on that disk."""
    places = f'lake = "{disk.folder}/lake"\nvolumes = "{disk.folder}/volumes"\n'
    lab = Lab(tmp_path_factory.mktemp("lab") / "project", places)
    yield lab
    lab.close()


def writers(lab: Lab) -> list[int]:
    """The JVMs of the drivers, and the process that tasks are forked from."""
    files = [*(lab.settings.home / "drivers").glob("*/*/connection.json")]
    return [int(json.loads(file.read_text())["pid"]) for file in files]


def rows(lab: Lab, name: str) -> tuple[int, int]:
    """Version and number of rows of a table."""
    table = DeltaTable(str(lab.settings.lake / "main" / "full" / name))
    return table.version(), table.to_pyarrow_dataset().count_rows()


def said(ran: Ran, key: str) -> list[str]:
    """The lines of a task's log but for Airflow's own."""
    return [line for line in ran.log(key).splitlines() if not line.startswith(("::", "Task exited"))]


@pytest.fixture(scope="module")
def job(full_lab: Lab) -> dict[str, Any]:
    tasks = [notebook(full_lab, key, f"spark.sql({text!r})") for key, text in WRITES.items()]
    file = "with open('/Volumes/main/full/v/big.bin', 'wb') as stream:\n    stream.write(bytes(8_000_000))"
    limit = "" if full_lab.places and disk_is_mounted(full_lab) else limited(LEFT)
    tasks.append(notebook(full_lab, "file", limit + file))
    first = [
        f"spark.sql('CREATE TABLE main.full.{name} AS SELECT id, uuid() AS word FROM range({ROWS})')" for name in WRITES
    ]
    make = "spark.sql('CREATE SCHEMA main.full')\nimport os\nos.makedirs('/Volumes/main/full/v')\n" + "\n".join(first)
    assert full_lab.run({"name": "make", "tasks": [notebook(full_lab, "make", make)]}).result == "SUCCESS"
    return {"name": "full", "tasks": tasks}


def disk_is_mounted(lab: Lab) -> bool:
    """Whether the lake is on a file system of its own."""
    return Path(lab.settings.lake).parent.is_mount()


def limited(size: int) -> str:
    """Lines of a notebook that keep its own process from writing larger files."""
    return f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({size}, resource.RLIM_INFINITY))\n"


@pytest.fixture(scope="module")
def ran(full_lab: Lab, disk: Disk, job: dict[str, Any]) -> Ran:
    """The run on the full disk."""
    with disk.full(left=LEFT, writers=lambda: writers(full_lab)):
        return full_lab.run(job)


def test_each_write_fails_in_words_that_name_disk_table_and_remedy(ran: Ran, disk: Disk) -> None:
    assert set(ran.states.values()) == {"FAILED"}
    reason = "the disk is full" if disk.mounted else "the limit of a file's size is reached"
    for key in WRITES:
        lines = said(ran, key)
        assert lines[-1].startswith(f"DiskFullError: {reason}"), lines
        assert f"table main.full.{key} in the lake {disk.folder}/lake has " in lines[-1], lines
        assert " free; the table stays as it was; " in lines[-1]
        assert "set `lake` in medallion.toml" in lines[-1]
        assert len(lines) < 15, lines
        assert not [line for line in lines if "\tat " in line or "Caused by" in line]
        assert any("spark.sql" in line for line in lines)
    text = said(ran, "file")[-1]
    assert text.startswith(f"DiskFullError: {reason}")
    # The system's error names no file: what is told is the disk with the least room.
    assert f"/Volumes {disk.folder}/volumes has " in text or not disk.mounted


def test_the_old_versions_stay_and_can_be_read(ran: Ran, full_lab: Lab) -> None:
    assert {name: rows(full_lab, name) for name in WRITES} == dict.fromkeys(WRITES, (0, ROWS))


def test_the_repair_on_a_free_disk_goes_through(ran: Ran, full_lab: Lab, job: dict[str, Any]) -> None:
    (full_lab.settings.volumes / "main" / "full" / "v" / "big.bin").unlink(missing_ok=True)
    tasks = [task for task in job["tasks"] if task["task_key"] != "file"]
    mended = full_lab.repair(ran, {**job, "tasks": tasks})
    # A task that the job has no more stays in the record of the run as it ended.
    assert mended.states == {**dict.fromkeys(WRITES, "SUCCESS"), "file": "FAILED"}
    assert {name: rows(full_lab, name)[1] for name in WRITES} == AFTER


def test_a_home_without_room_fails_the_task_in_words(full_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> None:
    task = notebook(full_lab, "records", limited(200) + "print('ran', 'x' * 1000)")
    runs = full_lab.settings.home / "runs"
    with small_disk(runs / "records", 400_000) as disk:
        if disk.mounted:
            # No room from the start: the user's code does not run.
            with disk.full(left=0, writers=list):
                early = full_lab.run({"name": "records", "tasks": [task]})
            assert early.states == {"records": "FAILED"}
            assert "ran xxx" not in early.log("records")
            assert said(early, "records")[-1].startswith("DiskFullError: the disk is full: the home folder")
        late = full_lab.run({"name": "records", "tasks": [task]})
        assert late.states == {"records": "FAILED"}
        assert "ran xxx" in late.log("records")
        assert said(late, "records")[-1].startswith("DiskFullError: the limit of a file's size is reached")
        assert "the home folder" in said(late, "records")[-1]
