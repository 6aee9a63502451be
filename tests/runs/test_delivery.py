"""Consumers get every change, in the order of each run, whatever fails."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from medallion.runs import delivery
from medallion.runs.changes import Kind, RunChange
from medallion.runs.delivery import Delivery
from medallion.runs.job_versions import job_of_look
from medallion.runs.progress import Progress, Seen, run_name
from medallion.runs.report import report
from medallion.runs.shape import Shape
from medallion.runs.snapshot import Instance, Snapshot
from medallion.runs.stored import to_look
from medallion.runs.transitions import Told
from medallion.settings import Settings


class Recorder:
    """Takes changes; fails for the runs that are named."""

    name = "recorder"

    def __init__(self, *broken: str) -> None:
        self.broken = set(broken)
        self.taken: list[tuple[str, str]] = []

    def consume(self, change: RunChange) -> None:
        if change.snapshot.run_id in self.broken:
            raise RuntimeError("not now")
        self.taken.append((change.snapshot.run_id, str(change.kind)))

    def tick(self, now: float) -> None:
        """Nothing."""


class BatchRecorder(Recorder):
    """Takes many at once."""

    name = "batches"
    count = 0

    def consume_all(self, changes: Sequence[RunChange]) -> None:
        if self.broken:
            raise RuntimeError("not now")
        self.count += 1
        self.taken += [(change.snapshot.run_id, str(change.kind)) for change in changes]


@pytest.fixture
def progress(tmp_path: Path) -> Progress:
    return Progress(tmp_path / "progress.db")


def queue(progress: Progress, run: str, *kinds: Kind, consumers: Sequence[str] = ("recorder",)) -> None:
    seen = Snapshot("job", run, "success", 1, 2, (Instance("a", state="success", try_number=1, start=1, end=2),))
    now = to_look(seen, report(Shape("job", {"a": ()}), seen))
    bodies: list[dict[str, Any]] = [
        {"kind": str(kind), "repair": 0, "task": None, "attempt": 0, "last": False} for kind in kinds
    ]
    progress.advance(Seen(run_name("job", run), "mark", True, Told()), now, bodies, consumers)


def deliver(consumer: Recorder, progress: Progress, folder: Path) -> Delivery:
    return Delivery(consumer, progress, job_of_look(Settings.load(folder, environ={})))


def test_changes_come_in_order_and_leave_the_queue(progress: Progress, tmp_path: Path) -> None:
    queue(progress, "one", Kind.RUN_STARTED, Kind.RUN_ENDED)
    recorder = Recorder()
    deliver(recorder, progress, tmp_path).tell()
    assert recorder.taken == [("one", "run_started"), ("one", "run_ended")]
    assert progress.waiting(["recorder"]) == 0
    assert progress.database.execute("SELECT count(*) FROM changes").fetchone() == (0,)
    assert progress.database.execute("SELECT count(*) FROM looks").fetchone() == (0,)


def test_a_failing_run_holds_back_itself_alone_until_it_is_taken(
    progress: Progress, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(progress, "bad", Kind.RUN_STARTED, Kind.RUN_ENDED)
    queue(progress, "good", Kind.RUN_STARTED, Kind.RUN_ENDED)
    recorder = Recorder("bad")
    told = deliver(recorder, progress, tmp_path)
    told.tell()
    assert recorder.taken == [("good", "run_started"), ("good", "run_ended")]
    recorder.broken.clear()
    told.tell()
    assert len(recorder.taken) == 2, "it is not asked again at once"
    monkeypatch.setattr(delivery.time, "monotonic", lambda: 1e9)
    told.tell()
    assert recorder.taken[2:] == [("bad", "run_started"), ("bad", "run_ended")]


def test_what_was_queued_outlives_the_process(progress: Progress, tmp_path: Path) -> None:
    queue(progress, "one", Kind.RUN_STARTED)
    progress.close()
    recorder = Recorder()
    deliver(recorder, Progress(tmp_path / "progress.db"), tmp_path).tell()
    assert recorder.taken == [("one", "run_started")]


def test_one_consumer_does_not_wait_for_another(progress: Progress, tmp_path: Path) -> None:
    queue(progress, "one", Kind.RUN_STARTED, consumers=("recorder", "batches"))
    batches, recorder = BatchRecorder("any"), Recorder()
    deliver(batches, progress, tmp_path).tell()
    deliver(recorder, progress, tmp_path).tell()
    assert recorder.taken == [("one", "run_started")]
    assert (progress.waiting(["recorder"]), progress.waiting(["batches"])) == (0, 1)


def test_a_batch_is_taken_whole(progress: Progress, tmp_path: Path) -> None:
    for number in range(20):
        queue(progress, f"run {number}", Kind.RUN_STARTED, Kind.RUN_ENDED, consumers=("batches",))
    batches = BatchRecorder()
    deliver(batches, progress, tmp_path).tell()
    assert (batches.count, len(batches.taken)) == (1, 40)


def test_a_new_consumer_is_told_from_its_first_start_on(progress: Progress) -> None:
    assert progress.register("late", 50.0) == 50.0
    assert progress.register("late", 90.0) == 50.0
