"""Every check of a job: what it says, how bad it is, and where it points."""

from __future__ import annotations

import copy
import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from job_strategies import ANY_JSON, jobs

from medallion.spec.check import check_job, read_job
from medallion.spec.findings import MOST
from medallion.spec.problems import Problem, Severity
from medallion.spec.source import parse_json

NOTE = {"notebook_path": "/n"}


def task(key: str = "a", **fields: Any) -> dict[str, Any]:
    """A task that is right but for the given fields."""
    kind = {} if any(name.endswith("_task") for name in fields) else {"notebook_task": NOTE}
    return {"task_key": key, **kind, **fields}


def job(*tasks: Any, **fields: Any) -> dict[str, Any]:
    """A job that is right but for the given parts."""
    return {"name": "j", "tasks": list(tasks) or [task()], **fields}


def after(*parents: str) -> dict[str, Any]:
    return {"depends_on": [{"task_key": parent} for parent in parents]}


EQUAL = {"op": "EQUAL_TO", "left": "1", "right": "1"}


def loop(**fields: Any) -> dict[str, Any]:
    return {"for_each_task": {"inputs": "[1]", "task": task("inner"), **fields}}


def problems(raw: object, *, lenient: bool = False) -> list[str]:
    """Severity, path and message of each problem, with its hint."""
    return [as_text(problem) for problem in check_job(raw, lenient=lenient)]


def as_text(problem: Problem) -> str:
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"{problem.severity} {problem.path}: {problem.message}{hint}"


CASES = [
    pytest.param(
        job(max_retires=3),
        'warning $.max_retires: unknown key "max_retires" (did you mean max_retries? It belongs to a task)',
        id="unknown key that belongs to a task",
    ),
    pytest.param(
        job(task(max_retrys=3)),
        'warning $.tasks[0].max_retrys: unknown key "max_retrys" (did you mean max_retries?)',
        id="unknown key",
    ),
    pytest.param(
        job(task(notebook_task={**NOTE, "baseParameters": {}})),
        'warning $.tasks[0].notebook_task.baseParameters: unknown key "baseParameters" (did you mean base_parameters?)',
        id="unknown key in another case",
    ),
    pytest.param(
        job(task(run_if="all_done")),
        'error $.tasks[0].run_if: "all_done" is not a value of run_if (did you mean ALL_DONE?)',
        id="enum in the wrong case",
    ),
    pytest.param(
        job(task(**loop(task=task("inner", run_if="XYZZY")))),
        'error $.tasks[0].for_each_task.task.run_if: "XYZZY" is not a value of run_if '
        "(one of ALL_SUCCESS, ALL_DONE, NONE_FAILED, AT_LEAST_ONE_SUCCESS, ALL_FAILED, AT_LEAST_ONE_FAILED)",
        id="enum of nothing near, in a loop",
    ),
    pytest.param(
        job(max_concurrent_runs="many"),
        'error $.max_concurrent_runs: max_concurrent_runs wants a whole number, not "many"',
        id="number that is none",
    ),
    pytest.param(
        job(timeout_seconds=True),
        "error $.timeout_seconds: timeout_seconds wants a whole number, not true",
        id="boolean number",
    ),
    pytest.param(
        job(queue={"enabled": 1}), "error $.queue.enabled: enabled wants true or false, not 1", id="number boolean"
    ),
    pytest.param(job(tags=["a"]), "error $.tags: tags wants an object, not a list", id="list for an object"),
    pytest.param(
        job(job_clusters={"a": 1}),
        "error $.job_clusters: job_clusters wants a list, not an object (put it in square brackets)",
        id="object for a list",
    ),
    pytest.param(job(7), "error $.tasks[0]: tasks wants an object, not 7", id="number for a task"),
    pytest.param(
        job(task(**loop(inputs=["a"]))),
        "error $.tasks[0].for_each_task.inputs: inputs wants text, not a list (write it as JSON text in quotes)",
        id="list for text",
    ),
    pytest.param(
        job(parameters=[{"name": "n", "default": True}]),
        'warning $.parameters[0].default: default is true; it is read as the text "true"',
        id="boolean for text",
    ),
    pytest.param(
        job(task(notebook_task={})),
        "error $.tasks[0].notebook_task: notebook_path is required and not set",
        id="no path",
    ),
    pytest.param(
        job(task(run_job_task={})),
        "error $.tasks[0].run_job_task: job_id is required and not set",
        id="run job without id",
    ),
    pytest.param(
        job(task(run_job_task={"job_id": "child"})),
        'error $.tasks[0].run_job_task.job_id: job_id is "child"; it must be a job\'s number',
        id="run job by a name",
    ),
    pytest.param(job({"notebook_task": NOTE}), "error $.tasks[0]: task_key is required and not set", id="no task_key"),
    pytest.param(
        job(task("a"), task("a")),
        'error $.tasks[1].task_key: task_key "a" stands twice, first at tasks[0]',
        id="task_key twice",
    ),
    pytest.param(
        job(task("load orders")),
        'error $.tasks[0].task_key: task_key "load orders" may have letters, digits, _ and - only (write load_orders)',
        id="task_key with a space",
    ),
    pytest.param(job(task("")), "error $.tasks[0].task_key: task_key is empty", id="task_key empty"),
    pytest.param(
        job({"task_key": "a"}),
        "error $.tasks[0]: the task has no type (add one of notebook_task, spark_python_task, sql_task, "
        "condition_task, for_each_task, run_job_task)",
        id="no task type",
    ),
    pytest.param(
        job({"task_key": "a", "notebok_task": NOTE}),
        "error $.tasks[0]: the task has no type (did you mean notebook_task?)",
        id="misspelt task type",
    ),
    pytest.param(
        job({"task_key": "a", "notebook_task": NOTE, "run_job_task": {"job_id": 1}}),
        "error $.tasks[0].run_job_task: the task has 2 types: notebook_task and run_job_task "
        "(keep one of them, or make two tasks)",
        id="two task types",
    ),
    pytest.param(
        job(task("extract"), task("b", **after("extrakt"))),
        'error $.tasks[1].depends_on[0].task_key: "b" depends on "extrakt", which is no task (did you mean extract?)',
        id="dangling dependency",
    ),
    pytest.param(
        job(task("a", **after("c")), task("b", **after("a")), task("c", **after("b"))),
        "error $.tasks[0].depends_on: tasks depend on each other in a circle: a → b → c → a "
        "(remove one of these dependencies)",
        id="cycle",
    ),
    pytest.param(
        job(task("a", **after("a"))),
        "error $.tasks[0].depends_on: tasks depend on each other in a circle: a → a (remove one of these dependencies)",
        id="cycle of one",
    ),
    pytest.param(
        job(task("a"), task("b", depends_on=[{"task_key": "a", "outcome": "true"}])),
        'error $.tasks[1].depends_on[0].outcome: outcome is for children of an if/else task; "a" has no condition_task',
        id="outcome of a notebook",
    ),
    pytest.param(
        job(
            task("a", condition_task={"op": "EQUAL_TO", "left": "1", "right": "1"}),
            task("b", depends_on=[{"task_key": "a", "outcome": "yes"}]),
        ),
        'error $.tasks[1].depends_on[0].outcome: outcome is "yes"; it must be "true" or "false"',
        id="outcome of another word",
    ),
    pytest.param(
        job(task(notebook_task={"notebook_path": "<NOTEBOOK_ROOT>/bronze"})),
        "error $.tasks[0].notebook_task.notebook_path: the placeholder <NOTEBOOK_ROOT> has no value "
        "(write the value in its place)",
        id="placeholder",
    ),
    pytest.param(
        job(description="for <YOUR TEAM>"),
        "warning $.description: the placeholder <YOUR TEAM> has no value (write the value in its place)",
        id="placeholder in a description",
    ),
    pytest.param(
        job(task(notebook_task={"notebook_path": "/n", "base_parameters": {"c": "${var.catalog}"}})),
        "error $.tasks[0].notebook_task.base_parameters.c: the reference ${var.catalog} is not resolved "
        "(only asset bundles resolve it: load the bundle, or write the value)",
        id="unresolved reference",
    ),
    pytest.param(
        job(task(job_cluster_key="mian"), job_clusters=[{"job_cluster_key": "main", "new_cluster": {}}]),
        'error $.tasks[0].job_cluster_key: job_cluster_key "mian" is not defined in the job (did you mean main?)',
        id="no such job cluster",
    ),
    pytest.param(
        job(task(environment_key="default")),
        'error $.tasks[0].environment_key: environment_key "default" is not defined in the job',
        id="no such environment",
    ),
    pytest.param(
        job(task(environment_variables_key="x")),
        'error $.tasks[0].environment_variables_key: environment_variables_key "x" is not defined in the job',
        id="no such environment variables",
    ),
    pytest.param(
        job(job_clusters=[{"job_cluster_key": "c", "new_cluster": {}}] * 2),
        'error $.job_clusters[1].job_cluster_key: job_cluster_key "c" stands twice, first at job_clusters[0]',
        id="job cluster twice",
    ),
    pytest.param(
        job(task(**loop(task=task("inner", **loop())))),
        "error $.tasks[0].for_each_task.task.for_each_task: a for_each_task cannot stand in another one "
        "(move the inner loop to a job of its own)",
        id="loop in a loop",
    ),
    pytest.param(
        job(task(**loop(concurrency=101))),
        "error $.tasks[0].for_each_task.concurrency: concurrency is 101; it must be from 1 to 100",
        id="loop too wide",
    ),
    pytest.param(
        job(task(**loop(inputs="a, b"))),
        'error $.tasks[0].for_each_task.inputs: inputs is "a, b"; it must be the text of a JSON array or a reference',
        id="loop over no array",
    ),
    pytest.param(
        job(task(**loop(inputs="[NaN]"))),
        'error $.tasks[0].for_each_task.inputs: inputs is "[NaN]"; it must be the text of a JSON array or a reference',
        id="loop over a number that JSON lacks",
    ),
    pytest.param(
        job(task(**loop(), max_retries=2)),
        "warning $.tasks[0].max_retries: max_retries of a for_each_task has no effect (set it on the task inside)",
        id="retries of a loop",
    ),
    pytest.param(
        job(task(**loop(task=task("inner", run_if="ALL_DONE")))),
        "warning $.tasks[0].for_each_task.task.run_if: run_if of the task inside a for_each_task has no effect "
        "(set it on the for_each_task)",
        id="rule of the task inside a loop",
    ),
    pytest.param(
        job({"task_key": "a", "condition_task": EQUAL, "timeout_seconds": 9}),
        "warning $.tasks[0].timeout_seconds: timeout_seconds of a condition_task has no effect "
        "(an if/else task is neither tried again nor timed out)",
        id="time-out of an if/else",
    ),
    pytest.param(
        job(schedule={"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"}, continuous={}),
        "error $.continuous: schedule and continuous exclude each other",
        id="schedule and continuous",
    ),
    pytest.param(
        job(schedule={"quartz_cron_expression": "0 0 2 ? * MON-FRI/2", "timezone_id": "UTC"}),
        "warning $.schedule.quartz_cron_expression: Quartz ignores a step behind a name: MON-FRI/2 is MON-FRI",
        id="step behind a name",
    ),
    pytest.param(
        job(trigger={"periodic": {"interval": 1, "unit": "DAYS"}}, continuous={}),
        "error $.continuous: trigger and continuous exclude each other",
        id="trigger and continuous",
    ),
    pytest.param(
        job(
            schedule={"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"},
            trigger={"periodic": {"interval": 1, "unit": "DAYS"}},
        ),
        "warning $.trigger: schedule and trigger are both set; Databricks documents one of them",
        id="schedule and trigger",
    ),
    pytest.param(
        job(trigger={"pause_status": "PAUSED"}),
        "error $.trigger: one of periodic, file_arrival, table_update, model, job_completion must be set",
        id="trigger of no kind",
    ),
    pytest.param(
        job(trigger={"file_arrival": {"url": "/Volumes/a/b/c/", "min_time_between_triggers_seconds": 10}}),
        "error $.trigger.file_arrival.min_time_between_triggers_seconds: min_time_between_triggers_seconds is 10; "
        "it must be 60 or more",
        id="trigger too often",
    ),
    pytest.param(
        job(*[task(f"t{number}") for number in range(1001)]),
        "error $.tasks: tasks has 1001 entries; the API takes at most 1000",
        id="too many tasks",
    ),
    pytest.param(
        {**job(), "name": "ł" * 2049}, "error $.name: name has 4,098 bytes; the API takes 4,096", id="name too long"
    ),
    pytest.param(
        job(tags={f"t{number}": "" for number in range(26)}),
        "error $.tags: tags has 26 entries; the API takes at most 25",
        id="too many tags",
    ),
    pytest.param(
        job(parameters=[{"name": "a b", "default": ""}]),
        'error $.parameters[0].name: parameter name "a b" may have letters, digits, _, - and . only',
        id="parameter with a space",
    ),
    pytest.param(
        job(parameters=[{"name": "a", "default": ""}] * 2),
        'error $.parameters[1].name: name "a" stands twice, first at parameters[0]',
        id="parameter twice",
    ),
    pytest.param(
        job(task(max_retries=-2)),
        "error $.tasks[0].max_retries: max_retries is -2; it must be -1 or more",
        id="retries",
    ),
    pytest.param(
        job(task(sql_task={"warehouse_id": "w"})),
        "error $.tasks[0].sql_task: one of query, file, dashboard, alert must be set",
        id="sql task of nothing",
    ),
    pytest.param(
        job(
            task(
                python_wheel_task={
                    "package_name": "p",
                    "entry_point": "m",
                    "parameters": ["a"],
                    "named_parameters": {},
                },
                existing_cluster_id="c",
            )
        ),
        "error $.tasks[0].python_wheel_task.named_parameters: parameters and named_parameters exclude each other",
        id="wheel with both kinds of parameters",
    ),
    pytest.param(
        job(git_source={"git_url": "u", "git_provider": "gitHub", "git_branch": "b", "git_tag": "t"}),
        "error $.git_source.git_tag: git_branch and git_tag exclude each other",
        id="branch and tag",
    ),
    pytest.param(
        job(git_source={"git_url": "u", "git_provider": "gitHob", "git_branch": "b"}),
        'error $.git_source.git_provider: "gitHob" is not a value of git_provider (did you mean gitHub?)',
        id="git provider",
    ),
    pytest.param(
        job(task(spark_python_task={"python_file": "/f.py"})),
        "warning $.tasks[0]: spark_python_task needs compute on Databricks "
        "(set one of existing_cluster_id, new_cluster, job_cluster_key, environment_key)",
        id="no compute",
    ),
    pytest.param(
        job(webhook_notifications={"on_start": [{"id": str(number)} for number in range(4)]}),
        "error $.webhook_notifications.on_start: on_start has 4 entries; the API takes at most 3",
        id="too many webhooks",
    ),
    pytest.param(
        job(email_notifications={"on_failure": ["a@b.org", "x@y.org\r\nBcc: z@y.org"]}),
        'error $.email_notifications.on_failure[1]: "x@y.org\\r\\nBcc: z@y.org" is no mail address (one address an entry)',
        id="an address with a line break",
    ),
    pytest.param(
        job(email_notifications={"on_start": ["a@b.org,c@d.org"]}),
        'error $.email_notifications.on_start[0]: "a@b.org,c@d.org" is no mail address (one address an entry)',
        id="two addresses in one",
    ),
    pytest.param(
        job(email_notifications={"on_failure": ["someone"]}),
        'warning $.email_notifications.on_failure[0]: "someone" is a user name and no mail address: no mail is sent to it '
        "(write an address, or set user in medallion.toml to one)",
        id="a user name for an address",
    ),
    pytest.param(
        job(task(sql_task={"warehouse_id": "<your-warehouse-id>", "query": {"query_id": "q"}})),
        "warning $.tasks[0].sql_task.warehouse_id: the placeholder <your-warehouse-id> has no value "
        "(the default target stands in; [warehouses] in medallion.toml names another)",
        id="placeholder of a warehouse",
    ),
    pytest.param(
        job(description="of caf\udce9"),
        'error $.description: "of caf\\udce9" holds half of a surrogate pair, which is no character: no database keeps it '
        "(take it away)",
        id="half a character",
    ),
    pytest.param(
        job(parameters=[{"name": "p", "default": "a\0b"}]),
        'error $.parameters[0].default: "a\\x00b" holds a NUL character: no database keeps it (take it away)',
        id="NUL",
    ),
    pytest.param({"name": "j", "tasks": []}, "warning $.tasks: the job has no tasks", id="no tasks"),
    pytest.param([], "error $: a job is a JSON object, not a list", id="no object"),
]


@pytest.mark.parametrize(("raw", "expected"), CASES)
def test_a_fault_is_reported_alone_with_its_path_and_what_to_do(raw: Any, expected: str) -> None:
    before = copy.deepcopy(raw)
    related = {'unknown key "notebok_task"', "is required and not set"}
    found = [text for text in problems(raw) if text == expected or not any(part in text for part in related)]
    assert found == [expected]
    assert raw == before


GOOD = [
    pytest.param(job(), id="plain"),
    pytest.param(job(timeout_seconds="60"), id="number as text"),
    pytest.param(job(timeout_seconds=60.0), id="number with a point"),
    pytest.param(job(queue={"enabled": "true"}), id="boolean as text"),
    pytest.param(job(task(run_job_task={"job_id": "123"})), id="id as text"),
    pytest.param(job(task(run_job_task={"job_id": "{{job.parameters.child}}"})), id="id as a reference"),
    pytest.param(
        job(task(**loop(inputs="{{job.parameters.x}}")), parameters=[{"name": "x", "default": "[]"}]),
        id="loop over a reference",
    ),
    pytest.param(job(task(new_cluster={"spark_env_vars": {"PATH": "${HOME}/bin"}})), id="variable of the shell"),
    pytest.param(job(task(sql_task={"warehouse_id": "w", "query": {"query_id": "a < B and C > d"}})), id="comparison"),
    pytest.param(job(schedule=None, continuous=None, trigger=None), id="nulls exclude nothing"),
    pytest.param(job({"task_key": "a", "genie_code_task": {}, "notebook_task": None}), id="task type that came later"),
    pytest.param(
        job(git_source={"git_url": "u", "git_provider": "GITHUB", "git_branch": "b"}), id="git provider in any case"
    ),
]


def test_settings_without_effect_are_named_only_where_they_say_something() -> None:
    written = {"run_if": "ALL_SUCCESS", "timeout_seconds": 0, "max_retries": 0, "disabled": False, "depends_on": []}
    plain = {**written, "min_retry_interval_millis": 0, "retry_on_timeout": False}
    tasks = [task(**loop(task=task("inner", **plain)), **plain), {**plain, "task_key": "b", "condition_task": EQUAL}]
    assert check_job(job(*tasks)) == []


@pytest.mark.parametrize("raw", GOOD)
def test_what_the_api_takes_has_no_error(raw: Any) -> None:
    job, found = read_job(raw)
    assert job is not None
    assert [problem for problem in found if problem.severity is Severity.ERROR] == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        pytest.param(job(task(run_if="NOPE")), "NOPE", id="enum"),
        pytest.param(job(task(job_cluster_key="nowhere")), "nowhere", id="job cluster"),
        pytest.param(job(task(notebook_task={})), "", id="required field"),
        pytest.param(job(max_concurrent_runs="many"), None, id="type"),
    ],
)
def test_in_a_bundle_the_same_fault_is_a_warning_and_the_job_is_there(raw: Any, expected: Any) -> None:
    read, found = read_job(raw, lenient=True)
    assert read is not None
    assert {problem.severity for problem in found} == {Severity.WARNING}
    assert read.tasks is not None
    values = (read.tasks[0].run_if, read.tasks[0].job_cluster_key, read.tasks[0].payload.notebook_path)
    assert expected in (*values, read.max_concurrent_runs)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(job(task("a", **after("a"))), id="cycle"),
        pytest.param(job(task(), task()), id="task_key twice"),
        pytest.param(job({"notebook_task": NOTE}), id="no task_key"),
        pytest.param(job(task(run_job_task={"job_id": 1}, notebook_task=NOTE)), id="two task types"),
        pytest.param(job(task(notebook_task={"notebook_path": "<ROOT>"})), id="placeholder"),
    ],
)
def test_in_a_bundle_what_can_never_run_is_an_error(raw: Any) -> None:
    assert any(problem.severity is Severity.ERROR for problem in check_job(raw, lenient=True))


def test_references_of_a_bundle_to_its_resources_may_stand() -> None:
    read, found = read_job(job(task(run_job_task={"job_id": "${resources.jobs.child.id}"})), lenient=True)
    assert (found, read is not None) == ([], True)


def test_two_circles_are_both_reported_and_what_hangs_on_them_is_not() -> None:
    raw = job(task("a", **after("b")), task("b", **after("a")), task("c", **after("b")), task("d", **after("d", "c")))
    assert [text.split(": ")[-1].split(" (")[0] for text in problems(raw)] == ["a → b → a", "d → d"]


def test_all_faults_come_at_once_in_the_order_of_the_text_with_line_and_column() -> None:
    text = """{
  "name": "<JOB>",
  "max_concurrent_runs": "x",
  "tasks": [
    {"task_key": "a", "notebook_task": {}},
    {"task_key": "b", "max_retires": 1, "depends_on": [{"task_key": "A"}],
     "notebook_task": {"notebook_path": "${var.root}/n"}}
  ]
}"""
    document, _ = parse_json(text, Path("job.json"))
    assert document is not None
    found = check_job(document.value, file=Path("job.json"), positions=document.positions)
    assert [(problem.line, problem.column, problem.path) for problem in found] == [
        (2, 11, "$.name"),
        (3, 26, "$.max_concurrent_runs"),
        (5, 40, "$.tasks[0].notebook_task"),
        (6, 23, "$.tasks[1].max_retires"),
        (6, 69, "$.tasks[1].depends_on[0].task_key"),
        (7, 41, "$.tasks[1].notebook_task.notebook_path"),
    ]
    assert all(problem.file == Path("job.json") for problem in found)


def test_a_list_where_one_of_two_types_is_wanted_is_refused_with_its_place() -> None:
    raw = {"name": "j", "tasks": [{"task_key": "a", "run_job_task": {"job_id": []}}]}
    read, found = read_job(raw)
    assert read is None
    assert [problem.path for problem in found] == ["$.tasks[0].run_job_task.job_id"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(ANY_JSON, st.fixed_dictionaries({"tasks": ANY_JSON | st.lists(ANY_JSON)})), st.booleans())
def test_no_json_breaks_the_checks(raw: Any, lenient: bool) -> None:
    before = json.dumps(raw)
    check_job(raw, lenient=lenient)
    assert json.dumps(raw) == before


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(jobs, st.data(), st.booleans())
def test_a_job_with_one_part_replaced_by_anything_is_read_or_refused(
    raw: Any, data: st.DataObject, lenient: bool
) -> None:
    place: Any = raw
    for _ in range(data.draw(st.integers(0, 6))):
        steps = list(place) if isinstance(place, dict) else list(range(len(place))) if isinstance(place, list) else []
        inner = [step for step in steps if isinstance(place[step], (dict, list)) and place[step]]
        if not inner:
            break
        place = place[data.draw(st.sampled_from(inner))]
    steps = list(place) if isinstance(place, dict) else list(range(len(place)))
    if steps:
        place[data.draw(st.sampled_from(steps))] = data.draw(ANY_JSON)
    read, found = read_job(raw, lenient=lenient)
    assert read is not None or any(problem.severity is Severity.ERROR for problem in found)


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(job(*[1] * 50_000), id="numbers for tasks"),
        pytest.param(job(libraries=[1] * 50_000), id="unknown list"),
        pytest.param(job(task(libraries=[1] * 50_000)), id="numbers for libraries"),
        pytest.param(job(**{f"key_{number}_{'x' * 40}": 1 for number in range(50_000)}), id="unknown keys"),
        pytest.param(job(**{"x" * 5_000_000: 1}), id="long key"),
        pytest.param(job(*[task(f"t{n}", **after(*[f"t{m}" for m in range(100)])) for n in range(1000)]), id="dense"),
        pytest.param(job(description="<A" * 200_000 + "${a" * 200_000), id="near placeholders"),
    ],
)
def test_a_huge_job_is_refused_within_seconds_and_with_few_words(raw: Any) -> None:
    start = time.process_time()
    found = check_job(raw)
    assert time.process_time() - start < 15
    assert len(found) <= MOST + 1
    assert all(len(str(problem)) < 2000 for problem in found)


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("raw", "path", "says"),
    [
        pytest.param(
            job(schedule={"quartz_cron_expression": "0 0 25 * * ?", "timezone_id": "UTC"}),
            "$.schedule.quartz_cron_expression",
            "hours: '25'",
            id="cron expression",
        ),
        pytest.param(
            job(schedule={"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Europe/Warszawa"}),
            "$.schedule.timezone_id",
            "time zone: 'Europe/Warszawa'",
            id="time zone",
        ),
        pytest.param(
            job(triggers=[{"schedule": {"quartz_cron_expression": "0 12 * * *", "timezone_id": "UTC"}}]),
            "$.triggers[0].schedule.quartz_cron_expression",
            "6 or 7 fields",
            id="one of several triggers",
        ),
        pytest.param(
            job(task(notebook_task={"notebook_path": "/n", "base_parameters": {"a": "{{job.naem}}"}})),
            "$.tasks[0].notebook_task.base_parameters.a",
            "job has no member 'naem'",
            id="reference",
        ),
    ],
)
def test_schedules_and_references_are_read(raw: Any, path: str, says: str, lenient: bool) -> None:
    found = [problem for problem in check_job(raw, lenient=lenient) if problem.path == path]
    assert [problem.severity for problem in found] == [Severity.WARNING if lenient else Severity.ERROR]
    assert says in found[0].message


def test_a_job_of_the_old_single_task_form_is_told_where_its_task_belongs() -> None:
    raw = {"name": "j", "new_cluster": {"num_workers": 1}, "notebook_task": NOTE, "timeout_seconds": 5}
    assert problems(raw) == [
        'warning $.new_cluster: unknown key "new_cluster" (it belongs to a task)',
        'warning $.notebook_task: unknown key "notebook_task" (it belongs to a task)',
        "error $.notebook_task: the job has no tasks: its only task stands at the top, as in Jobs API 2.0 "
        '("tasks": [{"task_key": "main", …}], with new_cluster, notebook_task inside)',
    ]


@pytest.mark.parametrize(
    ("fields", "severities"),
    [
        ({"notebook_task": {"notebook_path": "/Users/<you>/n"}}, ["error"]),
        ({"existing_cluster_id": "<cluster-id>"}, ["error"]),
        ({"email_notifications": {"on_failure": ["<your-mail>"]}}, ["error"]),
        ({"notebook_task": {**NOTE, "base_parameters": {"html": "<b>x</b>", "type": "Map<String>"}}}, []),
        ({"notebook_task": {**NOTE, "base_parameters": {"table": "<CATALOG>.s"}}}, ["error"]),
        ({"description": "for <YOU>"}, ["warning"]),
        ({"description": "for <you>"}, []),
    ],
)
def test_what_counts_as_a_placeholder(fields: dict[str, Any], severities: list[str]) -> None:
    found = [problem for problem in check_job(job(task(**fields))) if "placeholder" in problem.message]
    assert [str(problem.severity) for problem in found] == severities


def test_dependencies_of_tasks_without_a_key_of_their_own_are_checked_too() -> None:
    nameless = {**after("aa"), "notebook_task": NOTE}
    raw = job(task("a"), task("b", **after("a")), task("b", **after("bb")), nameless)
    assert set(problems(raw)) == {
        'error $.tasks[2].task_key: task_key "b" stands twice, first at tasks[1]',
        'error $.tasks[2].depends_on[0].task_key: "b" depends on "bb", which is no task (did you mean b?)',
        "error $.tasks[3]: task_key is required and not set",
        'error $.tasks[3].depends_on[0].task_key: the task depends on "aa", which is no task (did you mean a?)',
    }
