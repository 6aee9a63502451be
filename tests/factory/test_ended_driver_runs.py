"""A notebook ends what all tasks of a driver share: the next task of the same driver works."""

from __future__ import annotations

import pytest
from factory.lab import Lab
from factory.test_notebook_runs import notebook

pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.timeout(600)]

BACKEND = "sc._jsc.sc().schedulerBackend()"
ENDS = {
    "context": "sc._jsc.sc().stop()",
    "executor": f"{BACKEND}.stop()\nspark.range(5).count()",
    "jvm": "sc._jvm.System.exit(3)",
    "halt": "sc._jvm.java.lang.Runtime.getRuntime().halt(3)",
    "gently": "sc._jsc.sc().stop()\nprint('and no word of it')",
}


USUAL = {"context", "executor", "jvm"}
"""The others start a driver more each for what differs little."""


@pytest.mark.parametrize("way", [pytest.param(way, marks=[] if way in USUAL else [pytest.mark.slow]) for way in ENDS])
def test_the_next_task_of_an_ended_driver_works(lab: Lab, way: str) -> None:
    first = notebook(lab, f"ends_{way}", ENDS[way])
    after = {"depends_on": [{"task_key": f"ends_{way}"}], "run_if": "ALL_DONE"}
    second = notebook(lab, f"works_{way}", "print('rows', spark.range(7).count())") | after
    cluster = {"spark_version": "16.2.x-scala2.12", "num_workers": 1, "spark_conf": {"spark.lab": "ended"}}
    ran = lab.run(
        {
            "name": f"ended_{way}",
            "job_clusters": [{"job_cluster_key": "main", "new_cluster": cluster}],
            "tasks": [task | {"job_cluster_key": "main"} for task in (first, second)],
        }
    )
    assert ran.states[f"works_{way}"] == "SUCCESS", ran.log(f"works_{way}")
    assert "rows 7" in ran.log(f"works_{way}")
