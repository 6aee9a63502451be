"""Every check of one job, all problems at once. Runs at parse (through the cache), in the CLI and in tests; pure.

The checks look at the plain JSON and not at the models, so that a wrong type in one task hides nothing elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from medallion.spec.dependencies import check_dependencies
from medallion.spec.enums import RunIf
from medallion.spec.findings import Findings, shown
from medallion.spec.fit import build
from medallion.spec.inputs import parse_inputs
from medallion.spec.job import TASK_KINDS, Job, Task
from medallion.spec.numbers import check_numbers
from medallion.spec.positions import JsonPath, Positions
from medallion.spec.problems import Problem, Severity, did_you_mean, nearest
from medallion.spec.quartz import Quartz, QuartzError, clock_of
from medallion.spec.references.check import findings_of
from medallion.spec.rules import check_rules, names_in
from medallion.spec.shape import check_names, objects
from medallion.spec.texts import check_texts

PARAMETER_NAME = re.compile(r"[A-Za-z0-9_.-]+")
LONGEST_INPUTS = 5000
NEEDS_COMPUTE = ("python_wheel_task", "spark_python_task", "dbt_task", "spark_jar_task", "spark_submit_task")
COMPUTE = ("existing_cluster_id", "new_cluster", "job_cluster_key", "environment_key")

Raw = dict[str, Any]


def check_job(
    raw: object,
    *,
    file: Path | None = None,
    positions: Positions | None = None,
    at: JsonPath = (),
    lenient: bool = False,
) -> list[Problem]:
    """Every problem of a job's settings, in the order of the text. Takes what `read_job` takes."""
    return read_job(raw, file=file, positions=positions, at=at, lenient=lenient)[1]


def read_job(
    raw: object,
    *,
    file: Path | None = None,
    positions: Positions | None = None,
    at: JsonPath = (),
    lenient: bool = False,
    resources: Collection[str] = (),
) -> tuple[Job | None, list[Problem]]:
    """The job of a settings object and every problem of it; no job when a value has a wrong type.

    :param raw: the settings as JSON gives them.
    :param file: the file to name in problems where `positions` does not name one.
    :param positions: places of the parts of the document.
    :param at: path of the settings in the document, such as `("settings",)`.
    :param lenient: the settings come from a bundle: what Databricks' own tool warns of is a warning, and references
        to resources may stand.
    :param resources: what the document itself defines, such as `resources.jobs.child`: references to it may stand.
    """
    findings = Findings(file, positions, at, lenient, frozenset(resources))
    if not isinstance(raw, dict):
        findings.error((), f"a job is a JSON object, not {shown(raw)}")
        return None, findings.problems()
    for check in JOB_CHECKS:
        check(raw, findings)
    return build(within_limits(raw), findings), findings.problems()


def within_limits(raw: Raw) -> Raw:
    """The settings, with the tasks over the API's limit left out: reporting on each of them would take minutes."""
    tasks = raw.get("tasks")
    if isinstance(tasks, (list, tuple)) and len(tasks) > 1000:
        return {**raw, "tasks": tasks[:1000]}
    return raw


def check_structure(raw: Raw, findings: Findings) -> None:
    """Names, words and limits of every object."""
    for model, value, path in objects(Job, within_limits(raw)):
        check_names((model, value, path), findings)
        check_rules(model, value if path else raw, path, findings)


def every_task(raw: Raw) -> Iterator[tuple[Raw, JsonPath, bool]]:
    """Each task with its path, and whether it is inside a for-each task."""
    for model, value, path in objects(Job, within_limits(raw)):
        if model is Task:
            yield value, path, len(path) > 2


def check_tasks(raw: Raw, findings: Findings) -> None:
    """What is asked of each task, in the job or in a for-each task."""
    if not raw.get("tasks"):
        check_no_tasks(raw, findings)
    shared = {
        field: {name for _, name in names_in(raw.get(entries), field)}
        for field, entries in (
            ("job_cluster_key", "job_clusters"),
            ("environment_key", "environments"),
            ("environment_variables_key", "environment_variables"),
        )
    }
    for task, path, nested in every_task(raw):
        check_kind(task, path, findings)
        check_shared(task, path, shared, findings)
        check_compute(task, path, findings)
        check_for_each(task, path, findings, nested=nested)
        check_effect(task, path, findings, nested=nested)
        check_run_job(task, path, findings)


def check_no_tasks(raw: Raw, findings: Findings) -> None:
    """A job without tasks does nothing. One with a task's type beside its name is of the old form: Jobs API 2.0."""
    kind = next((name for name in TASK_KINDS if raw.get(name) is not None), None)
    if kind is None:
        findings.warning(("tasks",) if "tasks" in raw else (), "the job has no tasks")
        return
    moved = [name for name in raw if name in Task.model_fields and name not in Job.model_fields]
    hint = f'"tasks": [{{"task_key": "main", …}}], with {", ".join(moved)} inside'
    findings.error((kind,), "the job has no tasks: its only task stands at the top, as in Jobs API 2.0", hint, key=True)


def check_kind(task: Raw, path: JsonPath, findings: Findings) -> None:
    """A task has one `*_task` field. One that we do not know may be a new one, unless it looks like a misspelt one."""
    kinds = [name for name in task if name in TASK_KINDS and task[name] is not None]
    if len(kinds) > 1:
        message = f"the task has {len(kinds)} types: {' and '.join(kinds)}"
        findings.error((*path, kinds[1]), message, "keep one of them, or make two tasks", key=True)
    if kinds:
        return
    unknown = [name for name in task if name not in Task.model_fields]
    new = [name for name in unknown if name.endswith("_task")]
    near = next((kind for name in unknown if (kind := nearest(name, TASK_KINDS, likeness=0.8))), None)
    if near or not new:
        hint = f"did you mean {near}?" if near else None
        findings.error(path, "the task has no type", hint or f"add one of {', '.join(COMMON_KINDS)}")


COMMON_KINDS = ("notebook_task", "spark_python_task", "sql_task", "condition_task", "for_each_task", "run_job_task")


def check_shared(task: Raw, path: JsonPath, shared: dict[str, set[str]], findings: Findings) -> None:
    """A key of a job cluster, environment or set of variables exists."""
    for field, known in shared.items():
        key = task.get(field)
        if isinstance(key, str) and key not in known:
            hint = did_you_mean(key, known) or (f"known: {', '.join(sorted(known)[:10])}" if known else None)
            findings.refused((*path, field), f"{field} {shown(key)} is not defined in the job", hint)


def check_compute(task: Raw, path: JsonPath, findings: Findings) -> None:
    """Databricks runs these kinds on stated compute only (its CLI: an error). Here there is a default driver."""
    kind = next((name for name in NEEDS_COMPUTE if task.get(name) is not None), None)
    if kind and not any(task.get(name) is not None for name in COMPUTE):
        report = findings.error if findings.lenient else findings.warning
        report(path, f"{kind} needs compute on Databricks", f"set one of {', '.join(COMPUTE)}")


def check_for_each(task: Raw, path: JsonPath, findings: Findings, *, nested: bool) -> None:
    """No loop in a loop, and inputs that are a JSON array or a reference."""
    loop = task.get("for_each_task")
    if not isinstance(loop, dict):
        return
    at = (*path, "for_each_task")
    if nested:
        findings.error(at, "a for_each_task cannot stand in another one", "move the inner loop to a job of its own")
    inputs = loop.get("inputs")
    if not isinstance(inputs, str) or "{{" in inputs or "${" in inputs:
        return
    if len(inputs) > LONGEST_INPUTS:
        message = f"inputs has {len(inputs):,} characters; the API takes {LONGEST_INPUTS:,}"
        findings.refused((*at, "inputs"), message, "loop over keys and look the rest up in the iteration")
    if not is_json_array(inputs):
        findings.error(
            (*at, "inputs"), f"inputs is {shown(inputs)}; it must be the text of a JSON array or a reference"
        )


RETRIES = ("max_retries", "min_retry_interval_millis", "retry_on_timeout")
NO_EFFECT: Mapping[str, tuple[tuple[str, ...], str]] = {
    "condition_task": ((*RETRIES, "timeout_seconds"), "an if/else task is neither tried again nor timed out"),
    "for_each_task": (RETRIES, "set it on the task inside"),
}
"""Fields that say nothing on a kind of task, and what to do (Jobs API, `condition_task`; Databricks page "For each")."""
OF_THE_LOOP = ("depends_on", "run_if", "disabled")
NOTHING_SAID: tuple[object, ...] = (None, 0, False, [], "ALL_SUCCESS")
"""Values that the API itself writes into such fields."""


def check_effect(task: Raw, path: JsonPath, findings: Findings, *, nested: bool) -> None:
    """Warns of settings that a task's kind or place makes useless."""
    for kind, (fields, hint) in NO_EFFECT.items():
        for field in fields if task.get(kind) is not None else ():
            if task.get(field) not in NOTHING_SAID:
                findings.warning((*path, field), f"{field} of a {kind} has no effect", hint, key=True)
    for field in OF_THE_LOOP if nested else ():
        wrong = field == "run_if" and task.get(field) not in set(RunIf)  # has a problem of its own
        if task.get(field) not in NOTHING_SAID and not wrong:
            message = f"{field} of the task inside a for_each_task has no effect"
            findings.warning((*path, field), message, "set it on the for_each_task", key=True)


def check_run_job(task: Raw, path: JsonPath, findings: Findings) -> None:
    """A job's id is a number, in JSON also as text, or a reference."""
    call = task.get("run_job_task")
    job_id = call.get("job_id") if isinstance(call, dict) else None
    if isinstance(job_id, str) and not re.fullmatch(r"[0-9]+|.*(\$\{|\{\{).*", job_id, re.DOTALL):
        findings.refused((*path, "run_job_task", "job_id"), f"job_id is {shown(job_id)}; it must be a job's number")


def is_json_array(text: str) -> bool:
    """Whether a text is a JSON array."""
    try:
        return isinstance(parse_inputs(text), list)
    except (ValueError, RecursionError):
        return False


def check_parameters(raw: Raw, findings: Findings) -> None:
    """The characters of parameter names."""
    for index, name in names_in(raw.get("parameters"), "name"):
        if not PARAMETER_NAME.fullmatch(name):
            at = ("parameters", index, "name")
            findings.refused(at, f"parameter name {shown(name)} may have letters, digits, _, - and . only")


def check_start(raw: Raw, findings: Findings) -> None:
    """A schedule beside a trigger: the documentation allows one trigger for a job, yet such jobs have been seen."""
    if raw.get("schedule") is not None and raw.get("trigger") is not None:
        findings.warning(("trigger",), "schedule and trigger are both set; Databricks documents one of them", key=True)


NOT_IN_CONTINUOUS = (("depends_on", "dependencies"), ("max_retries", "retries"))


def check_continuous(raw: Raw, findings: Findings) -> None:
    """Databricks page "Run jobs continuously": neither dependencies nor retries of tasks. Here both work."""
    triggers = raw.get("triggers")
    entries = triggers if isinstance(triggers, (list, tuple)) else ()
    if not any(isinstance(holder, dict) and holder.get("continuous") is not None for holder in (raw, *entries)):
        return
    tasks = within_limits(raw).get("tasks")
    for index, task in enumerate(tasks if isinstance(tasks, (list, tuple)) else ()):
        for field, what in NOT_IN_CONTINUOUS:
            if isinstance(task, dict) and task.get(field):
                message = f"Databricks documents no {what} of tasks in a continuous job"
                findings.warning(("tasks", index, field), message, key=True)


def check_schedules(raw: Raw, findings: Findings) -> None:
    """Cron expressions and time zones, wherever a schedule stands."""
    triggers = raw.get("triggers")
    entries = enumerate(triggers) if isinstance(triggers, (list, tuple)) else ()
    places: list[tuple[object, JsonPath]] = [(raw, ("schedule",))]
    places += [(entry, ("triggers", index, "schedule")) for index, entry in entries]
    for holder, path in places:
        schedule = holder.get("schedule") if isinstance(holder, dict) else None
        if isinstance(schedule, dict):
            check_schedule(schedule, path, findings)


def check_schedule(schedule: Raw, path: JsonPath, findings: Findings) -> None:
    """One schedule; what a bundle has yet to resolve is left alone."""
    read: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("quartz_cron_expression", Quartz.parse),
        ("timezone_id", clock_of),
    )
    for name, parse in read:
        text = schedule.get(name)
        if isinstance(text, str) and "${" not in text:
            try:
                found = parse(text)
            except QuartzError as error:
                findings.refused((*path, name), error.message, error.hint)
                continue
            if isinstance(found, Quartz) and found.note:
                findings.warning((*path, name), found.note)


def check_dynamic_references(raw: Raw, findings: Findings) -> None:
    """References `{{…}}` that can never resolve, and those that stay literal text."""
    for found in findings_of(within_limits(raw)):
        report = findings.refused if found.severity is Severity.ERROR else findings.warning
        report(found.path, found.message, found.hint)


JOB_CHECKS: tuple[Callable[[Raw, Findings], None], ...] = (
    check_structure,
    check_numbers,
    check_tasks,
    check_dependencies,
    check_parameters,
    check_start,
    check_continuous,
    check_schedules,
    check_dynamic_references,
    check_texts,
)
