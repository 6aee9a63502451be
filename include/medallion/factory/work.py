"""Per kind of task: what its process is told. One function and one row of `WORK` each. Pure.

Runs in the Airflow task process.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from medallion.errors import UnsupportedError
from medallion.spec.parameters import pushed_down

Payload = Mapping[str, Any]
"""The task's own block, such as `notebook_task`, with its references resolved."""


@dataclass(frozen=True, slots=True)
class Work:
    """What to run, in the words of `runtime.protocol.TaskContext`.

    :param path: as the job states it; a workspace path, or one relative to the definition.
    """

    kind: Literal["notebook", "python", "wheel", "sql", "dbt", "jar", "submit", "pipeline"]
    path: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def notebook(payload: Payload, job_parameters: Mapping[str, str]) -> Work:
    """A notebook: widgets from base_parameters and job parameters, of which the job's win."""
    parameters = pushed_down("notebook_task", payload.get("base_parameters") or {}, job_parameters)
    options = {"sql_only": True} if payload.get("warehouse_id") else {}
    return Work("notebook", payload["notebook_path"], parameters=parameters, options=options)


def spark_python(payload: Payload, job_parameters: Mapping[str, str]) -> Work:
    """A Python file with arguments. Job parameters reach it only by references."""
    return Work("python", payload["python_file"], argv=tuple(payload.get("parameters") or ()))


def python_wheel(payload: Payload, job_parameters: Mapping[str, str]) -> Work:
    """An entry point of an installed package; named parameters become `--name=value`."""
    argv = tuple(payload.get("parameters") or ())
    if payload.get("named_parameters") is not None:
        named = pushed_down("python_wheel_task", payload["named_parameters"], job_parameters)
        argv = tuple(f"--{name}={value}" for name, value in named.items())
    return Work("wheel", payload["package_name"], argv=argv, options={"entry_point": payload["entry_point"]})


def sql(payload: Payload, job_parameters: Mapping[str, str]) -> Work:
    """A SQL file with `:name` parameters. Queries and alerts are found by `operators.sql`."""
    if not payload.get("file"):
        raise UnsupportedError("the sql_task has neither a file nor a query, an alert or a dashboard")
    return Work("sql", payload["file"]["path"], parameters=sql_parameters(payload, job_parameters))


def sql_parameters(payload: Payload, job_parameters: Mapping[str, str]) -> dict[str, str]:
    """The `:name` values of a SQL task: its own and the job's, of which the job's win."""
    return pushed_down("sql_task", payload.get("parameters") or {}, job_parameters)


def dbt(payload: Payload, job_parameters: Mapping[str, str]) -> Work:
    """dbt commands in a project. Job parameters reach them only by references."""
    names = ("commands", "catalog", "schema", "profiles_directory", "warehouse_id")
    options = {name: payload[name] for name in names if payload.get(name)}
    return Work("dbt", str(payload.get("project_directory") or "."), options={"dbt": options})


def spark_jar(payload: Payload, job_parameters: Mapping[str, str]) -> Work:
    """A main class with arguments. Its JARs come from the task's libraries; see `operators.jar`."""
    name = str(payload.get("main_class_name") or "")
    return Work("jar", name, argv=tuple(payload.get("parameters") or ()), options={"main_class_name": name})


def spark_submit(payload: Payload, job_parameters: Mapping[str, str]) -> Work:
    """A command line of spark-submit; see `operators.jar`."""
    return Work("submit", "spark-submit", argv=tuple(payload.get("parameters") or ()))


WORK: Mapping[str, Callable[[Payload, Mapping[str, str]], Work]] = {
    "notebook_task": notebook,
    "spark_python_task": spark_python,
    "python_wheel_task": python_wheel,
    "sql_task": sql,
    "dbt_task": dbt,
    "spark_jar_task": spark_jar,
    "spark_submit_task": spark_submit,
}
