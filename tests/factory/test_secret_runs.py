"""Secrets in a cluster's settings and variables reach the driver and the task, and no command line."""

from __future__ import annotations

from typing import Any

import psutil
import pytest
from factory.lab import SECRET, Lab

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(600)]

TELLS = f"""
import os
token = os.environ["TOKEN"]
print("it is", token, token == "token-" + "{SECRET[:5]}" + "{SECRET[5:]}")
hadoop = spark.sparkContext._jsc.hadoopConfiguration()
print("settings:", hadoop.get("my.key") == token, hadoop.get("my.text") == "Zażółć=1: !")
"""
CLUSTER = {
    "spark_version": "18.0",
    "num_workers": 0,
    "spark_conf": {"spark.hadoop.my.key": "{{secrets/lab_scope/token}}", "spark.hadoop.my.text": "Zażółć=1: !"},
    "spark_env_vars": {"TOKEN": "{{secrets/lab_scope/token}}"},
}


def command_lines(lab: Lab) -> list[str]:
    """Of every process of the laboratory, as any user sees them."""
    lines = [" ".join(item.info["cmdline"] or ()) for item in psutil.process_iter(["cmdline"])]
    return [line for line in lines if str(lab.project) in line]


@pytest.mark.parametrize("where", ["job cluster", "task's own"])
def test_secrets_of_a_cluster_are_put_in(lab: Lab, where: str) -> None:
    (lab.project / "jobs" / "secretive.py").write_text(TELLS)
    task: dict[str, Any] = {"task_key": "tell", "spark_python_task": {"python_file": "secretive.py"}}
    job: dict[str, Any] = {"name": f"secretive {where[:3]}", "tasks": [task]}
    if where == "job cluster":
        job["job_clusters"] = [{"job_cluster_key": "c", "new_cluster": CLUSTER}]
        task["job_cluster_key"] = "c"
    else:
        task["new_cluster"] = CLUSTER
    ran = lab.run(job)
    assert ran.result == "SUCCESS", ran.log("tell")
    assert "it is [REDACTED] True" in ran.log("tell")
    assert "settings: True True" in ran.log("tell")
    drivers = [line for line in command_lines(lab) if "SparkSubmit" in line]
    assert drivers
    assert not [line for line in command_lines(lab) if SECRET in line]
    files = [file for file in ran.home.rglob("*") if file.is_file() and "logs" in file.parts]
    assert not [file for file in files if SECRET in file.read_text(errors="replace")]


def test_a_secret_that_is_not_there_is_named(lab: Lab) -> None:
    cluster = {**CLUSTER, "spark_env_vars": {"TOKEN": "{{secrets/lab_scope/nope}}"}}
    job = {"name": "no secret", "job_clusters": [{"job_cluster_key": "c", "new_cluster": cluster}]}
    task = {"task_key": "tell", "job_cluster_key": "c", "spark_python_task": {"python_file": "stub.py"}}
    ran = lab.run({**job, "tasks": [task]})
    (told,) = ran.report.tasks
    assert told.termination is not None
    assert "TOKEN names the secret lab_scope/nope, which does not exist" in told.termination.message
