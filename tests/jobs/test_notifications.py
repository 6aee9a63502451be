"""One `medallion run` of a failing job tells a real mail server and a real webhook, and says what it could not send."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs.conftest import Bench

HELD = "hunter2-secret"
SCRIPT = 'print("before")\nraise ValueError("the orders are bad")\n'


def servers() -> Any:
    """The servers of the tests of notifications."""
    place = Path(__file__).parents[1] / "runs" / "notifications" / "conftest.py"
    spec = importlib.util.spec_from_file_location("notification_servers", place)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["notification_servers"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What came of one run."""
    module = servers()
    mails, posts = module.Mails(), module.Posts()
    mails.start()
    posts.start()
    project = tmp_path_factory.mktemp("told")
    (project / "jobs").mkdir()
    (project / "jobs" / "bad.py").write_text(SCRIPT)
    hook, mail = [{"id": "hook"}], ["ann@example.org"]
    job = {
        "name": "nightly",
        "email_notifications": {"on_start": mail, "on_failure": [*mail, "nobody@example.org"], "on_success": mail},
        "webhook_notifications": {"on_failure": [*hook, {"id": "nowhere"}]},
        "tasks": [
            {
                "task_key": "load",
                "spark_python_task": {"python_file": "bad.py"},
                "max_retries": 1,
                "webhook_notifications": {"on_start": hook, "on_failure": hook},
                "notification_settings": {"alert_on_last_attempt": True},
            },
            {
                "task_key": "report",
                "depends_on": [{"task_key": "load"}],
                "spark_python_task": {"python_file": "bad.py"},
                "webhook_notifications": {"on_failure": hook},
                "notification_settings": {"no_alert_for_skipped_runs": True},
            },
        ],
    }
    (project / "jobs" / "job.json").write_text(json.dumps(job))
    (project / "medallion.toml").write_text(
        f'[smtp]\nhost = "127.0.0.1"\nport = {mails.port}\nsecurity = "none"\nsender = "medallion@example.org"\n'
        f'[destinations.hook]\nconnection = "my_hook"\n'
    )
    bench = Bench(project, project / "home")
    connection = {"conn_type": "http", "host": posts.url, "login": "ann", "password": HELD}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_CONN_MY_HOOK", json.dumps(connection))
        done = bench.medallion("run", "nightly", "--json")
        try:
            module.until(lambda: len(mails.got) >= 2 and len(posts.got) >= 3, 90)
            module.until(lambda: not waiting(bench), 90)
            shown = json.loads(bench.medallion("notifications", "--json").stdout)["notifications"]
            yield {
                "mails": mails.got,
                "posts": posts.got,
                "shown": shown,
                "run": json.loads(done.stdout),
                "bench": bench,
            }
        finally:
            bench.medallion("down")
            mails.stop()
            posts.stop()


def waiting(bench: Bench) -> list[Any]:
    found = json.loads(bench.medallion("notifications", "--json").stdout)["notifications"]
    return [item for item in found if item["state"] == "pending"]


pytestmark = [pytest.mark.airflow, pytest.mark.spark, pytest.mark.e2e]


def test_the_run_failed_whatever_its_messages(told: dict[str, Any]) -> None:
    assert told["run"]["result_state"] == "FAILED"


def test_mail_of_start_and_failure_arrived_once_with_the_user_s_error(told: dict[str, Any]) -> None:
    subjects = [mail["Subject"] for _, mail in told["mails"]]
    assert subjects == ["Started: nightly", "Failed: nightly"]
    text = told["mails"][1][1].get_body(("plain",)).get_content()
    assert "ValueError: the orders are bad" in text
    assert "bad.py" in text
    assert "Failed tasks: load" in text
    assert "/dags/nightly/runs/" in text
    assert "site-packages" not in text


def test_webhooks_of_job_and_task_with_the_login_of_the_connection(told: dict[str, Any]) -> None:
    bodies = [body for _, _, body in told["posts"]]
    run_id = told["run"]["run_id"]
    events = sorted((body["event_type"], body.get("task", {}).get("task_key", "")) for body in bodies)
    assert events == [("jobs.on_failure", ""), ("jobs.on_failure", "load"), ("jobs.on_start", "load")]
    (whole,) = [body for body in bodies if "task" not in body]
    assert whole["run"] == {"run_id": run_id}
    assert {body["run"]["parent_run_id"] for body in bodies if "task" in body} == {run_id}
    assert all(headers["Authorization"].startswith("Basic ") for _, headers, _ in told["posts"])


def test_what_could_not_be_sent_is_recorded_with_its_reason(told: dict[str, Any]) -> None:
    failed = {item["recipient"]: item["error"] for item in told["shown"] if item["state"] == "failed"}
    assert set(failed) == {"nobody@example.org", "nowhere"}
    assert "no such mailbox" in failed["nobody@example.org"]
    assert "there is no notification destination nowhere" in failed["nowhere"]


def test_the_secret_of_the_destination_is_nowhere_in_the_home(told: dict[str, Any]) -> None:
    files = [file for file in told["bench"].home.rglob("*") if file.is_file() and "airflow" not in file.parts[-2:]]
    assert not [file for file in files if HELD.encode() in file.read_bytes()]
