"""RetailHub as most teams run Spark from Airflow: one BashOperator with a spark-submit per task. A DAG file of a rival."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG

HERE = Path(os.environ["BENCHMARK_RIVALS"])
JOB = json.loads((HERE.parents[1] / "jobs/retailhub/RetailHub_Medallion_Pipeline.json").read_text(encoding="utf-8"))
PACKAGE = "io.delta:delta-spark_4.2_2.13:4.4.0"

# One task at a time: Derby, the metastore that Spark brings, serves one process.
with DAG("retailhub_spark_submit", schedule=None, catchup=False, max_active_tasks=1):
    tasks = {
        task["task_key"]: BashOperator(
            task_id=task["task_key"],
            bash_command=(
                f"{Path(sys.executable).parent / 'spark-submit'} --packages {PACKAGE} {HERE / 'plain_notebooks.py'} "
                f"$BENCHMARK_DATA $BENCHMARK_WAREHOUSE --only {task['task_key']}"
            ),
        )
        for task in JOB["tasks"]
    }
    for task in JOB["tasks"]:
        for edge in task.get("depends_on", []):
            tasks[edge["task_key"]] >> tasks[task["task_key"]]
