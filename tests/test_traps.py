"""The traps of a Lakeflow implementer, by number and name: what is easy to get wrong, asked of the product itself.

Traps that show only in a real run have their test beside that run; the last test here sees to it that none is missing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from reference_scope import FixedScope
from runs.notifications.conftest import Story, job, task

from medallion.errors import ReferenceFault, RunError
from medallion.factory.sources import is_from_git
from medallion.runs.changes import Kind
from medallion.runs.notifications.events import notifications_of
from medallion.runs.repair import Wanted, check_lock
from medallion.runs.rules import start_rules
from medallion.runs.states import Result, leaves_of, run_result
from medallion.settings import Settings
from medallion.spec.bundle import Resolved, load_bundle, resolve_bundle
from medallion.spec.check import check_job, read_job
from medallion.spec.job import Job
from medallion.spec.problems import Severity
from medallion.spec.quartz import Quartz, QuartzError, parse_schedule
from medallion.spec.references import resolve
from medallion.spec.run_if import Outcome, Verdict, judge
from medallion.triggers.entries import Entry
from medallion.triggers.store import Store, state_file
from medallion.triggers.watch import JobWatch

TRAPS = range(1, 30)
MAIL = {"email_notifications": {event: [f"{event}@example.org"] for event in ("on_start", "on_success", "on_failure")}}
S, F, X, D = Outcome.SUCCESS, Outcome.FAILED, Outcome.EXCLUDED, Outcome.DISABLED


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[..., Resolved]:
    """Writes a bundle, resolves it and sees that it has no errors."""

    def write(files: dict[str, str], **how: Any) -> Resolved:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        resolved = resolve_bundle(tmp_path, environ={}, **how)
        assert resolved.errors == ()
        return resolved

    return write


def told_by_mail(**about: Any) -> list[str]:
    """Who is told of the end of a run."""
    return [
        who.name
        for told in notifications_of(Story(job(**MAIL)).change(Kind.RUN_ENDED, **about))
        for who in told.recipients
    ]


def test_trap_1_leaves_alone_decide_the_result_and_with_failures_notifies_as_success() -> None:
    leaves = leaves_of({"load": [], "middle": ["load"], "report": ["middle"]})
    results = {"load": Result.SUCCESS, "middle": Result.FAILED, "report": Result.SUCCESS}
    ended = run_result(results, leaves)
    assert (leaves, ended) == ({"report"}, Result.SUCCESS_WITH_FAILURES)
    assert told_by_mail(result=str(ended)) == ["on_success@example.org"]
    failed = run_result({**results, "middle": Result.SUCCESS, "report": Result.FAILED}, leaves)
    assert failed is Result.FAILED
    assert told_by_mail(result=str(failed)) == ["on_failure@example.org"]


@pytest.mark.parametrize(
    ("run_if", "parents", "verdict", "ends"),
    [
        pytest.param("AT_LEAST_ONE_FAILED", [S, S], Verdict.EXCLUDED, Result.SUCCESS, id="handler of one failure"),
        pytest.param("ALL_FAILED", [S, S], Verdict.EXCLUDED, Result.SUCCESS, id="handler of failures"),
        pytest.param("ALL_SUCCESS", [S, F], Verdict.UPSTREAM_FAILED, Result.FAILED, id="all success"),
        pytest.param("AT_LEAST_ONE_SUCCESS", [F, F], Verdict.UPSTREAM_FAILED, Result.FAILED, id="one success"),
        pytest.param("NONE_FAILED", [S, F], Verdict.UPSTREAM_FAILED, Result.FAILED, id="none failed"),
    ],
)
def test_trap_3_unmet_failure_handlers_are_excluded_and_unmet_success_rules_upstream_failed(
    run_if: str, parents: list[Outcome], verdict: Verdict, ends: Result
) -> None:
    assert judge(run_if, parents) is verdict
    results = {f"p{number}": Result(parent) for number, parent in enumerate(parents)} | {"leaf": Result(verdict)}
    assert run_result(results, ["leaf"]) is ends


@pytest.mark.parametrize(
    ("run_if", "parents", "verdict"),
    [
        pytest.param("NONE_FAILED", [S, D], Verdict.RUN, id="none failed: one executed"),
        pytest.param("NONE_FAILED", [D, X], Verdict.RUN, id="none failed: disabled and excluded"),
        pytest.param("NONE_FAILED", [X, X], Verdict.EXCLUDED, id="none failed: all excluded"),
        pytest.param("NONE_FAILED", [D, D], Verdict.DISABLED, id="none failed: none executed"),
        pytest.param("ALL_SUCCESS", [S, D], Verdict.DISABLED, id="disabled is no success"),
        pytest.param("ALL_FAILED", [F, D], Verdict.DISABLED, id="disabled is no failure"),
        pytest.param("AT_LEAST_ONE_SUCCESS", [F, D], Verdict.UPSTREAM_FAILED, id="disabled is not the one success"),
        pytest.param("AT_LEAST_ONE_FAILED", [S, D], Verdict.EXCLUDED, id="disabled is not the one failure"),
        pytest.param("ALL_DONE", [D, D], Verdict.RUN, id="disabled is done"),
    ],
)
def test_trap_4_none_failed_needs_an_executed_parent_and_disabled_is_neither(
    run_if: str, parents: list[Outcome], verdict: Verdict
) -> None:
    assert judge(run_if, parents) is verdict


@pytest.mark.parametrize(
    ("kind", "payload", "git"),
    [
        pytest.param("spark_python_task", {"python_file": "a.py"}, False, id="a Python file says nothing"),
        pytest.param("spark_python_task", {"python_file": "a.py", "source": "GIT"}, True, id="a Python file says GIT"),
        pytest.param("notebook_task", {"notebook_path": "a"}, True, id="notebook"),
        pytest.param("notebook_task", {"notebook_path": "/a", "source": "WORKSPACE"}, False, id="notebook, WORKSPACE"),
        pytest.param("sql_task", {"file": {"path": "a.sql"}}, True, id="SQL file"),
        pytest.param("dbt_task", {"commands": ["dbt run"]}, True, id="dbt"),
    ],
)
def test_trap_11_a_python_file_is_of_the_workspace_even_beside_a_git_source(
    kind: str, payload: dict[str, Any], git: bool
) -> None:
    source = {"git_url": "https://example.org/r.git", "git_provider": "gitHub", "git_branch": "main"}
    assert is_from_git(kind, payload, Job.from_json({"name": "j", "git_source": source, "tasks": []})) is git


def test_trap_12_the_queue_is_on_unless_the_job_says_otherwise(bundle: Callable[..., Resolved]) -> None:
    assert start_rules(Job.from_json({"name": "j"})).queue
    assert start_rules(Job.from_json({"name": "j", "queue": {"enabled": True}})).queue
    assert not start_rules(Job.from_json({"name": "j", "queue": {"enabled": False}})).queue
    text = "bundle: {name: b}\nresources: {jobs: {bare: {}, off: {queue: {enabled: false}}}}"
    jobs = bundle({"databricks.yml": text}).resources["jobs"]
    assert {key: found["queue"] for key, found in jobs.items()} == {
        "bare": {"enabled": True},
        "off": {"enabled": False},
    }


def test_trap_13_times_in_references_are_utc_though_the_cron_has_another_zone() -> None:
    zone = "America/New_York"
    fires = Quartz.parse("0 30 23 * * ?").next_after(datetime(2026, 11, 22, 12, tzinfo=UTC), zone)
    assert fires is not None
    local = fires.astimezone(ZoneInfo(zone))
    assert (local.day, local.hour) == (22, 23)
    scope = FixedScope(trigger_time=local, start_time=local)
    for name in ("job.trigger.time", "job.start_time"):
        assert resolve(f"{{{{{name}.iso_datetime}}}}", scope) == "2026-11-23T04:30:00Z"
        assert resolve(f"{{{{{name}.day}}}} {{{{{name}.hour}}}}", scope) == "23 4"
    assert resolve("{{start_date}}", scope) == "2026-11-23"


@pytest.mark.parametrize("text", ["{{secrets/scope/key}}", "{{ nothing.here }}", "{{jobs.id}}", "{{1 + 1}}"])
def test_trap_14_an_unknown_reference_stays_literal(text: str) -> None:
    assert resolve(f"a {text} b", FixedScope()) == f"a {text} b"


@pytest.mark.parametrize("text", ["{{job.notebook_url}}", "{{task.nme}}", "{{workspace.name}}", "{{job.parameters.x}}"])
def test_trap_14_a_bad_member_of_a_known_namespace_fails(text: str) -> None:
    with pytest.raises(ReferenceFault, match=re.escape(text)):
        resolve(f"a {text} b", FixedScope())


def test_trap_18_the_latest_repair_must_be_named_from_the_second_repair_on() -> None:
    first, second = 11, 12
    check_lock(Wanted(locked=True), None)
    with pytest.raises(RunError, match=r"latest_repair_id.*11"):
        check_lock(Wanted(locked=True), first)
    check_lock(Wanted(locked=True, latest_repair_id=first), first)
    with pytest.raises(RunError, match="the latest repair of the run is 12, not 11"):
        check_lock(Wanted(locked=True, latest_repair_id=first), second)
    check_lock(Wanted(), second)


@pytest.mark.parametrize(
    "trigger",
    [pytest.param({"continuous": {}}, id="own"), pytest.param({"triggers": [{"continuous": {}}]}, id="entry")],
)
def test_trap_19_a_continuous_job_has_one_run_and_is_warned_of_dependencies_and_retries(
    trigger: dict[str, Any],
) -> None:
    tasks = [task("a", max_retries=2), task("b", depends_on=[{"task_key": "a"}], max_retries=0)]
    definition = job(tasks=tasks, **trigger, max_concurrent_runs=5)
    problems = [(item.severity, item.path) for item in check_job(definition)]
    assert problems == [
        (Severity.WARNING, "$.tasks[0].max_retries"),
        (Severity.WARNING, "$.tasks[1].depends_on"),
    ]
    found, _ = read_job(definition)
    assert found is not None
    rules = start_rules(found)
    assert (rules.limit, rules.continuous, rules.retry_tasks) == (1, True, False)
    assert check_job(job(tasks=tasks)) == []


def test_trap_20_only_new_names_are_arrivals_and_timers_have_60_seconds_at_least(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    (landing / "there.csv").write_text("1")
    settings = Settings.load(tmp_path, environ={})
    entry = Entry("file_arrival.0", "file_arrival", {"url": f"file:{landing}"})
    watch = JobWatch("job", [entry], Store(state_file(settings.home)), settings)
    watch.open(1000)

    def arrivals(now: float) -> list[str]:
        return [name for due in watch.look(now) for name in watch.fire(due, now).facts["files"]]

    (landing / "there.csv").write_text("written over")
    assert arrivals(1010) == []
    (landing / "new.csv").write_text("2")
    assert arrivals(1020) == ["new.csv"]
    (landing / "new.csv").write_text("written over")
    assert arrivals(1030) == []
    timers = ("min_time_between_triggers_seconds", "wait_after_last_change_seconds")
    for seconds, wrong in ((59, [f"$.trigger.file_arrival.{name}" for name in timers]), (60, [])):
        arrival = {"url": "/Volumes/a/b/c/", **dict.fromkeys(timers, seconds)}
        assert [item.path for item in check_job(job(trigger={"file_arrival": arrival}))] == wrong


def test_trap_21_quartz_has_seconds_a_question_mark_and_sunday_as_1() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    quartz, unix = Quartz.parse("30 0 12 ? * 1"), parse_schedule("0 12 * * 0").quartz
    sundays = [datetime(2026, 11, 29, 12, tzinfo=UTC), datetime(2026, 12, 6, 12, tzinfo=UTC)]
    assert list(islice(quartz.fires(start), 2)) == [noon.replace(second=30) for noon in sundays]
    assert list(islice(unix.fires(start), 2)) == sundays
    assert [next(Quartz.parse(f"0 0 0 ? * {day}").fires(start)).strftime("%a") for day in range(1, 8)] == [
        "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"
    ]  # fmt: skip
    for wrong in ("0 12 * * 0", "0 0 12 * * 1", "0 0 12 ? * 0", "0 0 12 ? * ?"):
        with pytest.raises(QuartzError):
            Quartz.parse(wrong)


OVERRIDES = """
bundle: {name: b}
resources:
  jobs:
    j:
      name: j
      email_notifications: {on_failure: [a@x.org]}
      tasks:
        - {task_key: z, max_retries: 1, notebook_task: {notebook_path: /n}}
        - {task_key: b, notebook_task: {notebook_path: /n}}
targets:
  t:
    resources:
      jobs:
        j:
          email_notifications: {on_failure: [b@x.org]}
          tasks:
            - {task_key: z, max_retries: 3, timeout_seconds: 5}
            - {task_key: a, notebook_task: {notebook_path: /n}}
"""


def test_trap_22_lists_are_joined_and_tasks_merged_by_key_and_sorted(bundle: Callable[..., Resolved]) -> None:
    found = bundle({"databricks.yml": OVERRIDES}).resources["jobs"]["j"]
    assert found["email_notifications"]["on_failure"] == ["a@x.org", "b@x.org"]
    assert [item["task_key"] for item in found["tasks"]] == ["a", "b", "z"]
    assert found["tasks"][2] == {
        "task_key": "z",
        "max_retries": 3,
        "timeout_seconds": 5,
        "notebook_task": {"notebook_path": "/n"},
    }


DEVELOPMENT = """
bundle: {name: b}
resources:
  jobs:
    cron: {name: nightly, schedule: {quartz_cron_expression: 0 0 2 * * ?, timezone_id: UTC}}
    files: {name: files, trigger: {file_arrival: {url: /Volumes/a/b/c/}}}
    always: {name: always, continuous: {}}
    chosen: {name: chosen, max_concurrent_runs: 2, continuous: {pause_status: UNPAUSED}}
targets: {dev: {mode: development}, other: {}}
"""


def test_trap_23_development_pauses_triggers_allows_4_runs_and_renames(bundle: Callable[..., Resolved]) -> None:
    jobs = bundle({"databricks.yml": DEVELOPMENT}, target="dev", user="anna@x.org").resources["jobs"]
    blocks = {"cron": "schedule", "files": "trigger", "always": "continuous", "chosen": "continuous"}
    assert {key: jobs[key][block]["pause_status"] for key, block in blocks.items()} == {
        "cron": "PAUSED",
        "files": "PAUSED",
        "always": "PAUSED",
        "chosen": "UNPAUSED",
    }
    assert {key: found["max_concurrent_runs"] for key, found in jobs.items()} == {
        "cron": 4,
        "files": 4,
        "always": 4,
        "chosen": 2,
    }
    assert jobs["cron"]["name"] == "[dev anna] nightly"
    plain = bundle({"databricks.yml": DEVELOPMENT}, target="other").resources["jobs"]["cron"]
    assert (plain["name"], plain["schedule"]["pause_status"], plain["max_concurrent_runs"]) == (
        "nightly",
        "UNPAUSED",
        1,
    )


def test_trap_24_words_and_clock_times_of_a_bundle_stay_text(tmp_path: Path) -> None:
    parameters = "[{name: full, default: no}, {name: at, default: 12:30}, {name: day, default: 2026-01-02}]"
    text = f"bundle: {{name: b}}\nresources: {{jobs: {{j: {{name: j, parameters: {parameters}}}}}}}"
    (tmp_path / "databricks.yml").write_text(text)
    (found,) = load_bundle(tmp_path, environ={}).require()
    assert [item.default for item in found.job.parameters or ()] == ["no", "12:30", "2026-01-02"]
    by_pyyaml = yaml.safe_load(text)["resources"]["jobs"]["j"]["parameters"]
    assert [item["default"] for item in by_pyyaml[:2]] == [False, 750]


HERE = """
bundle: {name: b}
include: [resources/*.yml]
resources:
  jobs:
    root:
      tasks:
        - {task_key: a, notebook_task: {notebook_path: nb.py}}
"""
BELOW = """
resources:
  jobs:
    below:
      tasks:
        - {task_key: a, notebook_task: {notebook_path: nb.py}}
        - {task_key: b, notebook_task: {notebook_path: ../nb.py}}
"""


def test_trap_25_paths_count_from_the_yaml_file_that_has_them(bundle: Callable[..., Resolved]) -> None:
    notebook = "# Databricks notebook source\n"
    files = {"databricks.yml": HERE, "resources/jobs.yml": BELOW, "nb.py": notebook, "resources/nb.py": notebook}
    resolved = bundle(files)
    paths = {
        f"{key}.{item['task_key']}": item["notebook_task"]["notebook_path"].removeprefix(f"{resolved.deployed}/")
        for key, found in resolved.resources["jobs"].items()
        for item in found["tasks"]
    }
    assert paths == {"root.a": "nb", "below.a": "resources/nb", "below.b": "nb"}


def test_trap_28_the_job_s_lists_do_not_hear_of_an_attempt_that_is_tried_again() -> None:
    story = Story(job(tasks=[task(max_retries=1)], **MAIL))
    attempts = [
        story.change(Kind.ATTEMPT_ENDED, "load", "FAILED", attempt=1),
        story.change(Kind.ATTEMPT_ENDED, "load", "FAILED", attempt=2, last=True),
        story.change(Kind.TASK_ENDED, "load", "FAILED", attempt=2, last=True),
    ]
    assert [notifications_of(change) for change in attempts] == [[], [], []]
    assert told_by_mail(result="FAILED") == ["on_failure@example.org"]
    own = Story(job(tasks=[task(max_retries=1, **MAIL)]))
    (told,) = notifications_of(own.change(Kind.ATTEMPT_ENDED, "load", "FAILED", attempt=1))
    assert (str(told.event), told.retried) == ("on_failure", True)


def test_every_trap_has_a_test_of_its_name() -> None:
    texts = [file.read_text(encoding="utf-8") for file in Path(__file__).parent.rglob("test_*.py")]
    name = re.compile(r"def test_trap_(\d+)_|id=\"trap (\d+)\b")
    named = {int(number) for text in texts for pair in name.findall(text) for number in pair if number}
    assert named == set(TRAPS)
