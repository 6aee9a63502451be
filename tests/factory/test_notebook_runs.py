"""Notebook tasks under Airflow: secrets, what a failure's log says, a driver that dies, one that cannot be stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from factory.lab import SECRET, Lab

pytestmark = [pytest.mark.airflow, pytest.mark.spark]

CELL = "\n# COMMAND ----------\n"


def notebook(lab: Lab, name: str, *cells: str) -> dict[str, Any]:
    """A task that runs a notebook of these cells."""
    text = "# Databricks notebook source\n" + CELL.join(cells) + "\n"
    (lab.project / "jobs" / f"{name}.py").write_text(text, encoding="utf-8")
    return {"task_key": name, "notebook_task": {"notebook_path": name}}


def test_secrets_come_from_connections_and_variables_and_show_nowhere(lab: Lab) -> None:
    task = notebook(
        lab,
        "secrets",
        'password = dbutils.secrets.get("lab_scope", "password")\nprint("password", password, len(password))',
        'print("token", dbutils.secrets.get(scope="lab_scope", key="token"))',
        'print("names", [item.key for item in dbutils.secrets.list("lab_scope")])',
        'try:\n    dbutils.secrets.get("lab_scope", "nothing")\nexcept Exception as error:\n    print("refused:", error)',
    )
    ran = lab.run({"name": "secrets", "tasks": [task]})
    assert ran.result == "SUCCESS"
    log = ran.log("secrets")
    assert f"password [REDACTED] {len(SECRET)}" in log
    assert "names ['password', 'user']" in log
    assert "refused:" in log
    for file in (ran.home / "runs").rglob("*"):
        if file.is_file():
            assert SECRET not in file.read_text(encoding="utf-8", errors="replace"), file.name
    assert SECRET not in log


def test_a_failures_log_ends_with_the_users_own_traceback(lab: Lab) -> None:
    task = notebook(lab, "fails", "ratio = 1", "def divide(by):\n    return 1 / by\n\nprint('before')\ndivide(0)")
    ran = lab.run({"name": "fails", "tasks": [task]})
    assert ran.states == {"fails": "FAILED"}
    said = [line for line in ran.log("fails").splitlines() if not line.startswith(("::", "Task exited"))]
    told = "\n".join(said)
    assert "before" in told
    assert said[-1] == "ZeroDivisionError: division by zero"
    assert "cell 2" in told.lower()
    assert "return 1 / by" in told
    assert "medallion/" not in told[told.index("before") :]
    assert "IPython/" not in told
    record = json.loads((ran.folder("fails") / "1" / "notebook.ipynb").read_text(encoding="utf-8"))
    assert [cell["metadata"]["medallion"]["status"] for cell in record["cells"]] == ["ok", "failed"]


def test_a_driver_that_dies_fails_the_attempt_in_words_and_the_next_has_a_new_one(lab: Lab) -> None:
    kill = (
        "import os, signal\n"
        "pid = int(sc._jvm.java.lang.ProcessHandle.current().pid())\n"
        'if dbutils.widgets.get("attempt") == "1":\n    os.kill(pid, signal.SIGKILL)\n'
        "print('rows', spark.range(7).count())"
    )
    task = notebook(lab, "killer", kill) | {"max_retries": 1}
    task["notebook_task"]["base_parameters"] = {"attempt": "{{task.execution_count}}"}
    task["new_cluster"] = {"spark_version": "16.2.x-scala2.12", "num_workers": 1, "spark_conf": {"spark.lab": "own"}}
    ran = lab.run({"name": "killer", "tasks": [task]})
    assert ran.states == {"killer": "SUCCESS"}
    assert ran.attempts("killer") == 2
    assert "driver" in ran.log("killer", attempt=1).lower()
    assert "rows 7" in ran.log("killer", attempt=2)


def test_a_notebook_cannot_stop_the_shared_driver(lab: Lab) -> None:
    first = notebook(lab, "stops", "spark.stop()\nprint('still', spark.range(3).count())")
    second = notebook(lab, "after", "print('alive', spark.range(4).count())") | {"depends_on": [{"task_key": "stops"}]}
    ran = lab.run({"name": "stops", "tasks": [first, second]})
    assert ran.states == {"stops": "SUCCESS", "after": "SUCCESS"}
    assert "still 3" in ran.log("stops")
    assert "alive 4" in ran.log("after")


def test_a_job_clusters_settings_reach_the_session_and_its_variables_the_task(lab: Lab) -> None:
    check = "import os\nprint('conf', spark.conf.get('spark.sql.shuffle.partitions'), 'env', os.environ.get('STAGE'))"
    task = notebook(lab, "clustered", check) | {"job_cluster_key": "main"}
    cluster = {
        "job_cluster_key": "main",
        "new_cluster": {
            "spark_version": "16.2.x-scala2.12",
            "num_workers": 1,
            "spark_conf": {"spark.sql.shuffle.partitions": "3"},
            "spark_env_vars": {"STAGE": "test"},
        },
    }
    ran = lab.run({"name": "clustered", "tasks": [task], "job_clusters": [cluster]})
    assert ran.states == {"clustered": "SUCCESS"}
    assert "conf 3 env test" in ran.log("clustered")
