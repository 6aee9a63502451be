"""References that can never resolve, found before a run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.spec.problems import Severity
from medallion.spec.references import check_references

NOTEBOOK = {"notebook_path": "/Shop/a"}


def job(text: str, *, field: str = "base_parameters") -> dict:
    """load → query → each (each_iteration) → report, beside aside; `text` stands in report."""
    return {
        "parameters": [{"name": "catalog", "default": "main"}],
        "tasks": [
            {"task_key": "load", "notebook_task": NOTEBOOK},
            {"task_key": "aside", "notebook_task": NOTEBOOK},
            {"task_key": "query", "depends_on": [{"task_key": "load"}], "sql_task": {"query": {"query_id": "1"}}},
            {
                "task_key": "each",
                "depends_on": [{"task_key": "query"}],
                "for_each_task": {
                    "inputs": "{{tasks.query.output.rows}}",
                    "task": {"task_key": "each_iteration", "spark_python_task": {"parameters": ["{{input.id}}"]}},
                },
            },
            {
                "task_key": "report",
                "depends_on": [{"task_key": "each"}],
                "notebook_task": {
                    "notebook_path": "/Shop/r",
                    field: {"p": text} if field == "base_parameters" else text,
                },
            },
            {"task_key": "after", "depends_on": [{"task_key": "report"}], "notebook_task": NOTEBOOK},
        ],
    }


@pytest.mark.parametrize(
    "text",
    [
        "{{job.parameters.catalog}} {{ job.parameters.[catalog] }}",
        "{{tasks.load.values.rows}} {{tasks.`load`.result_state}}",
        "{{tasks.query.output.first_row.a}}",
        "{{job.start_time.iso_date}} {{task_key}}",
        "{{job.id + 1}} {{}} text",
    ],
)
def test_what_can_resolve_is_no_problem(text):
    assert check_references(job(text)) == []


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        pytest.param("{{job.parameters.catlog}}", "no parameter 'catlog'", "did you mean catalog?", id="parameter"),
        pytest.param("{{tasks.laod.values.x}}", "no task 'laod'", "did you mean load?", id="task"),
        pytest.param(
            "{{tasks.aside.values.x}}", "'aside' does not run before 'report'", "depends_on", id="no ancestor"
        ),
        pytest.param("{{tasks.after.values.x}}", "'after' runs after 'report'", None, id="descendant"),
        pytest.param("{{tasks.report.values.x}}", "cannot ask for what it has yet to do", None, id="itself"),
        pytest.param("{{tasks.each_iteration.values.x}}", "runs inside 'each'", None, id="inside a for-each"),
        pytest.param("{{tasks.each.values.x}}", "values of iterations", None, id="a for-each"),
        pytest.param("{{tasks.query.values.x}}", "sets no task values", None, id="values of a SQL task"),
        pytest.param("{{tasks.load.output.rows}}", "only SQL tasks have an output", None, id="output of a notebook"),
        pytest.param("{{tasks.query.output.alert_state}}", "evaluates no alert", None, id="state of a query"),
        pytest.param("{{tasks.query.notebook_path}}", "not a notebook_task", None, id="notebook of a SQL task"),
        pytest.param("{{task.key}}", "no member 'key'", "write {{task.name}}", id="the API's name"),
        pytest.param("{{job.params.a}}", "no member", "write {{job.parameters.a}}", id="a short name"),
        pytest.param("{{job.naem}}", "no member 'naem'", "did you mean {{job.name}}?", id="member"),
        pytest.param("{{input}}", "for_each_task", None, id="input outside a for-each"),
    ],
)
def test_what_can_never_resolve_is_an_error(text, says, hint):
    (problem,) = check_references(job(f"x {text}"))
    assert problem.severity is Severity.ERROR
    assert problem.path == "$.tasks[4].notebook_task.base_parameters.p"
    assert problem.message.startswith(f"{text}: ")
    assert says in problem.message
    assert (hint or "") in (problem.hint or "")


@pytest.mark.parametrize(
    ("text", "field", "says"),
    [
        pytest.param("{{jobs.id}}", "base_parameters", "unknown name", id="unknown namespace"),
        pytest.param("{{backfill.iso_date}}", "base_parameters", "no backfill", id="backfill"),
        pytest.param("/a/{{job.id}}", "notebook_path", "takes no references", id="a field without references"),
    ],
)
def test_what_stays_literal_or_is_rare_is_a_warning(text, field, says):
    (problem,) = check_references(job(text, field=field))
    assert problem.severity is Severity.WARNING
    assert says in problem.message


@pytest.mark.parametrize(
    ("kind", "payload", "path"),
    [
        ("spark_python_task", {"parameters": ["a", "{{job.x}}"]}, "parameters[1]"),
        ("python_wheel_task", {"named_parameters": {"k": "{{job.x}}"}}, "named_parameters.k"),
        ("sql_task", {"parameters": {"k": "{{job.x}}"}}, "parameters.k"),
        ("dbt_task", {"commands": ["dbt run {{job.x}}"]}, "commands[0]"),
        ("condition_task", {"op": "EQUAL_TO", "left": "1", "right": "{{job.x}}"}, "right"),
        ("run_job_task", {"job_id": 1, "job_parameters": {"k": "{{job.x}}"}}, "job_parameters.k"),
        ("for_each_task", {"inputs": "{{job.x}}"}, "inputs"),
        ("python_operator_task", {"parameters": [{"name": "k", "value": "{{job.x}}"}]}, "parameters[0].value"),
    ],
)
def test_every_field_that_takes_references_is_looked_at(kind, payload, path):
    (problem,) = check_references({"tasks": [{"task_key": "a", kind: payload}]})
    assert problem.path == f"$.tasks[0].{kind}.{path}"


def test_the_task_inside_a_for_each_is_looked_at():
    inner = {"task_key": "b", "notebook_task": {"base_parameters": {"k": "{{tasks.x.run_id}} {{input}}"}}}
    (problem,) = check_references({"tasks": [{"task_key": "a", "for_each_task": {"inputs": "[1]", "task": inner}}]})
    assert problem.path == "$.tasks[0].for_each_task.task.notebook_task.base_parameters.k"


def test_defaults_of_job_parameters_are_looked_at():
    found = check_references(
        {
            "parameters": [
                {"name": "a", "default": "{{job.parameters.b}}"},
                {"name": "b", "default": "{{job.parameters.a}}"},
                {"name": "c", "default": "{{tasks.x.run_id}}"},
            ],
            "tasks": [{"task_key": "x", "notebook_task": NOTEBOOK}],
        }
    )
    assert [(problem.path, problem.message) for problem in found] == [
        ("$.parameters[2].default", "{{tasks.x.run_id}}: no task has run yet when job parameters are resolved"),
        ("$.parameters[0].default", "job parameters refer to each other in a circle: a → b → a"),
    ]


def test_many_parameters_that_name_each_other_take_no_time():
    names = [f"p{index}" for index in range(60)]
    parameters = [
        {"name": name, "default": "".join(f"{{{{job.parameters.{later}}}}}" for later in names[index + 1 :])}
        for index, name in enumerate(names)
    ]
    assert check_references({"parameters": parameters}) == []


@pytest.mark.parametrize(
    "alert",
    [
        pytest.param({"sql_task": {"alert": {"alert_id": "1"}}}, id="of a SQL task"),
        pytest.param({"alert_task": {"alert_id": "1"}}, id="of its own kind"),
    ],
)
def test_an_alert_has_a_state(alert):
    read = {"op": "EQUAL_TO", "left": "{{tasks.alert.output.alert_state}}", "right": "OK"}
    after = {"task_key": "read", "depends_on": [{"task_key": "alert"}], "condition_task": read}
    assert check_references({"tasks": [{"task_key": "alert", **alert}, after]}) == []


def test_a_circle_of_tasks_does_no_harm():
    one = {"task_key": "a", "depends_on": [{"task_key": "b"}], "notebook_task": NOTEBOOK}
    two = {"task_key": "b", "depends_on": [{"task_key": "a"}], "notebook_task": NOTEBOOK}
    assert check_references({"tasks": [one, two]}) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["{{job.x}}", "{{tasks.a.run_id}}", "a", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["tasks", "task_key", "parameters", "notebook_task", "for_each_task", "task", "depends_on"]
            ),
            inner,
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["tasks", "parameters", "name"]), JSON))
def test_what_is_no_job_does_no_harm(value):
    for problem in check_references(value):
        assert problem.path


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("{{run.id}}", "job.run_id"),
        ("{{params.date}}", "job.parameters.date"),
        ("{{parameters}}", "job.parameters.<name>"),
        ("{{item.name}}", "input.name"),
        ("{{ds}}", "job.start_time.iso_date"),
    ],
)
def test_a_name_of_another_tool_is_told_in_databricks_words(text: str, right: str) -> None:
    (problem,) = check_references(job(text))
    assert problem.hint == f"write {{{{{right}}}}}"
