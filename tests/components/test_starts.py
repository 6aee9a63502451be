"""Starts under a real scheduler: one `medallion up` for all. Runs by hand, over REST, from a schedule, without end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from medallion.components.api_client import ApiClient
from medallion.components.deployment import Server
from medallion.components.places import places_of
from medallion.components.ports import free_port
from medallion.components.record import Record
from medallion.components.sweep import end_everything
from medallion.runs import ids
from medallion.runs.notes import read_notes
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

MEDALLION = Path(sys.executable).parent / "medallion"
HOLD = """\
import sys, time
from pathlib import Path
gate = Path(sys.argv[1])
end = time.monotonic() + 300
while not gate.exists() and time.monotonic() < end:
    time.sleep(0.05)
"""
TELL = """\
import sys
from pathlib import Path
with Path(sys.argv[1]).open("a") as stream:
    stream.write(" ".join(sys.argv[2:]) + "\\n")
"""


def ask(key: str, left: str = "1", right: str = "1", *after: str, op: str = "EQUAL_TO") -> dict[str, Any]:
    edges = [dict(zip(("task_key", "outcome"), edge.split(":"), strict=False)) for edge in after]
    return {"task_key": key, "condition_task": {"op": op, "left": left, "right": right}, "depends_on": edges}


def script(key: str, file: str, *parameters: str) -> dict[str, Any]:
    return {"task_key": key, "spark_python_task": {"python_file": file, "parameters": list(parameters)}}


class Served:
    """A project under `medallion up`."""

    def __init__(self, project: Path) -> None:
        self.project = project
        self.settings = Settings.load(project, environ={})
        self.client: ApiClient

    def write(self, name: str, **job: Any) -> str:
        path = self.project / "jobs" / f"{name}.json"
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps({"name": name, **job}))
        draft.replace(path)
        return name

    def medallion(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        dropped = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_")
        environment = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
        return subprocess.run(
            [MEDALLION, *arguments],
            cwd=self.project,
            env=environment,
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )

    def json(self, *arguments: str) -> dict[str, Any]:
        done = self.medallion(*arguments, "--json")
        assert done.stdout, done.stderr
        return json.loads(done.stdout)

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        found = self.client.call("GET", f"/dags/{dag_id}/dagRuns?limit=100&order_by=id")["dag_runs"]
        return list(found)

    def state(self, dag_id: str, run_id: str) -> str:
        return str(self.client.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        return {item.task_id: item.state for item in self.client.snapshot(dag_id, run_id).instances}

    def kill(self, component: str) -> None:
        record = Record.read(places_of(self.settings).record)
        assert record is not None
        os.kill(record.components[component].pid, signal.SIGKILL)

    def gate(self, name: str) -> Path:
        return self.project / f"{name}.gate"

    def told(self, name: str) -> list[str]:
        path = self.project / f"{name}.txt"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    project = tmp_path_factory.mktemp("project")
    (project / "jobs").mkdir()
    (project / "medallion.toml").write_text("parallelism = 3\n")
    (project / "jobs" / "hold.py").write_text(HOLD)
    (project / "jobs" / "tell.py").write_text(TELL)
    served = Served(project)
    branches = [
        ask("two", "{{job.parameters.x}}", "2"),
        ask("yes", "1", "1", "two:true"),
        ask("no", "1", "1", "two:false"),
    ]
    served.write("given", parameters=[{"name": "x", "default": "1"}], max_concurrent_runs=20, tasks=branches)
    for name, queue in (("patient", True), ("strict", False)):
        gate = str(served.gate(name))
        served.write(name, queue={"enabled": queue}, tasks=[script("hold", "hold.py", gate)])
    served.write("parent", tasks=[{"task_key": "call", "run_job_task": {"job_id": ids.job_id("strict")}}])
    served.write("never", max_concurrent_runs=0, tasks=[ask("a")])
    told = [str(project / "dates.txt"), "{{job.parameters.day}}", "{{backfill.iso_datetime}}", "{{job.trigger.type}}"]
    served.write(
        "dated",
        parameters=[{"name": "day", "default": "none"}],
        schedule={"quartz_cron_expression": "0 0 6 * * ?", "timezone_id": "UTC", "pause_status": "PAUSED"},
        tasks=[script("tell", "tell.py", *told)],
    )
    port = free_port("127.0.0.1", 8300)
    done = served.medallion("up", "--detach", "--port", str(port))
    assert done.returncode == 0, done.stdout + done.stderr
    served.client = ApiClient(served.settings, Server(f"http://127.0.0.1:{port}", own=True))
    wait_until(
        lambda: all(served.client.dag(name) for name in ("given", "patient", "strict", "parent", "dated", "never"))
    )
    yield served
    end_everything(served.settings)


def wait_until(holds: Callable[[], Any], seconds: float = 120, pause: float = 0.1) -> Any:
    end = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(pause)
    return found


def ended(served: Served, dag_id: str, run_id: str) -> Callable[[], bool]:
    return lambda: served.state(dag_id, run_id) in {"success", "failed"}


def other_run(served: Served, dag_id: str, run_id: str) -> dict[str, Any] | None:
    """The running run of a job when it is another one."""
    running = [run for run in served.runs(dag_id) if run["state"] == "running" and run["dag_run_id"] != run_id]
    return running[0] if running else None


def test_run_now_gives_the_ids_at_once_and_waits_when_asked(served: Served) -> None:
    told = served.json("run-now", "given", "-p", "x=2", "--wait")
    assert (told["result_state"], told["new"]) == ("SUCCESS", True)
    assert told["run_id"] == ids.run_id("given", told["airflow_run_id"])
    assert {task["task_key"]: task["result_state"] for task in told["tasks"]}["no"] == "EXCLUDED"


def test_run_now_refuses_what_the_job_has_not(served: Served) -> None:
    done = served.medallion("run-now", "given", "-p", "xx=2")
    assert done.returncode == 2
    assert "no parameter 'xx'" in done.stderr
    assert "did you mean" in done.stderr.lower()
    done = served.medallion("run-now", "given", "--only", "tow")
    assert (done.returncode, "no task 'tow'" in done.stderr) == (2, True)


def test_one_token_is_one_run_for_all_who_ask_at_once(served: Served) -> None:
    found: list[dict[str, Any]] = []
    request = {"job_parameters": {"x": "2"}, "idempotency_token": "order 4711"}
    threads = [
        threading.Thread(target=lambda: found.append(served.client.run_now("given", request))) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({item["run_id"] for item in found}) == 1
    assert sum(item["new"] for item in found) == 1
    again = served.json("run-now", "given", "--idempotency-token", "order 4711")
    assert (again["run_id"], again["new"]) == (found[0]["run_id"], False)


@pytest.mark.parametrize(
    "conf", [pytest.param({"job_parameters": {"x": "2"}}, id="as run-now"), pytest.param({"x": "2"}, id="trigger form")]
)
def test_airflow_s_rest_api_starts_a_run_with_parameters(served: Served, conf: dict[str, Any]) -> None:
    body = {"logical_date": None, "conf": conf}
    run_id = served.client.call("POST", "/dags/given/dagRuns", body)["dag_run_id"]
    wait_until(ended(served, "given", run_id))
    assert served.tasks("given", run_id) == {"two": "success", "yes": "success", "no": "skipped"}


def test_the_interface_wants_airflow_s_login(served: Served) -> None:
    import urllib.error
    import urllib.request

    url = f"{served.client.url}/lakeflow/api/jobs/given/run-now"
    headers = {"Content-Type": "application/json"}
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(urllib.request.Request(url, b"{}", headers, method="POST"), timeout=30)
    assert refused.value.code == 401


def test_with_a_queue_runs_wait_for_their_turn(served: Served) -> None:
    first, second = (served.client.start("patient", {}) for _ in range(2))
    wait_until(lambda: served.state("patient", first) == "running")
    assert served.state("patient", second) == "queued"
    served.gate("patient").touch()
    wait_until(ended(served, "patient", second))
    assert [run["state"] for run in served.runs("patient")] == ["success", "success"]


def test_without_a_queue_runs_over_the_limit_are_skipped_whoever_starts_them(served: Served) -> None:
    held = served.client.start("strict", {})
    wait_until(lambda: served.state("strict", held) == "running")
    by_us = served.client.run_now("strict", {})
    assert by_us["skipped"] == "Skipped due to reaching maximum concurrent runs of 1."
    by_rest = served.client.call("POST", "/dags/strict/dagRuns", {"logical_date": None})["dag_run_id"]
    by_job = served.client.start("parent", {})
    wait_until(ended(served, "strict", by_rest))
    wait_until(ended(served, "parent", by_job))
    assert served.state("parent", by_job) == "failed"
    reasons = [read_notes(served.settings.home, "strict", run["dag_run_id"]) for run in served.runs("strict")]
    assert [notes.get("termination", {}).get("code") for notes in reasons] == [None] + [
        "MAX_CONCURRENT_RUNS_EXCEEDED"
    ] * 3
    logs = served.settings.home / "logs" / "tasks" / "dag_id=parent"
    assert any("maximum concurrent runs of 1" in file.read_text() for file in logs.rglob("attempt=*.log"))
    assert served.state("strict", held) == "running"
    told = served.json("run-now", "strict", "--wait")
    assert (told["life_cycle_state"], told["result_state"]) == ("SKIPPED", "MAXIMUM_CONCURRENT_RUNS_REACHED")
    served.gate("strict").touch()
    wait_until(ended(served, "strict", held))
    assert served.state("strict", held) == "success"


def test_no_run_is_allowed_and_all_are_skipped(served: Served) -> None:
    run_id = served.client.call("POST", "/dags/never/dagRuns", {"logical_date": None})["dag_run_id"]
    wait_until(ended(served, "never", run_id))
    assert served.tasks("never", run_id) == {"a": "skipped"}


def test_a_backfill_starts_a_run_for_each_date(served: Served) -> None:
    dates = ["--from", "2026-01-01", "--to", "2026-01-03T12:00"]
    told = served.json("backfill", "dated", *dates, "-p", "day={{backfill.iso_date}}", "--max-concurrent", "1")
    runs = [item["airflow_run_id"] for item in told["runs"]]
    assert len(runs) == 3
    wait_until(ended(served, "dated", runs[-1]))
    expected = [f"2026-01-0{day} 2026-01-0{day}T06:00:00Z one_time" for day in (1, 2, 3)]
    assert served.told("dates") == expected


def test_airflow_s_own_backfill_gives_the_same_dates(served: Served) -> None:
    body = {
        "dag_id": "dated",
        "from_date": "2026-02-01T00:00:00Z",
        "to_date": "2026-02-02T12:00:00Z",
        "dag_run_conf": {"job_parameters": {"day": "{{backfill.day}}"}},
    }
    before = len(served.told("dates"))
    served.client.call("POST", "/backfills", body)
    wait_until(lambda: len(served.told("dates")) == before + 2)
    assert sorted(served.told("dates")[before:]) == [f"{day} 2026-02-0{day}T06:00:00Z one_time" for day in (1, 2)]


def test_a_schedule_tells_its_fire_and_an_edit_ends_it(served: Served) -> None:
    file = str(served.project / "fires.txt")
    tasks = [script("tell", "tell.py", file, "{{job.trigger.time.iso_datetime}}", "{{job.trigger.type}}")]
    block = {"quartz_cron_expression": "0/5 * * * * ?", "timezone_id": "UTC"}
    served.write("often", schedule=block, tasks=tasks)
    wait_until(lambda: len(served.told("fires")) >= 3)
    served.write("often", schedule={**block, "pause_status": "PAUSED"}, tasks=tasks)
    wait_until(lambda: served.client.call("GET", "/dags/often/details")["timetable_summary"].startswith("Paused"))
    wait_until(lambda: all(run["state"] == "success" for run in served.runs("often")))
    made = [datetime.fromisoformat(run["logical_date"]) for run in served.runs("often")]
    assert [f"{date:%Y-%m-%dT%H:%M:%SZ} periodic" for date in made] == sorted(served.told("fires"))
    assert len(set(made)) == len(made)
    assert all(date.second % 5 == 0 for date in made)


def test_a_schedule_that_is_edited_while_the_dag_processor_dies_misses_no_fire(served: Served) -> None:
    def dates() -> list[datetime]:
        return [datetime.fromisoformat(run["logical_date"]) for run in served.runs("moved")]

    def phases() -> list[int]:
        return [date.second % 10 for date in dates()]

    block = {"quartz_cron_expression": "0/10 * * * * ?", "timezone_id": "UTC"}
    served.write("moved", schedule=block, tasks=[ask("a")])
    wait_until(lambda: served.client.dag("moved"))
    wait_until(lambda: len(dates()) >= 2, pause=2)
    served.kill("dag-processor")
    edited = served.write("moved", schedule={**block, "quartz_cron_expression": "5/10 * * * * ?"}, tasks=[ask("a")])
    wait_until(lambda: phases().count(5) >= 3, pause=2)
    served.write(edited, schedule={**block, "pause_status": "PAUSED"}, tasks=[ask("a")])
    wait_until(lambda: served.client.call("GET", "/dags/moved/details")["timetable_summary"].startswith("Paused"))
    before, after = phases().count(0), phases().count(5)
    assert phases() == [0] * before + [5] * after
    steps = [(later - date).total_seconds() for date, later in pairwise(dates())]
    # The last fire of the old schedule and the first of the new one lie on both sides of the parse.
    assert steps.pop(before - 1) in {5, 15}
    assert set(steps) == {10}


def test_a_continuous_job_goes_on_within_a_second_and_stops_when_it_is_paused(served: Served) -> None:
    tasks = [ask("a", "{{job.trigger.type}}", "continuous"), ask("yes", "1", "1", "a:true")]
    served.write("stream", continuous={"pause_status": "UNPAUSED"}, tasks=tasks)
    wait_until(lambda: served.client.dag("stream"))
    wait_until(lambda: len(served.runs("stream")) >= 6)
    served.write("stream", continuous={"pause_status": "PAUSED"}, tasks=tasks)
    wait_until(lambda: served.client.call("GET", "/dags/stream/details")["timetable_summary"].startswith("Paused"))
    wait_until(lambda: all(run["state"] == "success" for run in served.runs("stream")))
    runs = served.runs("stream")
    starts = [datetime.fromisoformat(run["start_date"]).timestamp() for run in runs]
    ends = [datetime.fromisoformat(run["end_date"]).timestamp() for run in runs]
    gaps = sorted(start - end for start, end in zip(starts[1:], ends, strict=False))
    assert 0 <= gaps[0] < 1
    assert gaps[len(gaps) // 2] < 3
    assert served.tasks("stream", runs[0]["dag_run_id"])["yes"] == "success"
    count = len(runs)
    by_hand = served.client.start("stream", {})
    wait_until(ended(served, "stream", by_hand))
    assert len(served.runs("stream")) == count + 1


def test_a_continuous_job_waits_longer_after_each_failure_and_a_cancel_starts_the_next(served: Served) -> None:
    served.write("shaky", continuous={}, tasks=[ask("a", "apple", "1", op="LESS_THAN")])
    wait_until(lambda: served.client.dag("shaky"))
    wait_until(lambda: len([run for run in served.runs("shaky") if run["state"] == "failed"]) >= 3)
    runs = served.runs("shaky")[:3]
    starts = [datetime.fromisoformat(run["start_date"]).timestamp() for run in runs]
    ends = [datetime.fromisoformat(run["end_date"]).timestamp() for run in runs]
    gaps = [start - end for start, end in zip(starts[1:], ends, strict=False)]
    assert gaps[0] >= 2
    assert gaps[1] >= 4
    gate = str(served.gate("shaky"))
    served.write("shaky", continuous={}, tasks=[script("hold", "hold.py", gate)])
    held = wait_until(lambda: next((run for run in served.runs("shaky") if run["state"] == "running"), None))
    wait_until(lambda: served.tasks("shaky", held["dag_run_id"]).get("hold") == "running")
    place = f"/dags/shaky/dagRuns/{held['dag_run_id']}"
    served.client.call("PATCH", place, {"state": "failed"})
    last = wait_until(lambda: other_run(served, "shaky", held["dag_run_id"]), 30)
    assert last["run_type"] == "scheduled"
    served.gate("shaky").touch()
    served.write("shaky", continuous={"pause_status": "PAUSED"}, tasks=[ask("a")])
    wait_until(lambda: served.client.call("GET", "/dags/shaky/details")["timetable_summary"].startswith("Paused"))


@pytest.mark.slow
def test_runs_in_the_queue_outlive_a_scheduler_that_is_killed(served: Served) -> None:
    before = len(served.runs("patient"))
    gate = served.gate("patient")
    gate.unlink(missing_ok=True)
    runs = [served.client.start("patient", {}) for _ in range(3)]
    wait_until(lambda: served.tasks("patient", runs[0]).get("hold") == "running")
    served.kill("scheduler")
    gate.touch()
    wait_until(lambda: all(served.state("patient", run_id) in {"success", "failed"} for run_id in runs), 400)
    assert [served.state("patient", run_id) for run_id in runs[1:]] == ["success", "success"]
    assert len(served.runs("patient")) == before + 3


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_starts_in_a_burst_lose_none(served: Served) -> None:
    served.write("waiting", max_concurrent_runs=40, queue={"enabled": True}, tasks=[ask("a")])
    served.write("skipping", max_concurrent_runs=4, queue={"enabled": False}, tasks=[ask("a")])
    wait_until(lambda: served.client.dag("waiting") and served.client.dag("skipping"))
    with ThreadPoolExecutor(16) as pool:
        told = list(
            pool.map(lambda number: served.client.run_now(("waiting", "skipping")[number % 2], {}), range(1000))
        )
    assert len({item["run_id"] for item in told}) == 1000

    def ended_as(dag_id: str) -> Counter[str]:
        ends: Counter[str] = Counter()
        for offset in range(0, 500, 100):
            page = served.client.call("GET", f"/dags/{dag_id}/dagRuns?limit=100&offset={offset}&order_by=id")
            for run in page["dag_runs"]:
                notes = read_notes(served.settings.home, dag_id, run["dag_run_id"])
                ends[str(notes.get("termination", {}).get("code", run["state"]))] += 1
        return ends

    wait_until(lambda: not {"queued", "running"} & (ended_as("waiting") | ended_as("skipping")).keys(), 1800)
    assert ended_as("waiting") == {"success": 500}
    skipped = ended_as("skipping")
    assert skipped["success"] + skipped["MAX_CONCURRENT_RUNS_EXCEEDED"] == 500
    assert skipped["success"] >= 4
