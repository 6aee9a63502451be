"""From changes to messages in the outbox, and what is watched while a run goes on."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from runs.notifications.conftest import START, Story, job, task

from medallion.runs import ids
from medallion.runs.changes import Kind
from medallion.runs.health import STREAMS_FILE
from medallion.runs.notes import read_notes
from medallion.runs.notifications.consumer import Notifications
from medallion.runs.notifications.message import Message
from medallion.runs.notifications.watching import Watchman
from medallion.runs.records import attempt_folder, run_folder
from medallion.settings import Settings

FAILURE_MAIL = {"email_notifications": {"on_failure": ["ann@example.org"]}}


@pytest.fixture
def consumer(tmp_path: Path) -> Notifications:
    settings = Settings.load(tmp_path, environ={"MEDALLION_HOME": str(tmp_path / "home"), "MEDALLION_PORT": "9090"})
    return Notifications(settings)


def messages(consumer: Notifications) -> list[Message]:
    return [item.message for item in reversed(consumer.outbox.letters())]


def fail_task(consumer: Notifications, story: Story, key: str, trace: str, index: int = -1, attempt: int = 1) -> None:
    """The record that a failed attempt leaves."""
    run = run_folder(consumer.settings.home, str(story.job["name"]), story.run_id)
    folder = attempt_folder(run, key, index, attempt)
    folder.mkdir(parents=True)
    failure = {"kind": "ValueError", "message": "bad", "trace": trace}
    (folder / "result.json").write_text(json.dumps({"success": False, "failure": failure}))


def test_a_failed_run_names_the_task_the_error_and_the_page(consumer: Notifications) -> None:
    tasks = [task("load"), task("report", depends_on=[{"task_key": "load"}])]
    story = Story(job(tasks=tasks, **FAILURE_MAIL), results={"load": "FAILED", "report": "UPSTREAM_FAILED"})
    fail_task(consumer, story, "load", "Traceback (most recent call last):\n  File n.py\nValueError: bad\n")
    consumer.consume(story.change(Kind.RUN_ENDED, result="FAILED"))
    (message,) = messages(consumer)
    assert message.failed == ("load",)
    assert message.error.endswith("ValueError: bad")
    assert message.link == "http://127.0.0.1:9090/dags/nightly/runs/manual__2026-03-08T07%3A05%3A09%2B00%3A00"
    assert message.run_id == ids.run_id("nightly", story.run_id)
    assert (message.started, message.ended) == (round(START * 1000), round(START * 1000) + 12500)


def test_a_failed_attempt_of_an_iteration_has_its_own_error_and_id(consumer: Notifications) -> None:
    inside = {"task_key": "one", "notebook_task": {"notebook_path": "n"}, **FAILURE_MAIL}
    story = Story(job(tasks=[{"task_key": "all", "for_each_task": {"inputs": "[1,2]", "task": inside}}]))
    fail_task(consumer, story, "one", "KeyError: 7", index=1, attempt=2)
    consumer.consume(story.change(Kind.ATTEMPT_ENDED, "all[1]", "FAILED", attempt=2, last=True))
    (message,) = messages(consumer)
    assert message.error == "KeyError: 7"
    assert message.task_run_id == ids.task_run_id("nightly", story.run_id, "one", 1, 2)


def test_a_change_that_is_told_again_after_a_crash_is_one_message(consumer: Notifications) -> None:
    change = Story(job(**FAILURE_MAIL)).change(Kind.RUN_ENDED, result="FAILED")
    consumer.consume(change)
    Notifications(consumer.settings).consume(change)
    assert len(messages(consumer)) == 1


def test_an_attempt_that_is_tried_again_says_so(consumer: Notifications) -> None:
    story = Story(job(tasks=[task(**FAILURE_MAIL)]))
    consumer.consume(story.change(Kind.ATTEMPT_ENDED, "load", None, attempt=1))
    assert messages(consumer)[0].note == "another attempt follows"


def test_the_first_attempt_of_a_repair_is_remembered(consumer: Notifications) -> None:
    flags = {"notification_settings": {"alert_on_last_attempt": True}}
    story = Story(job(tasks=[task(email_notifications={"on_start": ["a@b.c"]}, **flags)]), repair=1)
    consumer.consume(story.change(Kind.ATTEMPT_STARTED, "load", attempt=3))
    again = Notifications(consumer.settings)
    again.consume(story.change(Kind.ATTEMPT_STARTED, "load", attempt=4))
    assert [item.attempt for item in messages(consumer)] == [3]


def ruled(metric: str, value: int, event: str) -> dict[str, Any]:
    rules = {"rules": [{"metric": metric, "op": "GREATER_THAN", "value": value}]}
    return {"health": rules, "email_notifications": {event: ["ann@example.org"]}}


DURATION = ruled("RUN_DURATION_SECONDS", 60, "on_duration_warning_threshold_exceeded")


@pytest.fixture
def silent(consumer: Notifications, monkeypatch: pytest.MonkeyPatch) -> Notifications:
    """A consumer whose senders are not started: these tests read the outbox."""
    monkeypatch.setattr("medallion.runs.notifications.consumer.start_sender", lambda _settings: None)
    return consumer


def test_a_run_that_takes_long_is_told_once_while_it_goes_on(silent: Notifications) -> None:
    story = Story(job(**DURATION), end=None)
    silent.consume(story.change(Kind.RUN_STARTED))
    silent.tick(START + 59)
    assert messages(silent) == []
    silent.tick(START + 61)
    silent.tick(START + 62)
    # A service that starts anew is told of the run again.
    again = Notifications(silent.settings)
    again.consume(story.change(Kind.RUN_STARTED))
    (message,) = messages(silent)
    assert (message.event, message.note) == ("on_duration_warning_threshold_exceeded", "takes longer than 60 s")
    (warning,) = read_notes(silent.settings.home, "nightly", story.run_id)["health"]
    assert (warning["metric"], warning["limit"], warning["task_key"]) == ("RUN_DURATION_SECONDS", 60, None)


def test_a_watch_outlives_a_restart_of_the_service(silent: Notifications) -> None:
    silent.consume(Story(job(**DURATION)).change(Kind.RUN_STARTED))
    again = Notifications(silent.settings)
    again.tick(START + 61)
    assert len(messages(silent)) == 1


def test_a_run_that_ended_in_time_is_not_told(silent: Notifications) -> None:
    story = Story(job(**DURATION))
    silent.consume(story.change(Kind.RUN_STARTED))
    silent.consume(story.change(Kind.RUN_ENDED, result="SUCCESS"))
    silent.tick(START + 1000)
    assert messages(silent) == []


def test_a_run_that_was_too_long_is_told_when_only_its_end_was_seen(silent: Notifications) -> None:
    story = Story(job(**DURATION), end=START + 90)
    silent.consume(story.change(Kind.RUN_STARTED))
    silent.consume(story.change(Kind.RUN_ENDED, result="SUCCESS"))
    silent.tick(START + 1000)
    assert len(messages(silent)) == 1


def test_each_attempt_of_a_task_has_its_own_time(silent: Notifications) -> None:
    story = Story(job(tasks=[task(**DURATION)]), end=START + 30)
    silent.consume(story.change(Kind.ATTEMPT_STARTED, "load", attempt=1))
    silent.consume(story.change(Kind.ATTEMPT_ENDED, "load", "FAILED", attempt=1))
    silent.tick(START + 61)
    assert messages(silent) == []
    silent.consume(story.change(Kind.ATTEMPT_STARTED, "load", attempt=2))
    silent.tick(START + 62)
    assert [(item.task, item.attempt) for item in messages(silent)] == [("load", 2)]


def write_streams(folder: Path, now: float, seconds: int, **figures: float) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    samples = [{"at": now - back, **figures} for back in range(seconds, -1, -10)]
    (folder / STREAMS_FILE).write_text(json.dumps({"streams": {"orders": samples}}))


BACKLOG = ruled("STREAMING_BACKLOG_FILES", 100, "on_streaming_backlog_exceeded")


@pytest.mark.parametrize(
    ("seconds", "files", "expected"),
    [
        pytest.param(600, 150, 1, id="over the limit for ten minutes"),
        pytest.param(600, 100, 0, id="at the limit"),
        pytest.param(300, 900, 0, id="no ten minutes yet"),
    ],
)
def test_a_stream_s_average_over_ten_minutes_is_judged(
    silent: Notifications, seconds: int, files: float, expected: int
) -> None:
    story = Story(job(tasks=[task(**BACKLOG)]))
    silent.consume(story.change(Kind.ATTEMPT_STARTED, "load", attempt=1))
    now = START + 1000
    folder = attempt_folder(run_folder(silent.settings.home, "nightly", story.run_id), "load", -1, 1)
    write_streams(folder, now, seconds, files=files, bytes=10.0)
    silent.tick(now)
    assert len(messages(silent)) == expected
    if expected:
        assert messages(silent)[0].note == "stream orders is 150 files behind on average (limit 100)"


def test_a_backlog_that_lasts_is_told_every_half_hour(silent: Notifications) -> None:
    story = Story(job(**BACKLOG))  # the job's own rule looks at the streams of all its tasks
    silent.consume(story.change(Kind.RUN_STARTED))
    folder = attempt_folder(run_folder(silent.settings.home, "nightly", story.run_id), "load", -1, 1)
    for minutes in range(0, 65, 5):
        now = START + 1000 + minutes * 60
        write_streams(folder, now, 600, files=500.0)
        silent.tick(now)
    assert len(messages(silent)) == 3
    silent.consume(story.change(Kind.RUN_ENDED, result="CANCELED"))
    silent.tick(START + 90_000)
    assert len(messages(silent)) == 3


def test_the_worst_stream_counts(silent: Notifications) -> None:
    silent.watchman = Watchman(silent.settings.home, window=20, again=1000)
    story = Story(job(tasks=[task(**BACKLOG)]))
    silent.consume(story.change(Kind.ATTEMPT_STARTED, "load", attempt=1))
    folder = attempt_folder(run_folder(silent.settings.home, "nightly", story.run_id), "load", -1, 1)
    folder.mkdir(parents=True)
    now = START + 50
    streams = {
        name: [{"at": now - back, "files": files} for back in (20, 10, 0)] for name, files in (("a", 5.0), ("b", 500.0))
    }
    (folder / STREAMS_FILE).write_text(json.dumps({"streams": streams}))
    silent.tick(now)
    assert "stream b is 500" in messages(silent)[0].note


def test_what_was_given_up_stands_in_the_service_s_log(silent: Notifications, caplog: pytest.LogCaptureFixture) -> None:
    silent.consume(Story(job(**FAILURE_MAIL)).change(Kind.RUN_ENDED, result="FAILED"))
    (letter,) = silent.outbox.letters()
    silent.outbox.failed(letter, "no mail server is configured", time.time(), for_good=True)
    with caplog.at_level(logging.WARNING):
        silent.tick(time.time())
        silent.tick(time.time())
    (record,) = [item for item in caplog.records if "was not sent" in item.getMessage()]
    assert "ann@example.org" in record.getMessage()
    assert "no mail server is configured" in record.getMessage()
