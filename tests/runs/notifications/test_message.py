"""What a message says, in each form."""

from __future__ import annotations

import json
from dataclasses import replace

from medallion.runs.notifications.events import Event
from medallion.runs.notifications.message import FORMS, Message, last_lines, pagerduty, slack, teams, webhook

MESSAGE = Message(
    event=Event.FAILURE,
    job="nightly",
    job_id=11,
    run_id=22,
    airflow_run_id="manual__1",
    link="http://here/dags/nightly/runs/manual__1",
    result="FAILED",
    started=1_700_000_000_000,
    ended=1_700_000_012_500,
    error="Traceback (most recent call last):\nValueError: <b> & `x`",
    failed=("load",),
)
TASK = replace(MESSAGE, task="load", task_run_id=33, attempt=2, failed=())


def test_a_webhook_of_a_run_is_the_documented_json() -> None:
    assert webhook(MESSAGE) == {
        "event_type": "jobs.on_failure",
        "workspace_id": 0,
        "run": {"run_id": 22},
        "job": {"job_id": 11, "name": "nightly"},
    }


def test_a_webhook_of_a_task_names_the_task_and_the_run_above_it() -> None:
    assert webhook(replace(TASK, event=Event.START)) == {
        "event_type": "jobs.on_start",
        "workspace_id": 0,
        "task": {"task_key": "load"},
        "run": {"run_id": 33, "parent_run_id": 22},
        "job": {"job_id": 11, "name": "nightly"},
    }


def test_every_form_that_people_read_says_job_run_task_error_and_link() -> None:
    texts = {name: json.dumps(form(TASK)) for name, form in FORMS.items() if name != "webhook"}
    texts |= {"text": TASK.text, "page": TASK.page}
    for name, text in texts.items():
        for word in ("nightly", "22", "load", "ValueError", "http://here/dags/nightly/runs/manual__1"):
            assert word in text, (name, word)


def test_markup_in_an_error_stays_text() -> None:
    assert "&lt;b&gt; &amp;" in TASK.page
    assert "&lt;b&gt; &amp;" in json.dumps(slack(TASK))
    code = slack(replace(TASK, error="a ``` b"))["blocks"][1]["text"]["text"]
    assert code.count("```") == 2


def test_slack_s_limits_hold_for_long_errors() -> None:
    long = replace(TASK, error=last_lines("\n".join("&" * 900 for _ in range(60))))
    assert all(len(block["text"]["text"]) <= 3000 for block in slack(long)["blocks"])
    assert slack(long)["blocks"][1]["text"]["text"].endswith("```")


def test_the_end_of_a_traceback_is_what_is_kept() -> None:
    kept = last_lines("\n".join(f"line {number}" for number in range(100))).splitlines()
    assert kept[-1] == "line 99"
    assert len(kept) == 15


def test_a_name_with_a_line_break_cannot_make_a_header() -> None:
    assert "\n" not in replace(MESSAGE, job="x\r\nBcc: a@b").subject


def test_a_message_comes_back_from_the_outbox_as_it_was() -> None:
    assert Message.from_json(TASK.to_json()) == TASK


def test_teams_takes_an_adaptive_card_and_pagerduty_an_event() -> None:
    (card,) = teams(TASK)["attachments"]
    assert card["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert card["content"]["actions"][0]["url"] == TASK.link
    assert pagerduty(TASK)["payload"]["severity"] == "error"
    assert pagerduty(replace(TASK, event=Event.START))["payload"]["severity"] == "info"


def test_the_subject_says_how_it_ended() -> None:
    assert MESSAGE.subject == "Failed: nightly"
    assert replace(TASK, result="TIMEDOUT").subject == "Timed out: nightly, task load"
    assert replace(MESSAGE, event=Event.SUCCESS, result="SUCCESS_WITH_FAILURES").subject == (
        "Succeeded with failures: nightly"
    )
    assert replace(TASK, event=Event.DURATION, result="").subject == "Runs long: nightly, task load"
