"""What is told of a run follows from what it is now and what was told before."""

from __future__ import annotations

from dataclasses import replace

from medallion.runs.changes import Kind, RunChange
from medallion.runs.report import report
from medallion.runs.shape import Shape
from medallion.runs.snapshot import Instance, Snapshot
from medallion.runs.transitions import Told, changes_of

SHAPE = Shape("job", {"a": (), "b": ("a",)})
Short = tuple[str, str | None, int]


def snapshot(state: str, *instances: Instance, history: tuple[Instance, ...] = (), start: float = 100) -> Snapshot:
    end = 200.0 if state in {"success", "failed"} else None
    return Snapshot("job", "run", state, start, end, instances, history=history)


def tell(now: Snapshot, told: Told | None = None, repair: int = 0) -> tuple[list[RunChange], Told]:
    return changes_of(None, now, report(SHAPE, now, None), told or Told(), repair)


def short(changes: list[RunChange]) -> list[Short]:
    return [(str(item.kind), item.task.task_key if item.task else None, item.attempt) for item in changes]


A = Instance("a", state="success", try_number=1, start=101, end=102)
B_RUNS = Instance("b", state="running", try_number=1, start=103)
B_FAILED = replace(B_RUNS, state="failed", end=104)


def test_what_goes_on_is_told_as_it_happens_and_never_twice() -> None:
    first, told = tell(snapshot("running", A, B_RUNS))
    assert short(first) == [
        ("run_started", None, 0),
        ("attempt_started", "a", 1),
        ("attempt_ended", "a", 1),
        ("task_ended", "a", 1),
        ("attempt_started", "b", 1),
    ]
    assert tell(snapshot("running", A, B_RUNS), told) == ([], told)
    second, told = tell(snapshot("failed", A, B_FAILED), told)
    assert short(second) == [("attempt_ended", "b", 1), ("task_ended", "b", 1), ("run_ended", None, 0)]
    assert tell(snapshot("failed", A, B_FAILED), told)[0] == []


def test_one_look_after_a_crash_tells_all_of_it() -> None:
    all_at_once, told = tell(snapshot("failed", A, B_FAILED))
    assert short(all_at_once)[0] == ("run_started", None, 0)
    assert short(all_at_once)[-1] == ("run_ended", None, 0)
    assert len(all_at_once) == 8
    assert len({item.key for item in all_at_once}) == 8
    assert Told.from_json(told.to_json()) == told


def test_a_run_that_waits_tells_nothing() -> None:
    assert tell(Snapshot("job", "run", "queued"))[0] == []


def test_a_repair_tells_only_what_runs_again() -> None:
    _, told = tell(snapshot("failed", A, B_FAILED))
    again = Instance("b", state="success", try_number=2, start=301, end=302)
    repaired, told = tell(snapshot("success", A, again, history=(B_FAILED,), start=300), told, 1)
    assert short(repaired) == [
        ("run_started", None, 0),
        ("attempt_started", "b", 2),
        ("attempt_ended", "b", 2),
        ("task_ended", "b", 2),
        ("run_ended", None, 0),
    ]
    assert {item.repair for item in repaired} == {1}
    assert all(item.last for item in repaired if item.kind in {Kind.ATTEMPT_ENDED, Kind.TASK_ENDED})


def test_an_attempt_that_is_tried_again_is_not_the_last() -> None:
    waiting = replace(A, state="up_for_retry")
    changes, _ = tell(snapshot("running", waiting, history=(replace(A, state="failed"),)))
    ended = [item for item in changes if item.kind is Kind.ATTEMPT_ENDED]
    assert [(item.attempt, item.last) for item in ended] == [(1, False)]
    assert not any(item.kind is Kind.TASK_ENDED for item in changes)
