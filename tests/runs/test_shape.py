"""A job's shape from its definition, from Airflow's DAG of it, and from task instances alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from medallion.runs.shape import owner, shape_of_dag, shape_of_instances, shape_of_job
from medallion.runs.snapshot import Instance
from medallion.spec.loading import load

CONDITION = {"op": "EQUAL_TO", "left": "1", "right": "1"}
NOTEBOOK = {"notebook_task": {"notebook_path": "n"}}


def task(key: str, *after: str, **more: Any) -> dict[str, Any]:
    edges = [dict(zip(("task_key", "outcome"), edge.split(":"), strict=False)) for edge in after]
    kind = {} if any(name.endswith("_task") for name in more) else {"condition_task": CONDITION}
    return {"task_key": key, "depends_on": edges, **kind, **more}


JOB = {
    "name": "every part",
    "timeout_seconds": 900,
    "job_clusters": [{"job_cluster_key": "c", "new_cluster": {"spark_version": "x", "num_workers": 1}}],
    "tasks": [
        task("if"),
        task("yes", "if:true", **NOTEBOOK, job_cluster_key="c", timeout_seconds=60),
        task("no", "if:false"),
        task("join", "yes", "no", run_if="AT_LEAST_ONE_SUCCESS"),
        task("off", "join", disabled=True),
        task("blocked", "off"),
        task(
            "each",
            *("join", "yes"),
            run_if="AT_LEAST_ONE_SUCCESS",
            timeout_seconds=70,
            for_each_task={"inputs": "[1]", "task": {"task_key": "one", **NOTEBOOK, "timeout_seconds": 7}},
        ),
        task("end", "each", "blocked", run_if="ALL_DONE"),
    ],
}


@pytest.mark.airflow
def test_airflow_s_dag_tells_what_the_definition_does(tmp_path: Path) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    from medallion.factory.dag import build_dag
    from medallion.project.versions import version_of

    (tmp_path / "job.json").write_text(json.dumps(JOB))
    (definition,) = load(tmp_path / "job.json").require()
    kept: Any = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(build_dag(version_of("j", definition))))
    of_job, of_dag = shape_of_job(definition.job), shape_of_dag(kept)
    assert {key: set(above) for key, above in of_dag.parents.items()} == {
        key: set(above) for key, above in of_job.parents.items()
    }
    assert of_dag.loop_limits == of_job.loop_limits == {"each": 70}
    assert of_dag.disabled == of_job.disabled == {"off", "blocked"}
    assert set(of_dag.loops) == set(of_job.loops) == {"each"}
    assert of_job.loops["each"] == "one"
    assert (of_dag.name, of_dag.limit) == (of_job.name, of_job.limit) == ("every part", 900)
    assert {key: limit for key, limit in of_dag.limits.items() if limit} == {"yes": 60, "each": 7}


def test_instances_alone_tell_tasks_and_loops() -> None:
    ids = ("c.start", "a", "each.inputs", "each.iteration", "each.result", "each", "b.run_if", "b")
    found = shape_of_instances("j", [Instance(name) for name in ids])
    assert list(found.parents) == ["a", "each", "b"]
    assert list(found.loops) == ["each"]


@pytest.mark.parametrize(
    ("task_id", "key"),
    [("a", "a"), ("a.run_if", "a"), ("a.iteration", "a"), ("a.inputs", "a"), ("a.result", "a"), ("c.start", None)],
)
def test_what_a_task_of_airflow_stands_for(task_id: str, key: str | None) -> None:
    assert owner(task_id) == key
