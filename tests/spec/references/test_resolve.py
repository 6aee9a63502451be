"""What each reference gives, and how a wrong one fails."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference_scope import START, FixedScope, FixedTask

from medallion.errors import ReferenceFault
from medallion.spec.references import TableUpdate, resolve, resolve_parameters, resolve_task, resolve_tree

ORDERS = FixedTask(result={"rows": [{"id": 1, "name": "ä"}, {"id": 2, "name": None}]})
VALUES = {"text": "x y", "flag": True, "whole": 12, "part": 1.5, "list": [1, "a"], "object": {"a": None}, "none": None}


def scope(**changes) -> FixedScope:
    tasks = {
        "load": FixedTask(values=VALUES),
        "orders": ORDERS,
        "alert": FixedTask(result={"alert_state": "TRIGGERED"}),
        "broken": FixedTask(result_state="UPSTREAM_FAILED", error_code="RunExecutionError", notebook_path=None),
    }
    known = {"catalog": "main", "a.b": "dotted", "my name": "spaced", "raw": "{{job.id}}"}
    update = {"main.sales.orders": TableUpdate(12, START)}
    return FixedScope(**{"tasks": tasks, "parameters": known, "updates": update, **changes})


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{job.id}}", "7"),
        ("{{job.name}}", "shop"),
        ("{{job.run_id}}", "70"),
        ("{{job.repair_count}}", "0"),
        ("{{job.start_time.iso_weekday}}", "7"),
        ("{{job.start_time.is_weekday}}", "false"),
        ("{{job.start_time.iso_date}}", "2026-03-08"),
        ("{{job.start_time.iso_datetime}}", "2026-03-08T07:05:09Z"),
        ("{{job.start_time}}", "2026-03-08T07:05:09Z"),
        ("{{job.start_time.year}}/{{job.start_time.month}}/{{job.start_time.day}}", "2026/3/8"),
        ("{{job.start_time.hour}}:{{job.start_time.minute}}:{{job.start_time.second}}", "7:5:9"),
        ("{{job.start_time.timestamp_ms}}", "1772953509250"),
        ("{{job.trigger.time.iso_datetime}}", "2026-03-08T07:00:00Z"),
        ("{{job.trigger.type}}", "periodic"),
        ("{{job.trigger.file_arrival.location}}", ""),
        ("{{job.trigger.table_update.updated_tables}}", "[]"),
        ("{{job.trigger.table_update.`main.sales.orders`.version}}", "12"),
        ("{{job.trigger.table_update.main.sales.orders.commit_timestamp.iso_date}}", "2026-03-08"),
        ("{{job.trigger.table_update.main.sales.other.version}}", ""),
        ("{{job.parameters.catalog}}", "main"),
        ("{{job.parameters.a.b}}", "dotted"),
        ("{{job.parameters.`a.b`}}", "dotted"),
        ("{{ job.parameters.[my name] }}", "spaced"),
        ("{{task.name}}", "report"),
        ("{{task.run_id}}", "22"),
        ("{{task.execution_count}}", "3"),
        ("{{task.notebook_path}}", "/Shop/report"),
        ("{{tasks.load.run_id}}", "21"),
        ("{{tasks.load.execution_count}}", "2"),
        ("{{tasks.load.notebook_path}}", "/Shop/load"),
        ("{{tasks.load.result_state}}", "success"),
        ("{{tasks.broken.result_state}}", "upstream_failed"),
        ("{{tasks.load.error_code}}", ""),
        ("{{tasks.broken.error_code}}", "RunExecutionError"),
        ("{{tasks.load.values.text}}", "x y"),
        ("{{tasks.load.values.flag}}", "true"),
        ("{{tasks.load.values.whole}}", "12"),
        ("{{tasks.load.values.part}}", "1.5"),
        ("{{tasks.load.values.list}}", '[1,"a"]'),
        ("{{tasks.load.values.object}}", '{"a":null}'),
        ("{{tasks.load.values.none}}", "null"),
        ("{{tasks.orders.output.rows}}", '[{"id":1,"name":"ä"},{"id":2,"name":null}]'),
        ("{{tasks.orders.output.first_row}}", '{"id":1,"name":"ä"}'),
        ("{{tasks.orders.output.first_row.name}}", "ä"),
        ("{{tasks.alert.output.alert_state}}", "TRIGGERED"),
        ("{{workspace.id}} {{workspace.url}}", "0 localhost"),
        ("{{job_id}} {{run_id}} {{parent_run_id}} {{task_key}}", "7 22 70 report"),
        ("{{start_date}} {{start_time}} {{task_retry_count}}", "2026-03-08 1772953509250 1"),
    ],
)
def test_each_reference_has_its_value(text, value):
    assert resolve(text, scope()) == value


@pytest.mark.parametrize(
    "text",
    [
        "{{secrets/a/b}}",
        "{{ unknown.name }}",
        "{{jobs.id}}",
        "{{job.id",
        "{{ 1 + 1 }}",
        "{{run.id}}",
        "{{start_time.year}}",
    ],
)
def test_what_is_no_reference_stays(text):
    assert resolve(f"<{text}>", scope()) == f"<{text}>"


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("{{job.naem}}", "job has no member 'naem'", "did you mean {{job.name}}?"),
        ("{{job.notebook_url}}", "job has no member", "it has: id, name"),
        ("{{job}}", "job needs a member", "id, name"),
        ("{{job.id.x}}", "job.id has no members", "write {{job.id}}"),
        ("{{job.trigger.time}}", "job.trigger.time needs a member", "iso_date"),
        ("{{job.start_time.iso_dat}}", "no member 'iso_dat'", "did you mean {{job.start_time.iso_date}}?"),
        ("{{task.nme}}", "no member 'nme'", "did you mean {{task.name}}?"),
        ("{{tasks.load.valeus.x}}", "no member 'valeus'", "did you mean {{tasks.load.values}}?"),
        ("{{tasks.laod.values.x}}", "task 'laod' does not run before", "did you mean load?"),
        ("{{tasks.load.values.txet}}", "task 'load' set no value 'txet'", "did you mean text?"),
        ("{{job.parameters.catlog}}", "no job parameter 'catlog'", "did you mean catalog?"),
        ("{{tasks.load.output.rows}}", "has no rows in its output", ""),
        ("{{tasks.orders.output.alert_state}}", "no alert_state", ""),
        ("{{tasks.orders.output.first_row.nmae}}", "no column 'nmae'", "did you mean name?"),
        ("{{tasks.broken.notebook_path}}", "no notebook task", ""),
        ("{{input}}", "for_each_task", ""),
        ("{{input.x}}", "for_each_task", ""),
        ("{{backfill.iso_date}}", "backfill run", ""),
        ("{{workspace.name}}", "workspace has no member", "it has: id, url"),
    ],
)
def test_a_wrong_reference_fails_with_its_name_and_what_was_meant(text, says, hint):
    with pytest.raises(ReferenceFault) as caught:
        resolve(f"before {text} after", scope())
    assert caught.value.message.startswith(f"{text}: ")
    assert says in caught.value.message
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("element", "text", "value"),
    [
        ("x", "{{input}}", "x"),
        (3, "{{input}}", "3"),
        ({"a": 1, "b": True}, "{{input.a}}-{{input.b}}", "1-true"),
        ({"a": 1}, "{{input}}", '{"a":1}'),
        ({"a": {"b": {"c": 1}, "d.e": 2}}, "{{input.a.b.c}} {{input.a.b}} {{input.a.d.e}}", '1 {"c":1} 2'),
        ({"a": {"b": 1}, "a.b": "own"}, "{{input.a.b}} {{input.[a.b]}}", "own own"),
    ],
)
def test_the_element_of_an_iteration(element, text, value):
    assert resolve(text, scope(element=element)) == value


def test_a_member_of_an_element_that_is_no_object_fails():
    with pytest.raises(ReferenceFault, match="is no object"):
        resolve("{{input.a}}", scope(element="x"))


def test_a_member_within_a_member_that_is_not_there_fails_with_the_nearest():
    with pytest.raises(ReferenceFault, match=r"\{\{input.a.count\}\}: there is no member 'count'") as caught:
        resolve("{{input.a.count}}", scope(element={"a": {"country": "pl"}}))
    assert "country" in (caught.value.hint or "")


def test_an_empty_result_has_no_first_row():
    with pytest.raises(ReferenceFault, match="has no rows"):
        resolve("{{tasks.t.output.first_row.a}}", scope(tasks={"t": FixedTask(result={"rows": []})}))


def test_times_are_in_utc_whatever_zone_they_come_in():
    east = datetime(2026, 3, 9, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert resolve("{{backfill.iso_datetime}}", scope(backfill_time=east)) == "2026-03-08T23:30:00Z"
    assert resolve("{{backfill.hour}}", scope(backfill_time=datetime(2026, 3, 9, 1))) == "1"
    assert datetime.fromisoformat(resolve("{{job.start_time.iso_datetime}}", scope())).tzinfo == UTC


def test_a_value_is_never_read_for_references():
    assert resolve("{{job.parameters.raw}}", scope()) == "{{job.id}}"


def test_only_what_a_reference_needs_is_asked_for():
    asked = scope()
    resolve("{{job.id}} {{tasks.load.run_id}}", asked)
    assert asked.asked == ["load"]


def test_a_tree_keeps_its_shape():
    tree = {"a": ["{{job.id}}", 1, None, {"b": "x{{task.name}}"}], "{{job.id}}": True}
    assert resolve_tree(tree, scope()) == {"a": ["7", 1, None, {"b": "xreport"}], "{{job.id}}": True}


def test_a_task_resolves_the_fields_that_take_references():
    task = {"notebook_path": "/a/{{job.id}}", "base_parameters": {"x": "{{job.id}}"}}
    assert resolve_task("notebook_task", task, scope()) == {
        "notebook_path": "/a/{{job.id}}",
        "base_parameters": {"x": "7"},
    }


def test_job_parameters_resolve_through_each_other():
    raw = {"path": "/{{job.parameters.day}}/{{job.parameters.root}}", "day": "{{job.start_time.iso_date}}", "root": "r"}
    assert resolve_parameters(raw, scope()) == {"path": "/2026-03-08/r", "day": "2026-03-08", "root": "r"}


def test_job_parameters_in_a_circle_fail_with_the_circle():
    raw = {"a": "{{job.parameters.b}}", "b": "{{job.parameters.c}}", "c": "{{job.parameters.b}}"}
    with pytest.raises(ReferenceFault, match="circle: b → c → b"):
        resolve_parameters(raw, scope())


def outcome(text: str) -> str:
    try:
        return resolve(text, scope())
    except ReferenceFault as fault:
        return fault.message


@given(st.text("{}job.id task`[]x", max_size=100))
def test_any_text_resolves_or_fails_in_words(text):
    assert outcome(text) is not None


@given(
    st.lists(st.sampled_from(["job", "task", "tasks", "load", "values", "id", "start_time", "output", "x"]), min_size=1)
)
def test_any_names_resolve_or_fail_in_words(names):
    text = "{{" + ".".join(names) + "}}"
    told = outcome(text)
    assert "{{" not in told or text in told
