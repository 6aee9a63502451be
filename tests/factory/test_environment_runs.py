"""No variable of a task's, its driver's or their programs' environment holds a secret of Airflow's or of Medallion's."""

from __future__ import annotations

import pytest
from factory.lab import SECRET, Lab
from factory.test_notebook_runs import notebook

pytestmark = [pytest.mark.airflow, pytest.mark.spark]

LOOK = f"""
import os, subprocess
from pyspark.sql.functions import udf
secret = {SECRET[::-1]!r}[::-1]
jvm = sc._jvm.java.lang.ProcessHandle.current().pid()
read = lambda pid: open(f"/proc/{{pid}}/environ", "rb").read().decode(errors="replace")
environ = udf(lambda _: "\\n".join(f"{{name}}={{text}}" for name, text in os.environ.items()))
found = {{
    "python": "\\n".join(f"{{name}}={{text}}" for name, text in os.environ.items()),
    "jvm": "\\n".join(f"{{name}}={{text}}" for name, text in dict(sc._jvm.System.getenv()).items()),
    "shell": subprocess.run(["env"], capture_output=True, text=True).stdout,
    "function": spark.range(1).select(environ("id")).first()[0],
    "own process": read("self"),
    "process of the driver": read(jvm),
    "process of the spare": read(os.getppid()),
}}
for place, text in found.items():
    print(place, "| secret:", secret in text, "| airflow:", "AIRFLOW__" in text, "| own:", "LAB_OWN=kept" in text)
"""
PLACES = ("python", "jvm", "shell", "function", "own process", "process of the driver", "process of the spare")


def test_secrets_are_in_no_environment_that_user_code_sees(lab: Lab) -> None:
    cluster = {"spark_version": "16.2.x-scala2.12", "num_workers": 1, "spark_conf": {"spark.lab": "environment"}}
    ran = lab.run({"name": "look around", "tasks": [notebook(lab, "look_around", LOOK) | {"new_cluster": cluster}]})
    assert ran.result == "SUCCESS", ran.log("look_around")
    said = [line for line in ran.log("look_around").splitlines() if "| secret:" in line]
    assert said == [f"{place} | secret: False | airflow: False | own: True" for place in PLACES]
