"""JARs and Maven coordinates of a task's libraries, in its driver, as real runs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from factory.lab import Lab, Ran

pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(900)]

JAVA = """package lab;
public class Greeter implements org.apache.spark.sql.api.java.UDF1<String, String> {
    public String call(String name) { return "hello " + name; }
}
"""
NOTEBOOK = """# Databricks notebook source
spark.udf.registerJavaFunction("greet", "lab.Greeter", "string")
print("jar says", spark.sql("SELECT greet('jar')").first()[0])
"""
MAVEN = """# Databricks notebook source
print("maven says", spark._jvm.org.apache.commons.csv.CSVFormat.DEFAULT.getDelimiterString())
"""


def build_jar(folder: Path) -> Path:
    from medallion.compute.jars import spark_jars_folder

    (folder / "lab").mkdir(parents=True)
    (folder / "lab" / "Greeter.java").write_text(JAVA)
    path = f"{spark_jars_folder()}/*"
    subprocess.run(["javac", "--release", "17", "-cp", path, "lab/Greeter.java"], cwd=folder, check=True)
    subprocess.run(["jar", "cf", "greeter.jar", "lab/Greeter.class"], cwd=folder, check=True)
    return folder / "greeter.jar"


@pytest.fixture(scope="module")
def ran(lab: Lab) -> Ran:
    jobs = lab.project / "jobs"
    shutil.copy2(build_jar(lab.project / "java"), jobs / "greeter.jar")
    (jobs / "greets.py").write_text(NOTEBOOK)
    (jobs / "reads_csv.py").write_text(MAVEN)
    maven = {"coordinates": "org.apache.commons:commons-csv:1.11.0"}
    tasks = [
        {"task_key": "jar", "notebook_task": {"notebook_path": "greets"}, "libraries": [{"jar": "./greeter.jar"}]},
        {"task_key": "maven", "notebook_task": {"notebook_path": "reads_csv"}, "libraries": [{"maven": maven}]},
    ]
    tasks[1]["depends_on"] = [{"task_key": "jar"}]  # one driver starts after the other
    return lab.run({"name": "jar libraries", "tasks": tasks})


def test_a_class_of_a_jar_is_there(ran: Ran) -> None:
    assert "jar says hello jar" in ran.log("jar")


def test_maven_coordinates_are_resolved(ran: Ran) -> None:
    assert "maven says ," in ran.log("maven")
