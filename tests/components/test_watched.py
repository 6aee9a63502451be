"""Health rules, time-outs, secrets and missed fires under a real scheduler and real servers: one `medallion up` for all."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from components.test_starts import Served, ask, script, wait_until
from deltalake import DeltaTable
from runs.notifications.conftest import Mails, Posts

from medallion.components.api_client import ApiClient, quoted
from medallion.components.deployment import Server
from medallion.components.ports import free_port
from medallion.components.sweep import end_everything
from medallion.compute.connection import Connection
from medallion.compute.gateway import open_gateway, root_session
from medallion.errors import TargetError

pytestmark = [pytest.mark.e2e, pytest.mark.airflow, pytest.mark.spark, pytest.mark.timeout(900)]

HELD = "hunter2 of the vault"
"""A secret of a connection: with spaces, so that addresses and JSON spell it in other ways."""
TOKEN = "tok-4711-zebra"
"""A secret of a variable, which one run is also given as a parameter."""

NOTEBOOK = "# Databricks notebook source\n"
CELL = "\n# COMMAND ----------\n"

ENDLESS = """\
from pathlib import Path
with Path(dbutils.widgets.get("told")).open("a") as stream:
    stream.write(dbutils.widgets.get("name") + "\\n")
print(spark.range(10**14).selectExpr("sum(hash(id))").first())
"""

SECRETIVE = (
    'held = dbutils.secrets.get("vault", "password")\nprint("held", held, [held], {"as": held})',
    "from pyspark.sql import Row\ndisplay(spark.createDataFrame([Row(held=held)]))\ndisplayHTML(f'<b>{held}</b>')",
    'dbutils.jobs.taskValues.set("plain", held)\ndbutils.jobs.taskValues.set("deep", {"list": [held, 1]})',
    'print("called", dbutils.notebook.run("callee", 60, {"argument": held}))',
    "spark.sql(f\"SELECT '{held}' AS held\").show(truncate=False)",
    'print("%sh")\nimport subprocess, sys\n'
    'subprocess.run([sys.executable, "-c", f"import sys; print({held!r}); print({held!r}, file=sys.stderr)"])',
    "dbutils.notebook.exit(held)",
)
CALLEE = (
    'print("argument", dbutils.widgets.get("argument"))',
    'dbutils.notebook.exit(dbutils.widgets.get("argument"))',
)
RAISES = (
    'held = dbutils.secrets.get("vault", "password")',
    'print("from before", dbutils.jobs.taskValues.get("tells", "plain"))',
    'def connect(password):\n    raise ValueError(f"no login with {password}")\n\nconnect(held)',
)
TYPED = ('typed = dbutils.widgets.get("typed")\nheld = dbutils.secrets.get("vault2", "token")\nprint("typed", typed)',)
STREAM = """\
import json, time
from pathlib import Path
folder = Path(dbutils.widgets.get("folder"))
(folder / "in").mkdir(parents=True)
for number in range(400):
    (folder / "in" / f"{number}.json").write_text('{"a": 1}')
    time.sleep(0.002)
frame = spark.readStream.schema("a INT").option("maxFilesPerTrigger", 1).json(str(folder / "in"))
query = (frame.writeStream.format("noop").queryName("late").option("checkpointLocation", str(folder / "cp"))
         .trigger(processingTime="1 minute").start())
end = time.monotonic() + 900
while not (folder / "stop").exists() and time.monotonic() < end:
    time.sleep(1)
query.stop()
"""


def rule(metric: str, value: int) -> dict[str, Any]:
    return {"rules": [{"metric": metric, "op": "GREATER_THAN", "value": value}]}


def notebook(key: str, **parameters: str) -> dict[str, Any]:
    return {"task_key": key, "notebook_task": {"notebook_path": key, "base_parameters": parameters}}


def definitions(project: Path) -> dict[str, dict[str, Any]]:
    """Each job's settings."""
    warn = "on_duration_warning_threshold_exceeded"
    told = str(project / "begun.txt")
    hold = script("hold", "hold.py", str(project / "long.gate"))
    failed = {"on_failure": ["ops@example.org"]}
    endless = {"task_key": "endless", "notebook_task": {"notebook_path": "endless"}}

    def late(name: str) -> dict[str, Any]:
        parameters = {"told": told, "name": name}
        return {**endless, "notebook_task": {"notebook_path": "endless", "base_parameters": parameters}}

    raises = {**notebook("raises"), "depends_on": [{"task_key": "tells"}]}
    passed = ask("passed", "{{tasks.tells.values.plain}}", "x")
    return {
        "warm": {"tasks": [notebook("warm")]},
        "long": {
            "health": rule("RUN_DURATION_SECONDS", 2),
            "email_notifications": {warn: ["ops@example.org"]},
            "tasks": [
                {
                    **hold,
                    "health": rule("RUN_DURATION_SECONDS", 1),
                    "webhook_notifications": {warn: [{"id": "hook"}]},
                }
            ],
        },
        "late_task": {
            "tasks": [{**late("late_task"), "timeout_seconds": 15, "max_retries": 1, "email_notifications": failed}]
        },
        "late_run": {"timeout_seconds": 18, "email_notifications": failed, "tasks": [late("late_run")]},
        "secretive": {
            "email_notifications": {"on_failure": ["ops@example.org"]},
            "webhook_notifications": {"on_failure": [{"id": "chat"}]},
            "tasks": [notebook("tells"), raises, {**passed, "depends_on": [{"task_key": "tells"}]}],
        },
        "typed": {"parameters": [{"name": "typed", "default": "none"}], "tasks": [notebook("typed")]},
        "daily": {
            "schedule": {"quartz_cron_expression": "0 0 5 * * ?", "timezone_id": "UTC"},
            "tasks": [ask("a")],
        },
        "streaming": {
            "health": rule("STREAMING_BACKLOG_FILES", 100),
            "email_notifications": {"on_streaming_backlog_exceeded": ["ops@example.org"]},
            "tasks": [notebook("stream", folder=str(project / "stream"))],
        },
    }


NOTEBOOKS = {
    "warm": ("print(spark.range(3).count())",),
    "endless": (ENDLESS,),
    "tells": SECRETIVE,
    "callee": CALLEE,
    "raises": RAISES,
    "typed": TYPED,
    "stream": (STREAM,),
}


class Watched(Served):
    """The project under `medallion up`, and the servers that its messages go to."""

    def __init__(self, project: Path, mails: Mails, posts: Posts) -> None:
        super().__init__(project)
        self.mails = mails
        self.posts = posts

    def shown(self, name: str, run: str) -> dict[str, Any]:
        return self.client.own("GET", f"/jobs/{name}/runs/{quoted(run)}")

    def ended(self, name: str, run: str) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            with contextlib.suppress(TargetError):  # a busy machine answers later
                told = self.shown(name, run)
                return told if told["result_state"] else None
            return None

        return dict(wait_until(look, 300))

    def subjects(self) -> list[str]:
        return [mail["Subject"] for _, mail in self.mails.got]

    def rows(self, table: str, **equal: Any) -> list[dict[str, Any]]:
        place = self.settings.lake / "system" / Path(*table.split("."))
        found = DeltaTable(str(place)).to_pyarrow_table().to_pylist()
        return [row for row in found if all(row[key] == value for key, value in equal.items())]

    def log(self, name: str, task: str) -> str:
        folder = self.settings.home / "logs" / "tasks" / f"dag_id={name}"
        return "\n".join(file.read_text() for file in sorted(folder.rglob("*.log")) if f"task_id={task}" in str(file))


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    project = tmp_path_factory.mktemp("project")
    (project / "jobs").mkdir()
    mails, posts = Mails(), Posts()
    mails.start()
    posts.start()
    served = Watched(project, mails, posts)
    (project / "medallion.toml").write_text(
        "parallelism = 6\ndriver_start_seconds = 300\n"
        f'[smtp]\nhost = "127.0.0.1"\nport = {mails.port}\nsecurity = "none"\nsender = "jobs@example.org"\n'
        f'[destinations.hook]\nurl = "{posts.url}/hook"\n[destinations.chat]\nkind = "slack"\nurl = "{posts.url}/chat"\n'
    )
    hold = "import sys, time\nfrom pathlib import Path\nwhile not Path(sys.argv[1]).exists():\n    time.sleep(0.05)\n"
    (project / "jobs" / "hold.py").write_text(hold)
    for name, cells in NOTEBOOKS.items():
        (project / "jobs" / f"{name}.py").write_text(NOTEBOOK + CELL.join(cells) + "\n")
    jobs = definitions(project)
    for name, job in jobs.items():
        served.write(name, **job)
    port = free_port("127.0.0.1", 8500)
    try:
        done = served.medallion("up", "--detach", "--port", str(port))
        assert done.returncode == 0, done.stdout + done.stderr
        served.client = ApiClient(served.settings, Server(f"http://127.0.0.1:{port}", own=True))
        wait_until(lambda: all(served.client.dag(name) for name in jobs))
        yield served
    finally:
        end_everything(served.settings)
        mails.stop()
        posts.stop()


@pytest.fixture(scope="module")
def warm(watched: Watched) -> Watched:
    """With a driver, and an API server that has answered: time-outs shall not be over before a statement runs."""
    assert watched.ended("warm", watched.client.start("warm", {}))["result_state"] == "SUCCESS"
    return watched


def test_a_duration_rule_of_run_and_task_warns_while_the_run_goes_on(warm: Watched) -> None:
    run = warm.client.start("long", {})
    wait_until(lambda: warm.subjects() and warm.posts.got, 90)
    assert warm.state("long", run) == "running"
    ((recipients, mail),) = warm.mails.got
    assert recipients == ("ops@example.org",)
    assert "long" in mail["Subject"]
    assert "takes longer than 2 s" in mail.get_body(("plain",)).get_content()
    ((path, _, body),) = warm.posts.got
    assert path == "/hook"
    assert body["event_type"] == "jobs.on_duration_warning_threshold_exceeded"
    assert body["task"] == {"task_key": "hold"}
    warm.gate("long").touch()
    assert warm.ended("long", run)["result_state"] == "SUCCESS"
    time.sleep(3)
    assert (len(warm.mails.got), len(warm.posts.got)) == (1, 1)


def active_jobs(watched: Watched) -> list[int]:
    """Spark jobs that the drivers of the home work on."""
    found: list[int] = []
    for file in (watched.settings.home / "drivers").glob("*/*/connection.json"):
        connection = Connection.load(file)
        with open_gateway(connection.port, connection.secret) as gateway:
            found += list(root_session(gateway).sparkContext().statusTracker().getActiveJobIds())
    return found


def test_time_outs_of_task_and_run_end_them_and_leave_nothing_on_the_driver(warm: Watched) -> None:
    runs = {name: warm.client.start(name, {}) for name in ("late_task", "late_run")}
    wait_until(lambda: {"late_task", "late_run"} <= set(warm.told("begun")))
    wait_until(lambda: active_jobs(warm), 30)
    task, whole = (warm.ended(name, run) for name, run in runs.items())
    assert (task["result_state"], task["tasks"][0]["result_state"]) == ("FAILED", "TIMEDOUT")
    assert task["tasks"][0]["attempts"] == 1
    assert (whole["result_state"], whole["tasks"][0]["result_state"]) == ("TIMEDOUT", "CANCELED")
    wait_until(lambda: not active_jobs(warm), 30)
    drivers = warm.settings.home / "drivers"
    wait_until(lambda: not [*drivers.glob("*/*/sessions/*"), *drivers.glob("*/*/leases/*")], 30)

    def result(table: str, name: str, **more: str) -> str | None:
        found = warm.rows(table, job_id=str(warm.shown(name, runs[name])["job_id"]), **more)
        return str(found[0]["result_state"]) if found else None

    wait_until(lambda: result("lakeflow.job_run_timeline", "late_run") == "TIMED_OUT", 30)
    wait_until(lambda: result("lakeflow.job_task_run_timeline", "late_task", task_key="endless") == "TIMED_OUT", 30)
    wait_until(
        lambda: sorted(warm.subjects())[-2:] == ["Timed out: late_run", "Timed out: late_task, task endless"], 60
    )
    assert warm.told("begun").count("late_task") == 1


@pytest.fixture(scope="module")
def told(warm: Watched) -> dict[str, Any]:
    """Two runs that handle secrets."""
    for body in (
        {"connection_id": "vault", "conn_type": "generic", "password": HELD},
        {"connection_id": "vault2", "conn_type": "generic", "password": "unused-33"},
    ):
        warm.client.call("POST", "/connections", body)
    warm.client.call("POST", "/variables", {"key": "vault2__token", "value": TOKEN})
    run = warm.client.start("secretive", {})
    typed = warm.client.start("typed", {"job_parameters": {"typed": TOKEN}})
    found = {"secretive": warm.ended("secretive", run), "typed": warm.ended("typed", typed)}
    wait_until(lambda: any("secretive" in subject for subject in warm.subjects()), 60)
    wait_until(lambda: any(path == "/chat" for path, _, _ in warm.posts.got), 60)
    for name, told in found.items():
        ran = len([task for task in told["tasks"] if task["result_state"] != "UPSTREAM_FAILED"])
        job = {"job_run_id": str(told["run_id"])}
        wait_until(lambda job=job, ran=ran: len(warm.rows("lakeflow.job_task_run_timeline", **job)) >= ran, 60)
        wait_until(lambda name=name: warm.rows("lakeflow.job_run_timeline", run_name=name), 60)
    return found


def spellings(secret: str) -> list[bytes]:
    """How a file might have it."""
    from urllib.parse import quote, quote_plus

    return [text.encode() for text in {secret, quote(secret), quote_plus(secret), secret.replace(" ", "\\u0020")}]


def test_the_secret_reached_the_code_and_is_masked_where_people_look(warm: Watched, told: dict[str, Any]) -> None:
    results = {task["task_key"]: task["result_state"] for task in told["secretive"]["tasks"]}
    assert results == {"tells": "SUCCESS", "raises": "FAILED", "passed": "SUCCESS"}
    log = warm.log("secretive", "tells")
    assert "held [REDACTED] ['[REDACTED]'] {'as': '[REDACTED]'}" in log
    assert "called [REDACTED]" in log
    assert "[callee] argument [REDACTED]" in log
    assert "from before [REDACTED]" in warm.log("secretive", "raises")
    assert "ValueError: no login with [REDACTED]" in warm.log("secretive", "raises")
    mail = next(mail for _, mail in warm.mails.got if "secretive" in mail["Subject"])
    assert "ValueError: no login with [REDACTED]" in mail.get_body(("plain",)).get_content()
    output = warm.json("runs", "output", str(told["secretive"]["run_id"]), "tells")
    assert "[REDACTED]" in json.dumps(output)
    assert HELD not in json.dumps(output)


def test_no_file_of_the_home_has_the_secret(warm: Watched, told: dict[str, Any]) -> None:
    wanted = spellings(HELD)
    files = [file for file in warm.settings.home.rglob("*") if file.is_file() and not file.is_symlink()]
    assert len(files) > 100
    found = [file for file in files if any(text in file.read_bytes() for text in wanted)]
    assert [str(file.relative_to(warm.settings.home)) for file in found] == []
    # Parquet is packed: its texts are looked at as well.
    tables = [log.parent for log in (warm.settings.lake / "system").rglob("_delta_log")]
    assert len(tables) >= 8
    rows = json.dumps([DeltaTable(str(table)).to_pyarrow_table().to_pylist() for table in tables], default=str)
    assert HELD not in rows
    sent = json.dumps([body for _, _, body in warm.posts.got]) + "".join(str(mail) for _, mail in warm.mails.got)
    assert HELD not in sent


def test_a_parameter_that_was_typed_stands_as_it_was_typed_and_is_masked_once_it_is_known_as_a_secret(
    warm: Watched, told: dict[str, Any]
) -> None:
    assert told["typed"]["result_state"] == "SUCCESS"
    assert "typed [REDACTED]" in warm.log("typed", "typed")
    (row,) = warm.rows("lakeflow.job_run_timeline", run_name="typed")
    assert row["job_parameters"] == [("typed", TOKEN)]
    folder = warm.settings.home / "runs" / "typed"
    kept = {file.name for file in folder.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()}
    assert kept <= {"context.json"}
    logs = warm.settings.home / "logs"
    assert not [file for file in logs.rglob("*") if file.is_file() and TOKEN.encode() in file.read_bytes()]


def test_a_missed_fire_is_one_line_in_the_schedulers_log(watched: Watched) -> None:
    log = watched.settings.home / "logs" / "scheduler.log"
    with closing(sqlite3.connect(watched.settings.home / "airflow" / "airflow.db", timeout=30)) as database:
        past = "2026-01-01 05:00:00.000000"
        columns = ("next_dagrun", "next_dagrun_data_interval_start", "next_dagrun_data_interval_end")
        sets = ", ".join(f"{name} = '{past}'" for name in (*columns, "next_dagrun_create_after"))
        assert database.execute(f"UPDATE dag SET {sets} WHERE dag_id = 'daily'").rowcount == 1
        database.commit()
    wait_until(lambda: "was missed and is not made up for" in log.read_text(), 60)
    time.sleep(2)
    lines = [line for line in log.read_text().splitlines() if "was missed" in line]
    assert len(lines) == 1
    assert "daily: the start of 2026-01-01T05:00:00+00:00" in lines[0]
    assert "the next one is at" in lines[0]
    assert "Failed creating DagRun" not in log.read_text()
    assert "MissedFireError" not in log.read_text()
    assert watched.runs("daily") == []


@pytest.mark.slow
def test_a_stream_that_lags_for_ten_minutes_is_told(warm: Watched) -> None:
    run = warm.client.start("streaming", {})
    begun = time.monotonic()
    wait_until(lambda: any("streaming" in subject for subject in warm.subjects()), 840)
    assert time.monotonic() - begun >= 540
    assert warm.state("streaming", run) == "running"
    mail = next(mail for _, mail in warm.mails.got if "streaming" in mail["Subject"])
    assert "stream late is 39" in mail.get_body(("plain",)).get_content()
    (warm.project / "stream" / "stop").touch()
    assert warm.ended("streaming", run)["result_state"] == "SUCCESS"
