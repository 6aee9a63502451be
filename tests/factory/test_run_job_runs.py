"""Run-job tasks as real runs: parameters down, result up, links both ways, nesting, circles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from factory.lab import PARALLELISM, Lab, Ran, ask, parents, stub
from factory.test_cancel_runs import sleepers

from medallion.factory.calls import circles
from medallion.runs import ids
from medallion.runs.notes import read_notes
from medallion.spec.loading import load

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]


def call(key: str, job: str | int, *, after: tuple[str, ...] = (), **parameters: str) -> dict[str, Any]:
    number = job if isinstance(job, int) else ids.job_id(job)
    body: dict[str, Any] = {"job_id": number}
    if parameters:
        body["job_parameters"] = parameters
    return {"task_key": key, "run_job_task": body, **parents(after)}


def by_type(key: str, job: str, **parameters: Any) -> dict[str, Any]:
    """A run-job task with the older parameters, by task type."""
    return {"task_key": key, "run_job_task": {"job_id": ids.job_id(job), **parameters}}


def job(name: str, *tasks: dict[str, Any], **parameters: str) -> dict[str, Any]:
    return {
        "name": name,
        "tasks": list(tasks),
        "parameters": [{"name": key, "default": value} for key, value in parameters.items()],
    }


@pytest.fixture(scope="module")
def family(lab: Lab) -> Ran:
    words = [f"{{{{job.parameters.{name}}}}}" for name in "abc"]
    lab.write(job("child", stub("say", "print", *words, "{{job.trigger.type}}"), a="child", b="child", c="child"))
    lab.write(job("lost", ask("bad", "apple", "LESS_THAN", "1")))
    lab.write(job("mended", ask("bad", "apple", "LESS_THAN", "1"), ask("after", after=("bad",), run_if="ALL_DONE")))
    for level in range(1, 4):
        lab.write(job(f"level{level}", call("down", f"level{level + 1}")))
    lab.write(job("level4", ask("bottom")))
    script = stub("script", "print", "own")
    lab.write(job("by_type", script, call("below", "typed_child")))
    lab.write(job("typed_child", stub("script", "print", "own")))
    loop = {"inputs": '["x", "y"]', "task": call("each", "child", b="{{input}}"), "concurrency": 2}
    return lab.run(
        job(
            "parent",
            call("pass", "child", b="task", c="task of {{job.id}}"),
            call("fails", "lost"),
            call("with_failures", "mended"),
            call("unknown", 12345),
            by_type("typed", "by_type", python_params=["print", "given", "{{job.name}}"]),
            call("too_deep", "level1"),
            call("deep", "level2"),
            {"task_key": "loop", "for_each_task": loop},
            a="parent",
            c="parent",
        ),
        whole=True,
    )


def test_the_child_s_result_decides(family: Ran) -> None:
    assert family.states == {
        "pass": "SUCCESS",
        "fails": "FAILED",
        "with_failures": "SUCCESS",
        "unknown": "FAILED",
        "typed": "SUCCESS",
        "too_deep": "FAILED",
        "deep": "SUCCESS",
        "loop": "SUCCESS",
    }


def child_logs(family: Ran, child: str = "child") -> list[str]:
    folder = family.home / "logs" / "tasks" / f"dag_id={child}"
    return [file.read_text() for file in sorted(folder.rglob("attempt=1.log"))]


def test_the_job_s_parameters_reach_the_child_and_win_over_the_task_s(family: Ran) -> None:
    said = "".join(child_logs(family))
    assert "said|parent|task|parent|run_job_task" in said
    assert "said|parent|x|parent|run_job_task" in said
    assert "said|parent|y|parent|run_job_task" in said


def test_parameters_by_task_type_reach_the_child_s_tasks(family: Ran) -> None:
    assert "said|given|parent" in "".join(child_logs(family, "by_type"))
    assert "said|own" in "".join(child_logs(family, "typed_child"))


def test_parent_and_child_name_each_other(family: Ran) -> None:
    record = json.loads((family.folder("pass") / "1" / "child.json").read_text())
    assert record["dag_id"] == "child"
    assert record["job_id"] == ids.job_id("child")
    assert record["run_id"] == ids.run_id("child", record["airflow_run_id"])
    contexts = [json.loads(file.read_text()) for file in (family.home / "runs" / "child").rglob("context.json")]
    assert record["run_id"] in {context["ids"]["run_id"] for context in contexts}
    parent = json.loads((family.home / "runs" / "child" / record["airflow_run_id"] / "parent.json").read_text())
    assert parent == {
        "dag_id": "parent",
        "airflow_run_id": family.snapshot.run_id,
        "run_id": family.report.run_id,
        "task_key": "pass",
        "task_run_id": ids.task_run_id("parent", family.snapshot.run_id, "pass", -1, 1),
    }


def test_a_time_out_cancels_the_child(lab: Lab) -> None:
    lab.write(
        job(
            "endless",
            stub("sleeps", "sleep", "{{job.parameters.seconds}}"),
            ask("then", after=("sleeps",)),
            seconds="300",
        )
    )
    inner = call("each", "endless")
    tasks = [
        {**call("late", "endless"), "timeout_seconds": 4, "max_retries": 2},
        {**call("in_time", "endless", seconds="0"), "timeout_seconds": 600},
        {"task_key": "loop", "for_each_task": {"inputs": "[1, 2]", "task": {**inner, "timeout_seconds": 4}}},
        {
            "task_key": "whole",
            "for_each_task": {"inputs": "[1, 2]", "task": inner},
            "timeout_seconds": 6,
        },  # the same key
        ask("after", after=("late",), run_if="ALL_FAILED"),
    ]
    ran = lab.run(job("impatient", *tasks), whole=True)
    assert ran.states == {
        "late": "TIMEDOUT",
        "in_time": "SUCCESS",
        "loop": "FAILED",
        "whole": "TIMEDOUT",
        "after": "SUCCESS",
    }
    assert ran.attempts("late") == 1
    loops = {task.task_key: [str(item.state.result) for item in task.iterations or ()] for task in ran.report.tasks}
    assert loops["loop"] == loops["whole"] == ["TIMEDOUT", "TIMEDOUT"]
    assert {entry.name for entry in ran.folder("late").parent.iterdir()} >= {"late", "loop.each", "whole.each"}
    kept = json.loads((ran.folder("in_time") / "1" / "child.json").read_text())["airflow_run_id"]
    # A start that the time-out interrupts leaves a folder of a run that Airflow never made.
    left_by_start = {"parent.json"}
    folders = {
        folder.name: {entry.name for entry in folder.iterdir() if not entry.match("cancel-*")}
        for folder in (ran.home / "runs" / "endless").iterdir()
    }
    runs = {name for name, entries in folders.items() if entries - left_by_start}
    canceled = {run for run in runs if read_notes(ran.home, "endless", run).get("canceled")}
    assert runs - canceled == {kept}
    assert sleepers(lab) == []


def test_children_that_hold_every_slot_do_not_outlive_their_time(lab: Lab) -> None:
    lab.write(job("holder", *[stub(f"sleeps{n}", "sleep", "300") for n in range(PARALLELISM)]))
    tasks = [{**call("late", "holder"), "timeout_seconds": 15}]
    ran = lab.run(job("hurried", *tasks), whole=True)
    assert ran.states == {"late": "TIMEDOUT"}
    (child,) = (ran.home / "runs" / "holder").iterdir()
    assert read_notes(ran.home, "holder", child.name)["canceled"]
    assert ran.seconds < 250
    assert sleepers(lab) == []


def test_an_unknown_job_fails_the_task_with_a_message(family: Ran) -> None:
    assert "no job 12345 is known here" in family.log("unknown")


def test_a_circle_is_refused_by_the_check_with_its_jobs(tmp_path: Path) -> None:
    for name, other in (("a", "b"), ("b", "c"), ("c", "a"), ("alone", "a")):
        (tmp_path / f"{name}.json").write_text(json.dumps(job(name, call("go", other))))
    loop = {"task_key": "l", "for_each_task": {"inputs": "[1]", "task": call("go", "self")}}
    (tmp_path / "self.json").write_text(json.dumps(job("self", loop)))
    definitions = [item for path in sorted(tmp_path.glob("*.json")) for item in load(path).require()]
    found = circles({str(item.job.name): item for item in definitions})
    assert sorted(problem.message.split(": ")[1] for problem in found) == ["a → b → c → a", "self → self"]
    assert all(problem.severity == "error" and problem.file for problem in found)
