"""Which notifications follow from which change."""

from __future__ import annotations

from typing import Any

import pytest
from runs.notifications.conftest import Story, job, task

from medallion.runs.changes import Kind
from medallion.runs.notifications.events import Event, Told, notifications_of

ALL = (
    "on_start",
    "on_success",
    "on_failure",
    "on_duration_warning_threshold_exceeded",
    "on_streaming_backlog_exceeded",
)
MAIL = {"email_notifications": {event: [f"{event}@example.org"] for event in ALL}}
HOOK = {"webhook_notifications": {event: [{"id": event}] for event in ALL}}


def events(told: list[Told]) -> list[str]:
    return [str(item.event) for item in told]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param("SUCCESS", ["on_success"], id="success"),
        pytest.param("SUCCESS_WITH_FAILURES", ["on_success"], id="with failures counts as success"),
        pytest.param("FAILED", ["on_failure"], id="failed"),
        pytest.param("TIMEDOUT", ["on_failure"], id="timed out"),
        pytest.param("CANCELED", ["on_failure"], id="canceled unless muted"),
        pytest.param("MAXIMUM_CONCURRENT_RUNS_REACHED", ["on_failure"], id="skipped unless muted"),
    ],
)
def test_how_a_run_ended_decides_which_list_is_told(result: str, expected: list[str]) -> None:
    found = notifications_of(Story(job(**MAIL, **HOOK)).change(Kind.RUN_ENDED, result=result))
    assert events(found) == expected
    assert [str(who) for who in found[0].recipients] == [
        f"mail:{expected[0]}@example.org",
        f"destination:{expected[0]}",
    ]


def test_a_run_that_starts_is_told_again_when_it_is_repaired() -> None:
    first, second = (Story(job(**MAIL), repair=number).change(Kind.RUN_STARTED) for number in (0, 1))
    assert events(notifications_of(first)) == events(notifications_of(second)) == ["on_start"]
    assert first.key != second.key


@pytest.mark.parametrize(
    ("settings", "result", "kinds"),
    [
        pytest.param({"no_alert_for_canceled_runs": True}, "CANCELED", set(), id="canceled muted"),
        pytest.param({"no_alert_for_skipped_runs": True}, "CANCELED", {"mail", "destination"}, id="other mute"),
        pytest.param({"no_alert_for_skipped_runs": True}, "MAXIMUM_CONCURRENT_RUNS_REACHED", set(), id="skipped muted"),
        pytest.param({"no_alert_for_skipped_runs": True}, "FAILED", {"mail", "destination"}, id="a failure is told"),
    ],
)
def test_a_job_s_mutes(settings: dict[str, Any], result: str, kinds: set[str]) -> None:
    story = Story(job(**MAIL, **HOOK, notification_settings=settings))
    found = notifications_of(story.change(Kind.RUN_ENDED, result=result))
    assert {who.kind for item in found for who in item.recipients} == kinds


def test_the_older_flag_mutes_mail_of_skipped_runs_alone() -> None:
    mail = {"email_notifications": {"on_failure": ["a@example.org"], "no_alert_for_skipped_runs": True}}
    found = notifications_of(
        Story(job(**mail, **HOOK)).change(Kind.RUN_ENDED, result="MAXIMUM_CONCURRENT_RUNS_REACHED")
    )
    assert [str(who) for item in found for who in item.recipients] == ["destination:on_failure"]


@pytest.mark.parametrize(
    ("result", "settings", "expected"),
    [
        pytest.param("SUCCESS", {}, ["on_success"], id="success"),
        pytest.param("FAILED", {}, ["on_failure"], id="failed"),
        pytest.param("TIMEDOUT", {}, ["on_failure"], id="timed out"),
        pytest.param("EXCLUDED", {}, [], id="excluded counts as successful and did not run"),
        pytest.param("DISABLED", {}, [], id="disabled"),
        pytest.param("UPSTREAM_FAILED", {}, ["on_failure"], id="upstream failed is a skipped run"),
        pytest.param("UPSTREAM_FAILED", {"no_alert_for_skipped_runs": True}, [], id="skipped muted"),
        pytest.param("UPSTREAM_CANCELED", {"no_alert_for_canceled_runs": True}, [], id="canceled muted"),
        pytest.param("CANCELED", {}, ["on_failure"], id="canceled"),
        pytest.param("CANCELED", {"no_alert_for_canceled_runs": True}, [], id="canceled muted for the task itself"),
    ],
)
def test_how_a_task_ended_decides_which_list_is_told(
    result: str, settings: dict[str, Any], expected: list[str]
) -> None:
    story = Story(job(tasks=[task(**MAIL, notification_settings=settings)]))
    found = notifications_of(story.change(Kind.TASK_ENDED, "load", result, attempt=1, last=True))
    assert events(found) == expected


def test_a_job_s_mutes_do_not_hold_for_its_tasks() -> None:
    story = Story(job(tasks=[task(**MAIL)], notification_settings={"no_alert_for_canceled_runs": True}))
    assert events(notifications_of(story.change(Kind.TASK_ENDED, "load", "CANCELED", attempt=1, last=True)))


@pytest.mark.parametrize(
    ("last_only", "expected"),
    [
        pytest.param(False, ["on_start", "on_failure", "on_start", "on_failure"], id="each attempt is told"),
        pytest.param(True, ["on_start", "on_failure"], id="alert_on_last_attempt"),
    ],
)
def test_a_task_that_is_tried_again(last_only: bool, expected: list[str]) -> None:
    story = Story(job(tasks=[task(**MAIL, notification_settings={"alert_on_last_attempt": last_only})]))
    changes = [
        story.change(Kind.ATTEMPT_STARTED, "load", attempt=1),
        story.change(Kind.ATTEMPT_ENDED, "load", "FAILED", attempt=1),
        story.change(Kind.ATTEMPT_STARTED, "load", attempt=2),
        story.change(Kind.ATTEMPT_ENDED, "load", "FAILED", attempt=2, last=True),
        story.change(Kind.TASK_ENDED, "load", "FAILED", attempt=2, last=True),
    ]
    assert [str(item.event) for change in changes for item in notifications_of(change)] == expected


def test_the_first_attempt_of_a_repair_is_no_retry() -> None:
    muted = job(tasks=[task(**MAIL, notification_settings={"alert_on_last_attempt": True})])
    change = Story(muted, repair=1).change(Kind.ATTEMPT_STARTED, "load", attempt=3)
    assert events(notifications_of(change, first_attempt=3)) == ["on_start"]
    assert events(notifications_of(change, first_attempt=2)) == []


def loop(**inner: Any) -> dict[str, Any]:
    inside = {"task_key": "one", "notebook_task": {"notebook_path": "n"}, **inner}
    return {"task_key": "all", "for_each_task": {"inputs": "[1,2]", "task": inside}, **MAIL}


def test_a_for_each_task_is_told_as_one_and_starts_with_its_first_iteration() -> None:
    story = Story(job(tasks=[loop()]))
    started = notifications_of(story.change(Kind.ATTEMPT_STARTED, "all[0]", attempt=1))
    assert [(item.event, item.loop) for item in started] == [(Event.START, "all")]
    assert notifications_of(story.change(Kind.ATTEMPT_ENDED, "all[0]", "FAILED", attempt=1, last=True)) == []
    assert events(notifications_of(story.change(Kind.TASK_ENDED, "all", "FAILED", attempt=1, last=True))) == [
        "on_failure"
    ]


def test_iterations_have_the_lists_of_the_task_inside_the_loop() -> None:
    inner = {"email_notifications": {"on_failure": ["inner@example.org"]}}
    story = Story(job(tasks=[loop(**inner)]))
    (told,) = notifications_of(story.change(Kind.ATTEMPT_ENDED, "all[1]", "FAILED", attempt=1, last=True))
    assert [who.name for who in told.recipients] == ["inner@example.org"]


def test_an_if_else_task_has_no_notifications() -> None:
    condition = {"task_key": "load", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}, **MAIL}
    change = Story(job(tasks=[condition])).change(Kind.TASK_ENDED, "load", "SUCCESS", attempt=1, last=True)
    assert notifications_of(change) == []


def test_a_recipient_that_is_named_twice_is_told_once() -> None:
    twice = {"email_notifications": {"on_start": ["a@example.org", " a@example.org", ""]}}
    (told,) = notifications_of(Story(job(**twice)).change(Kind.RUN_STARTED))
    assert [who.name for who in told.recipients] == ["a@example.org"]


def test_a_user_name_without_a_mail_box_is_told_nothing() -> None:
    """`${workspace.current_user.userName}` of a user who is no mail address."""
    both = {"email_notifications": {"on_start": ["someone", "a@example.org"]}}
    (told,) = notifications_of(Story(job(**both)).change(Kind.RUN_STARTED))
    assert [who.name for who in told.recipients] == ["a@example.org"]
    alone = {"email_notifications": {"on_start": ["someone"]}}
    assert notifications_of(Story(job(**alone)).change(Kind.RUN_STARTED)) == []
