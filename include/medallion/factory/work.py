"""Per kind of task: what its process is told. One function and one row of `WORK` each. Runs in the Airflow task process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from medallion.factory.scope import resolve_in, resolve_parameters
from medallion.runs.writes import commit_metadata
from medallion.spec.parameters import pushed_down

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.factory.operators.base import LakeflowOperator
    from medallion.runtime.protocol import TaskContext
    from medallion.settings import Settings

Prepare = Callable[["LakeflowOperator", "Context", "Attempt", "Settings"], "Prepared"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """The context of a task's process, and whether it wants a Spark driver."""

    context: TaskContext
    spark: bool = True


def notebook(operator: LakeflowOperator, context: Context, attempt: Attempt, settings: Settings) -> Prepared:
    """A notebook: widgets from base_parameters and job parameters, of which the job's win."""
    payload = operator.task.payload
    own = resolve_in(context, operator, attempt, dict(payload.base_parameters or {}))
    parameters = pushed_down("notebook_task", own, resolve_parameters(context, operator, attempt))
    options = {"sql_only": True} if payload.warehouse_id else {}
    return _prepared(
        "notebook", operator, attempt, settings, path=payload.notebook_path, parameters=parameters, options=options
    )


def spark_python(operator: LakeflowOperator, context: Context, attempt: Attempt, settings: Settings) -> Prepared:
    """A Python file with arguments. Job parameters reach it only by references."""
    payload = operator.task.payload
    argv = resolve_in(context, operator, attempt, list(payload.parameters or ()))
    return _prepared("python", operator, attempt, settings, path=payload.python_file, argv=argv)


def python_wheel(operator: LakeflowOperator, context: Context, attempt: Attempt, settings: Settings) -> Prepared:
    """An entry point of an installed package; named parameters become `--name=value`."""
    payload = operator.task.payload
    argv = resolve_in(context, operator, attempt, list(payload.parameters or ()))
    if payload.named_parameters is not None:
        own = resolve_in(context, operator, attempt, dict(payload.named_parameters))
        named = pushed_down("python_wheel_task", own, resolve_parameters(context, operator, attempt))
        argv = [f"--{name}={value}" for name, value in named.items()]
    return _prepared(
        "wheel", operator, attempt, settings, path=payload.package_name, argv=argv,
        options={"entry_point": payload.entry_point},
    )


def sql(operator: LakeflowOperator, context: Context, attempt: Attempt, settings: Settings) -> Prepared:
    """A SQL file with `:name` parameters."""
    payload = operator.task.payload
    own = resolve_in(context, operator, attempt, dict(payload.parameters or {}))
    parameters = pushed_down("sql_task", own, resolve_parameters(context, operator, attempt))
    return _prepared("sql", operator, attempt, settings, path=payload.file.path, parameters=parameters)


WORK: Mapping[str, Prepare] = {
    "notebook_task": notebook,
    "spark_python_task": spark_python,
    "python_wheel_task": python_wheel,
    "sql_task": sql,
}


def writer(attempt: Attempt) -> str:
    """What every Delta commit of the attempt carries, so that a table's version tells who wrote it."""
    return commit_metadata(
        job_id=attempt.job_id, run_id=attempt.run_id, task_key=attempt.task_key, task_run_id=attempt.task_run_id
    )


def _prepared(
    kind: Literal["notebook", "python", "wheel", "sql"],
    operator: LakeflowOperator,
    attempt: Attempt,
    settings: Settings,
    *,
    path: str,
    parameters: Mapping[str, str] | None = None,
    argv: list[str] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Prepared:
    from medallion.factory.operators.process import places_of
    from medallion.runtime.protocol import TaskContext

    definition = operator.definition
    folder = attempt.folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    local = path
    if kind != "wheel" and not path.startswith(("/", "dbfs:", "file:")):
        local = str(definition.root / path)
    context = TaskContext(
        kind=kind,
        path=local,
        workspace_path=path,
        parameters=parameters or {},
        argv=tuple(argv or ()),
        output=str(folder),
        places=places_of(settings, definition.root, definition.deployed),
        ids=attempt.ids(),
        root=str(definition.root),
        tag=attempt.tag,
        options={**(options or {}), "user_metadata": writer(attempt)},
    )
    return Prepared(context)
