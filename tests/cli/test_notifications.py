"""`medallion notifications`: the record of what was sent and what was not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from medallion.cli import main
from medallion.runs.notifications.events import Event, Recipient
from medallion.runs.notifications.message import Message
from medallion.runs.notifications.outbox import Outbox

MESSAGE = Message(
    event=Event.FAILURE, job="night[ly]", job_id=1, run_id=2, airflow_run_id="m", link="http://h/", result="FAILED"
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "medallion.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path / ".medallion"


def fill(home: Path) -> None:
    outbox = Outbox(home)
    outbox.put("k", [Recipient("mail", name) for name in ("a@x.y", "b@x.y", "c@x.y")], MESSAGE, time.time())
    sent, failed, waiting = outbox.due(time.time())
    outbox.sent(sent, time.time())
    outbox.failed(failed, "no such mailbox", time.time(), for_good=True)
    outbox.failed(waiting, "connection refused", time.time(), for_good=False)
    outbox.close()


def test_a_home_without_messages_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["notifications"]) == 0
    assert capsys.readouterr().out == "no notifications\n"
    assert not home.exists()


def test_the_table_shows_who_was_told_and_why_not(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(home)
    assert main(["notifications"]) == 0
    text = capsys.readouterr().out
    for word in ("Failed: night[ly]", "a@x.y", "sent", "failed", "pending", "no such mailbox", "connection refused"):
        assert word in text


def test_failed_ones_alone_as_json(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(home)
    assert main(["notifications", "--failed", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["notifications"]
    assert [(item["recipient"], item["state"], item["error"]) for item in found] == [
        ("c@x.y", "pending", "connection refused"),
        ("b@x.y", "failed", "no such mailbox"),
    ]
    assert found[0]["next_time"] > found[0]["created_time"]
