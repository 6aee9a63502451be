"""What a repair runs again, from the job's shape and the run's record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medallion.errors import RunError
from medallion.runs import repairs
from medallion.runs.notes import note, read_notes
from medallion.runs.repair import Plan, Wanted, plan
from medallion.runs.report import report
from medallion.runs.shape import Shape
from medallion.runs.snapshot import Instance, Snapshot

RUN = ("j", "manual__1")
# a ─┬─ b ── d
#    └─ c (ALL_DONE, say)
PARENTS = {"a": (), "b": ("a",), "c": ("a",), "d": ("b",)}


def run_of(**states: str) -> Snapshot:
    instances = [
        Instance(key, state=state, try_number=int(state in {"success", "failed"}), start=1, end=2)
        for key, state in states.items()
    ]
    return Snapshot(*RUN, "failed", 100.0, 110.0, tuple(instances))


def planned(snapshot: Snapshot, shape: Shape | None = None, **wanted: Any) -> Plan:
    shape = shape or Shape("j", PARENTS)
    return plan(shape, snapshot, report(shape, snapshot), Wanted(**wanted))


FAILED_AT_B = run_of(a="success", b="failed", c="success", d="upstream_failed")
FAILED_AT_A = run_of(a="failed", b="upstream_failed", c="success", d="upstream_failed")
GOOD = run_of(a="success", b="success", c="success", d="success")


@pytest.mark.parametrize(
    ("before", "wanted", "again"),
    [
        pytest.param(FAILED_AT_B, {}, "bd", id="the failed task and what depends on it"),
        pytest.param(FAILED_AT_A, {}, "abcd", id="what depends on it and succeeded runs again too"),
        pytest.param(FAILED_AT_A, {"tasks": ("a",)}, "abd", id="a named task and what has not succeeded behind it"),
        pytest.param(GOOD, {"tasks": ("b",)}, "b", id="a named task that succeeded, alone"),
        pytest.param(GOOD, {"tasks": ("b",), "dependents": True}, "bd", id="with its dependents when asked"),
    ],
)
def test_what_runs_again(before: Snapshot, wanted: dict[str, Any], again: str) -> None:
    assert planned(before, **wanted).tasks == set(again)


def test_a_task_that_is_new_in_the_job_runs() -> None:
    shape = Shape("j", {**PARENTS, "new": ("c",)})
    told = report(Shape("j", PARENTS), FAILED_AT_B)
    assert plan(shape, FAILED_AT_B, told, Wanted()).tasks == {"b", "d", "new"}


def test_nothing_to_repair_and_an_unknown_task_are_refused() -> None:
    with pytest.raises(RunError, match="every task of the run manual__1 succeeded"):
        planned(GOOD)
    with pytest.raises(RunError, match="no task 'bb'"):
        planned(GOOD, tasks=("bb",))


LOOP = Shape("j", {"a": (), "each": ("a",)}, loops={"each": "one"})


def looped(a: str, *iterations: str) -> Snapshot:
    parts = [
        Instance("a", state=a, try_number=1, start=1, end=2),
        Instance("each.inputs", state="success", try_number=1, start=2, end=3),
        *(Instance("each.iteration", n, state, 1, 3, 4) for n, state in enumerate(iterations)),
        Instance("each", state="upstream_failed"),
    ]
    return Snapshot(*RUN, "failed", 100.0, 110.0, tuple(parts))


def test_a_loop_runs_its_failed_iterations_alone() -> None:
    assert planned(looped("success", "success", "failed", "failed"), LOOP) == Plan(
        frozenset({"each"}), {"each": (1, 2)}
    )


def test_a_loop_runs_as_a_whole_behind_a_task_that_runs_again() -> None:
    found = planned(looped("failed", "success", "failed"), LOOP)
    assert found == Plan(frozenset({"a", "each"}), {})


def test_a_cancel_belongs_to_the_part_of_the_run_that_it_ended(tmp_path: Path) -> None:
    note(tmp_path, *RUN, canceled={"who": "a", "when": "now"}, trigger="by hand")
    before = report(Shape("j", PARENTS), FAILED_AT_B, tmp_path)
    common = {"who": "b", "given": {"x": "1"}}
    first = repairs.begin(tmp_path, before, "j", tasks=["d", "b"], clear_number=1, **common)
    notes = read_notes(tmp_path, *RUN)
    assert "canceled" not in notes
    assert notes["trigger"] == "by hand"
    assert notes["original"]["canceled"]["who"] == "a"
    assert (notes["original"]["result_state"], notes["original"]["parameters"]) == ("FAILED", {"x": "1"})
    second = repairs.begin(tmp_path, before, "j", tasks=["d"], clear_number=2, **common)
    assert first.id != second.id
    told = read_notes(tmp_path, *RUN)["repairs"]
    assert [(item["id"], item["tasks"], item["result_state"]) for item in told] == [
        (first.id, ["b", "d"], "FAILED"),
        (second.id, ["d"], None),
    ]
    assert repairs.count(tmp_path, *RUN) == 2
    assert repairs.first_parameters(tmp_path, *RUN) == {"x": "1"}
