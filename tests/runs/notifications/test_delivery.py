"""Messages reach real servers: those that work, fail, refuse, hang and come back."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runs.notifications.conftest import Mails, Posts

from medallion.errors import MedallionError
from medallion.runs.notifications.destinations import Connection
from medallion.runs.notifications.events import Event, Recipient
from medallion.runs.notifications.message import Message
from medallion.runs.notifications.outbox import FIRST_DELAY, LONGEST_DELAY, Letter, Outbox, Stage
from medallion.runs.notifications.sender import own_mail_connection, send_due
from medallion.runs.notifications.transports import Mailer, Transports
from medallion.settings import Settings

MESSAGE = Message(
    event=Event.FAILURE, job="nightly", job_id=1, run_id=2, airflow_run_id="m", link="http://h/", result="FAILED"
)


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    found = Outbox(tmp_path / "home")
    yield found
    found.close()


def put(outbox: Outbox, *recipients: str, key: str = "k") -> None:
    outbox.put(key, [Recipient.parse(text) for text in recipients], MESSAGE, time.time())


def settings_with(tmp_path: Path, **values: Any) -> Settings:
    variables = {f"MEDALLION_{name.upper()}": json.dumps(value) for name, value in values.items()}
    return Settings.load(tmp_path, environ={"MEDALLION_HOME": str(tmp_path / "home"), **variables})


def send(
    outbox: Outbox, settings: Settings, connections: dict[str, Connection] | None = None, **more: Any
) -> list[str]:
    said: list[str] = []
    send_due(outbox, Transports(settings, (connections or {}).get).deliver, said.append, **more)
    return said


def states(outbox: Outbox) -> list[tuple[str, int, str]]:
    return [(str(item.stage), item.attempts, item.error) for item in reversed(outbox.letters())]


def test_a_webhook_by_an_airflow_connection_with_a_login(outbox: Outbox, posts: Posts, tmp_path: Path) -> None:
    hook = Connection("http", posts.url + "/hook?a=1", login="ann", password="pw-123")
    put(outbox, "destination:hook")
    send(outbox, settings_with(tmp_path), {"hook": hook})
    ((path, headers, body),) = posts.got
    assert (path, body["event_type"]) == ("/hook?a=1", "jobs.on_failure")
    assert headers["Authorization"] == "Basic YW5uOnB3LTEyMw=="
    assert states(outbox) == [("sent", 1, "")]
    send(outbox, settings_with(tmp_path), {"hook": hook})
    assert len(posts.got) == 1


def test_each_kind_of_destination_from_medallion_toml_gets_its_form(
    outbox: Outbox, posts: Posts, tmp_path: Path
) -> None:
    kinds = ("webhook", "slack", "teams", "pagerduty")
    table = {kind: {"kind": kind, "url": f"{posts.url}/{kind}"} for kind in kinds}
    table["pagerduty"]["password"] = "routing-key"
    put(outbox, *(f"destination:{kind}" for kind in kinds))
    send(outbox, settings_with(tmp_path, destinations=table))
    bodies = {path: body for path, _, body in posts.got}
    assert "event_type" in bodies["/webhook"]
    assert "blocks" in bodies["/slack"]
    assert "attachments" in bodies["/teams"]
    assert bodies["/pagerduty"]["routing_key"] == "routing-key"


def test_slack_by_token_and_channel_sees_a_no_in_a_good_answer(outbox: Outbox, posts: Posts, tmp_path: Path) -> None:
    posts.answer = b'{"ok": false, "error": "channel_not_found"}'
    table = {"s": {"kind": "slack", "url": posts.url, "password": "xoxb-token", "channel": "C1"}}
    put(outbox, "destination:s")
    send(outbox, settings_with(tmp_path, destinations=table))
    ((_, headers, body),) = posts.got
    assert (headers["Authorization"], body["channel"]) == ("Bearer xoxb-token", "C1")
    assert states(outbox)[0][2] == "Slack refused the message: channel_not_found"


def test_a_server_that_answers_500_is_tried_again_later_each_time(outbox: Outbox, posts: Posts, tmp_path: Path) -> None:
    posts.plan = [500, 503, 200]
    settings = settings_with(tmp_path, destinations={"h": {"url": posts.url}})
    put(outbox, "destination:h")
    waits = []
    for _ in range(2):
        begun = time.time()
        said = send(outbox, settings)
        due = outbox.next_due()
        assert due is not None
        waits.append(due - begun)
        assert outbox.due(time.time()) == []
        outbox.hurry(time.time())
    assert "it is tried again" in said[0]
    assert waits == [pytest.approx(FIRST_DELAY, abs=2), pytest.approx(2 * FIRST_DELAY, abs=2)]
    send(outbox, settings)
    assert states(outbox) == [("sent", 3, "")]
    assert len(posts.got) == 3


def test_a_server_that_hangs_holds_up_nobody_else_and_is_tried_again(
    outbox: Outbox, posts: Posts, tmp_path: Path
) -> None:
    hanging = Posts(plan=["hang"])
    hanging.start()
    settings = settings_with(tmp_path, destinations={"h": {"url": hanging.url}, "good": {"url": posts.url}})
    put(outbox, "destination:h", "destination:good")
    worker = threading.Thread(target=send, args=(outbox, settings), kwargs={"limit": 1.0}, daemon=True)
    try:
        begun = time.monotonic()
        worker.start()
        worker.join(60)
        assert time.monotonic() - begun < 30
    finally:
        hanging.stop()
    assert states(outbox) == [("pending", 1, "no end after 4 s"), ("sent", 1, "")]


def test_an_attempt_that_is_late_is_not_made_twice(outbox: Outbox) -> None:
    sent: list[int] = []

    def slowly(letter: Letter) -> None:
        time.sleep(0.6)
        sent.append(letter.id)

    put(outbox, "destination:h")
    assert send_due(outbox, slowly, print, limit=0.3) == 1
    assert states(outbox) == [("sent", 1, "")]
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("answer", "stage"),
    [
        pytest.param(400, "failed", id="a message that is refused is given up"),
        pytest.param(410, "failed", id="gone"),
        pytest.param(302, "failed", id="a redirection is not followed"),
        pytest.param(404, "pending", id="a server that is being set up"),
        pytest.param(429, "pending", id="too many"),
        pytest.param("drop", "pending", id="the line is cut"),
    ],
)
def test_which_answers_are_final(answer: int | str, stage: str, outbox: Outbox, posts: Posts, tmp_path: Path) -> None:
    posts.plan = [answer]
    put(outbox, "destination:h")
    send(outbox, settings_with(tmp_path, destinations={"h": {"url": posts.url}}))
    assert states(outbox)[0][0] == stage


def test_a_dead_server_is_given_up_when_the_time_is_over(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "home", limit=3600)
    settings = settings_with(tmp_path, destinations={"h": {"url": "http://127.0.0.1:9/secret-path"}})
    put(outbox, "destination:h")
    (letter,) = outbox.due(time.time())
    tries, now = 0, letter.created
    while (found := outbox.due(now)) and tries < 100:
        stage = outbox.failed(found[0], "refused", now, for_good=False)
        tries, now = tries + 1, outbox.next_due() or now
        assert now - letter.created <= 3600
    assert (stage, outbox.next_due()) == (Stage.FAILED, None)
    assert 10 <= tries <= 20
    assert LONGEST_DELAY <= 600
    put(outbox, "destination:h", key="two")
    send(outbox, settings)
    assert "secret-path" not in outbox.letters()[0].error
    assert outbox.letters()[0].stage is Stage.PENDING
    outbox.close()


def test_what_could_not_be_sent_says_why_without_the_address(outbox: Outbox, posts: Posts, tmp_path: Path) -> None:
    posts.plan = [400]
    url = f"{posts.url}/services/T0/B0/very-secret"
    put(outbox, "destination:slack_ops", "destination:nowhere")
    table = {"slack_ops": {"kind": "slack", "url": url}}
    said = send(outbox, settings_with(tmp_path, destinations=table))
    errors = [item.error for item in outbox.letters(failed=True)]
    assert any("the server answered 400" in error for error in errors)
    assert any("there is no notification destination nowhere" in error for error in errors)
    assert "very-secret" not in "".join([*errors, *said, outbox.file.read_bytes().decode("latin-1")])
    assert [item.recipient.name for item in outbox.untold_failures()] == ["slack_ops", "nowhere"]
    assert outbox.untold_failures() == []


def test_the_same_change_told_twice_is_one_message(outbox: Outbox) -> None:
    put(outbox, "mail:a@example.org")
    put(outbox, "mail:a@example.org", "mail:b@example.org")
    assert [item.recipient.name for item in reversed(outbox.letters())] == ["a@example.org", "b@example.org"]


def test_an_outbox_that_fails_midway_keeps_nothing(outbox: Outbox) -> None:
    def fail_midway() -> None:
        with outbox.whole():
            put(outbox, "mail:a@example.org")
            raise MedallionError("stop")

    with pytest.raises(MedallionError):
        fail_midway()
    assert outbox.letters() == []


Mail = Callable[..., Mailer]


@pytest.fixture
def mailer(mails: Mails, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Settings:
    """Settings with the SMTP server in them."""
    smtp = {"host": "127.0.0.1", "port": mails.port, "security": "none", "sender": "medallion@example.org"}
    settings = settings_with(tmp_path, smtp=smtp)
    for name, value in own_mail_connection(settings).items():
        monkeypatch.setenv(name, value)
    return settings


@pytest.mark.airflow
def test_a_mail_has_text_and_page_and_an_id_of_its_own(outbox: Outbox, mails: Mails, mailer: Settings) -> None:
    put(outbox, "mail:ann@example.org")
    send(outbox, mailer)
    assert states(outbox) == [("sent", 1, "")]
    ((recipients, mail),) = mails.got
    assert recipients == ("ann@example.org",)
    assert (mail["Subject"], mail["From"], mail["To"]) == (
        "Failed: nightly",
        "medallion@example.org",
        "ann@example.org",
    )
    assert "Job: nightly (1)" in mail.get_body(("plain",)).get_content()
    assert 'href="http://h/"' in mail.get_body(("html",)).get_content()
    assert mail["Message-ID"].endswith("@medallion>")


@pytest.mark.airflow
def test_airflow_s_own_mail_connection_is_used_without_a_setting(
    outbox: Outbox, mails: Mails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra = {"disable_ssl": True, "disable_tls": True, "from_email": "airflow@example.org", "retry_limit": 5}
    connection = {"conn_type": "smtp", "host": "127.0.0.1", "port": mails.port, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    put(outbox, "mail:ann@example.org")
    send(outbox, settings_with(tmp_path))
    assert [mail["From"] for _, mail in mails.got] == ["airflow@example.org"]


@pytest.mark.airflow
@pytest.mark.parametrize(
    ("address", "answer", "stage", "words"),
    [
        pytest.param("ann@example.org", "451 later", "pending", "451 later", id="a passing fault"),
        pytest.param("ann@example.org", "554 spam", "failed", "554 spam", id="a refusal"),
        pytest.param("nobody@example.org", "250 ok", "failed", "no such mailbox", id="an unknown mailbox"),
        pytest.param("a@b\r\nBcc: c@d", "250 ok", "failed", "is no mail address", id="a line break"),
        pytest.param("a@b,c@d", "250 ok", "failed", "is no mail address", id="two addresses in one"),
    ],
)
def test_what_a_mail_server_may_answer(
    address: str, answer: str, stage: str, words: str, outbox: Outbox, mails: Mails, mailer: Settings
) -> None:
    mails.plan = [answer]
    put(outbox, f"mail:{address}")
    send(outbox, mailer)
    ((found, attempts, error),) = states(outbox)
    assert (found, attempts) == (stage, 1)
    assert words in error
    assert mails.got == []


@pytest.mark.airflow
def test_a_mail_server_that_is_dead_gets_the_mail_when_it_is_back(
    outbox: Outbox, mails: Mails, mailer: Settings
) -> None:
    port = mails.port
    mails.stop()
    put(outbox, "mail:ann@example.org")
    send(outbox, mailer)
    assert states(outbox)[0][0] == "pending"
    mails.start(port)
    outbox.hurry(time.time())
    send(outbox, mailer)
    assert states(outbox) == [("sent", 2, "")]
    assert len(mails.got) == 1


@pytest.mark.airflow
def test_without_a_mail_server_the_record_says_what_to_do(outbox: Outbox, tmp_path: Path) -> None:
    put(outbox, "mail:ann@example.org")
    send(outbox, settings_with(tmp_path))
    ((stage, _, error),) = states(outbox)
    assert stage == "failed"
    assert "make the Airflow connection smtp_default" in error
