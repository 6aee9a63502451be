"""Jobs that start by themselves under a real scheduler, dag processor and triggerer: one `medallion up` for all tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from browser import signed_in
from playwright.sync_api import Page

from medallion.components.api_client import ApiClient
from medallion.components.deployment import Server
from medallion.components.ports import free_port
from medallion.components.record import Record
from medallion.components.sweep import end_everything
from medallion.runs import ids
from medallion.settings import Settings
from medallion.triggers.store import shown, state_file

pytestmark = [pytest.mark.e2e, pytest.mark.airflow, pytest.mark.timeout(900)]

MEDALLION = Path(sys.executable).parent / "medallion"
PROJECT = Path(__file__).parents[2]
LANDING = "/Volumes/main/default/landing"
SEVERAL = "/Volumes/main/default/several"


def job(name: str, told: str, **more: Any) -> dict[str, Any]:
    """A job whose one task keeps what references say; it needs no process of its own."""
    task = {"task_key": "tell", "condition_task": {"op": "EQUAL_TO", "left": told, "right": "x"}}
    return {"name": name, "max_concurrent_runs": 1, "queue": {"enabled": True}, "tasks": [task], **more}


def tables(*names: str, condition: str = "ANY_UPDATED") -> dict[str, Any]:
    return {"table_update": {"table_names": [f"main.silver.{name}" for name in names], "condition": condition}}


TYPE = "{{job.trigger.type}}"
LOCATION = "{{job.trigger.file_arrival.location}}"
UPDATED = "{{job.trigger.table_update.updated_tables}}"
VERSION = "{{job.trigger.table_update.`main.silver.a`.version}}"


def gated(name: str, mode: str) -> dict[str, Any]:
    """A job that a file starts if its query says so."""
    condition = {"sql_query_id": name, "warehouse_id": "0", "trigger_mode": mode}
    return job(name, TYPE, trigger={"file_arrival": {"url": f"{LANDING}_{name}"}, "sql_condition": condition})


NIGHTLY = {"quartz_cron_expression": "0 30 2 ? * MON-FRI", "timezone_id": "Europe/Warsaw"}
QUERIES = {"no_rows": "SELECT 1 AS x WHERE 1 = 0", "changes": "SELECT 41 + 1"}

JOBS = [
    gated("no_rows", "QUERY_RETURNS_ROWS"),
    gated("changes", "RESULT_VALUE_CHANGES"),
    job("files", f"{TYPE} {LOCATION}", trigger={"file_arrival": {"url": LANDING}}),
    job("asleep", TYPE, trigger={"file_arrival": {"url": LANDING}, "pause_status": "PAUSED"}),
    job("any", f"{TYPE} {UPDATED} {VERSION}", trigger=tables("a", "later")),
    job("all", f"{TYPE} {UPDATED}", trigger=tables("a", "b", condition="ALL_UPDATED")),
    job("spare", TYPE, trigger=tables("d")),
    job("asleep_by_time", TYPE, schedule=NIGHTLY | {"pause_status": "PAUSED"}),
    job("minutely", TYPE, trigger={"periodic": {"interval": 1, "unit": "MINUTES"}}),
    job("several", f"{TYPE} {LOCATION}", triggers=[{"file_arrival": {"url": SEVERAL}}, tables("c")]),
    job(
        "after",
        TYPE,
        trigger={"job_completion": {"jobs": [{"workspace_id": "0", "job_id": str(ids.job_id("any"))}]}},
    ),
]

UNWATCHED = {"asleep", "asleep_by_time", "minutely"}


@dataclass
class House:
    """A project with Airflow up."""

    settings: Settings
    client: ApiClient

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Airflow's runs of a job, oldest first."""
        found = self.client.call("GET", f"/dags/{dag_id}/dagRuns?limit=100&order_by=run_after")
        return list(found["dag_runs"])

    def wait_for_runs(self, dag_id: str, count: int, seconds: float = 60) -> list[dict[str, Any]]:
        """The runs of a job when there are so many and all have ended."""

        def enough() -> bool:
            runs = self.runs(dag_id)
            return len(runs) >= count and all(run["state"] in {"success", "failed"} for run in runs)

        wait_until(enough, seconds, lambda: f"{dag_id}: {self.runs(dag_id)} {self.seen(dag_id)}")
        found = self.runs(dag_id)
        assert len(found) == count, found
        return found

    def told(self, dag_id: str, run: dict[str, Any]) -> str:
        """What the run's references said."""
        place = f"/dags/{dag_id}/dagRuns/{quote(run['dag_run_id'])}/taskInstances/tell/xcomEntries/left"
        return str(self.client.call("GET", place)["value"]).strip('"')

    def files(self, dag_id: str) -> list[str]:
        """The files that started runs, as the runs tell."""
        firings = [told for run in self.runs(dag_id) for told in (run["conf"] or {}).get("triggers", ())]
        return sorted(name for told in firings for name in told.get("files", ()))

    def seen(self, dag_id: str) -> Any:
        """What the watcher says of a job."""
        return shown(state_file(self.settings.home), dag_id)

    def kill(self, component: str) -> None:
        """Kill -9 a process of Airflow; its supervisor starts it again."""
        record = Record.read(self.settings.home / "up.json")
        assert record is not None
        os.kill(record.components[component].pid, signal.SIGKILL)

    def put(self, url: str, name: str) -> None:
        """A new file."""
        folder = self.settings.volumes / url.removeprefix("/Volumes/")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")

    def write(self, table: str) -> None:
        """A commit by delta-rs."""
        import pyarrow as pa
        from deltalake import write_deltalake

        place = self.settings.lake / "main" / "silver" / table
        write_deltalake(str(place), pa.table({"x": [1]}), mode="append")

    def optimize(self, table: str) -> None:
        """A commit that changes no data."""
        from deltalake import DeltaTable

        DeltaTable(str(self.settings.lake / "main" / "silver" / table)).optimize.compact()


def wait_until(holds: Callable[[], bool], seconds: float, why: Callable[[], str] = lambda: "") -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"it did not happen in time: {why()}"
        time.sleep(0.2)


def clean_environment() -> dict[str, str]:
    dropped = ("AIRFLOW_", "MEDALLION_", "DATABRICKS_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


def command(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [MEDALLION, *arguments], cwd=project, env=clean_environment(), capture_output=True, text=True, timeout=400
    )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """LAB 08 and jobs of one cheap task each."""
    project = tmp_path_factory.mktemp("project")
    shutil.copytree(PROJECT / "jobs" / "lab08", project / "jobs" / "lab08")
    named = "".join(f'"{name}" = "queries/{name}.sql"\n' for name in QUERIES)
    toml = f'parallelism = 4\n[workspace]\n"/Workspace/Shared" = "jobs"\n[queries]\n{named}'
    (project / "medallion.toml").write_text(toml)
    for item in JOBS:
        (project / "jobs" / f"{item['name']}.json").write_text(json.dumps(item))
    (project / "queries").mkdir()
    for name, text in QUERIES.items():
        (project / "queries" / f"{name}.sql").write_text(text)
    settings = Settings.load(project, environ={})
    make = [sys.executable, str(PROJECT / "jobs" / "lab08" / "generate.py"), "--orders", "300", "--seed", "7", "--out"]
    subprocess.run([*make, str(settings.volumes / "lab08/default/datasets")], check=True, capture_output=True)
    done = command(project, "up", "--detach", "--port", str(free_port("127.0.0.1", 18640)), "--json")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        record = Record.read(settings.home / "up.json")
        assert record is not None
        house = House(settings, ApiClient(settings, Server(record.url, own=True)))
        watched = [item["name"] for item in JOBS if item["name"] not in UNWATCHED] + ["orders_pipeline"]
        wait_until(lambda: all(house.seen(name).entries for name in watched), 120, lambda: str(watched))
        yield house
    finally:
        command(project, "down")
        end_everything(settings)


@pytest.fixture(scope="module")
def lab(house: House) -> str:
    """A run of customer_pipeline, started before the other tests and looked at after them."""
    wait_until(lambda: house.client.dag("customer_pipeline") is not None, 60)
    return house.client.start("customer_pipeline", {})


def test_a_new_file_starts_a_run_that_knows_where(house: House, lab: str) -> None:
    begun = time.monotonic()
    house.put(LANDING, "one.csv")
    (run,) = house.wait_for_runs("files", 1)
    print(f"file -> end of the run: {time.monotonic() - begun:.1f} s")
    assert house.told("files", run) == f"file_arrival {LANDING}"
    assert house.files("files") == ["one.csv"]


def test_a_commit_of_delta_rs_starts_a_run_and_a_compaction_does_not(house: House) -> None:
    house.write("a")
    (run,) = house.wait_for_runs("any", 1)
    assert house.told("any", run) == 'table ["main.silver.a"] 0'
    (asset,) = house.client.call("GET", "/assets?name_pattern=main.silver.a")["assets"]
    (event,) = house.client.call("GET", f"/assets/events?asset_id={asset['id']}")["asset_events"]
    assert event["extra"]["version"] == 0
    house.optimize("a")
    house.write("b")
    (run,) = house.wait_for_runs("all", 1)
    assert house.told("all", run) == 'table ["main.silver.a","main.silver.b"]'
    assert len(house.runs("any")) == 1


def test_the_end_of_a_job_starts_another(house: House) -> None:
    (run,) = house.wait_for_runs("after", 1)
    assert house.told("after", run) == "job_completion"


def test_any_of_several_triggers_starts_the_job_and_the_run_knows_which(house: House) -> None:
    house.put(SEVERAL, "one.csv")
    (run,) = house.wait_for_runs("several", 1)
    assert house.told("several", run) == f"file_arrival {SEVERAL}"
    house.write("c")
    runs = house.wait_for_runs("several", 2)
    assert runs[1]["conf"]["trigger_type"] == "table"


def test_a_triggerer_that_is_killed_loses_no_file_and_tells_none_twice(house: House) -> None:
    for number in range(2):
        house.put(LANDING, f"before{number}.csv")
        time.sleep(0.8 * number)  # so that it dies before it saw the file, and while it tells of it
        house.kill("triggerer")
        house.put(LANDING, f"after{number}.csv")
        names = {f"{when}{item}.csv" for when in ("before", "after") for item in range(number + 1)} | {"one.csv"}
        wait_until(lambda names=names: set(house.files("files")) >= names, 120, lambda: str(house.files("files")))
    house.put(LANDING, "last.csv")
    wait_until(lambda: "last.csv" in house.files("files"), 60)
    found = house.files("files")
    assert len(found) == len(set(found)) == 6


@pytest.mark.parametrize("first", ["scheduler", "commit"])
def test_a_commit_beside_the_death_of_the_scheduler_starts_one_run(house: House, first: str) -> None:
    done, firings = len(house.runs("spare")), len(house.seen("spare").firings)
    if first == "scheduler":
        house.kill("scheduler")
    house.write("d")
    if first == "commit":
        wait_until(lambda: len(house.seen("spare").firings) > firings, 60)
        house.kill("scheduler")
    house.wait_for_runs("spare", done + 1, 120)
    house.write("d")
    runs = house.wait_for_runs("spare", done + 2, 120)
    told = [firing["tables"]["main.silver.d"]["version"] for run in runs for firing in run["conf"]["triggers"]]
    assert told == list(range(done + 2))


def test_a_paused_trigger_starts_nothing_and_does_not_make_up_for_it(house: House) -> None:
    assert house.runs("asleep") == []
    awake = job("asleep", TYPE, trigger={"file_arrival": {"url": LANDING}})
    (house.settings.jobs_folder / "asleep.json").write_text(json.dumps(awake))
    wait_until(lambda: bool(house.seen("asleep").entries), 60)
    house.put(LANDING, "awake.csv")
    house.wait_for_runs("asleep", 1)
    assert house.files("asleep") == ["awake.csv"]


def test_the_switch_of_the_ui_pauses_the_watch_too(house: House) -> None:
    def switch(paused: bool) -> None:
        house.client.call("PATCH", "/dags/several", {"is_paused": paused})
        wait_until(lambda: house.seen("several").watching is not paused, 120)

    before = house.files("several")
    switch(paused=True)
    house.put(SEVERAL, "while_paused.csv")
    switch(paused=False)
    house.put(SEVERAL, "awake.csv")
    wait_until(lambda: "awake.csv" in house.files("several"), 60)
    assert house.files("several") == sorted([*before, "awake.csv"])


def known(house: House, dag_id: str, key: str) -> int:
    """Files that a job's trigger has done with."""
    seen, _ = house.seen(dag_id).entries.get(key, ({}, {}))
    return int(seen.get("known_files", 0))


def test_the_command_says_what_starts_a_job_and_what_it_has_seen(house: House) -> None:
    done = command(house.settings.project, "triggers", "files", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    (entry,) = told["triggers"]
    assert entry["text"] == f"New files in {LANDING}"
    assert entry["seen"]["known_files"] >= 6
    assert told["firings"][0]["key"] == "file_arrival.0"


def test_the_page_of_triggers_asks_for_a_login_and_shows_them(house: House) -> None:
    import urllib.error
    import urllib.request

    address = f"{house.client.url}/lakeflow/triggers/files"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address)
    assert refused.value.code in {401, 403}
    house.runs("files")
    request = urllib.request.Request(address, headers={"Authorization": f"Bearer {house.client.token}"})
    with urllib.request.urlopen(request) as answer:
        assert f"New files in {LANDING}" in answer.read().decode()


def test_a_periodic_job_runs_by_the_minute(house: House) -> None:
    wait_until(lambda: bool(house.runs("minutely")), 90)
    runs = [run for run in house.runs("minutely") if run["state"] == "success"] or house.wait_for_runs("minutely", 1)
    assert {datetime.fromisoformat(run["logical_date"]).second for run in runs} == {0}
    assert house.told("minutely", runs[0]) == "periodic"


def test_the_customer_pipeline_of_lab_08_starts_the_orders_pipeline(house: House, lab: str) -> None:
    wait_until(lambda: bool(house.runs("orders_pipeline")), 300, lambda: str(house.runs("customer_pipeline")))
    (run,) = house.wait_for_runs("orders_pipeline", 1, 400)
    assert run["state"] == "success"
    assert run["conf"]["updated_tables"] == ["lab08.silver.silver_customer"]
    assert [item["state"] for item in house.runs("customer_pipeline")] == ["success"]


def test_a_query_decides_whether_a_firing_starts_a_run(house: House) -> None:
    for name in QUERIES:
        house.put(f"{LANDING}_{name}", "one.csv")
    house.wait_for_runs("changes", 1, 120)
    for name in QUERIES:
        house.put(f"{LANDING}_{name}", "two.csv")
    wait_until(lambda: all(known(house, name, "file_arrival.0") == 2 for name in QUERIES), 60)
    assert len(house.runs("changes")) == 1
    assert house.runs("no_rows") == []


def test_airflow_shows_both_jobs_and_the_tables_between_them(house: House) -> None:
    """Events say who wrote a table and from which tables; the DAGs themselves say nothing that runs found out."""
    between, after = "lab08.silver.silver_customer", "lab08.silver.silver_orders"
    wait_until(lambda: bool(events(house, after)), 60, lambda: str(house.client.call("GET", "/assets?limit=100")))
    assert {(event["source_dag_id"], event["source_task_id"]) for event in events(house, between)} == {
        ("customer_pipeline", "silver_customer")
    }
    assert [item["dag_id"] for item in asset(house, between)["scheduled_dags"]] == ["orders_pipeline"]
    (written,) = events(house, after)
    assert (written["source_dag_id"], written["source_task_id"]) == ("orders_pipeline", "silver_orders")
    assert between in written["extra"]["reads"]


def asset(house: House, table: str) -> dict[str, Any]:
    """The one asset of a table; empty while Airflow does not know it."""
    found = house.client.call("GET", f"/assets?name_pattern={table}")["assets"]
    return dict(found[0]) if len(found) == 1 else {}


def events(house: House, table: str) -> list[dict[str, Any]]:
    """What Airflow knows of a table's writes."""
    known = asset(house, table)
    return list(house.client.call("GET", f"/assets/events?asset_id={known['id']}")["asset_events"]) if known else []


@pytest.fixture
def browser(house: House) -> Iterator[Page]:
    """A page of a real browser whose user has logged in."""
    with signed_in(house.client.url, house.settings.home) as page:
        yield page


@pytest.mark.ui
def test_the_pages_show_jobs_the_tables_between_them_and_what_starts_a_job(
    house: House, lab: str, browser: Page
) -> None:
    browser.goto("/assets?name_pattern=lab08")
    browser.get_by_role("link", name="lab08.silver.silver_customer", exact=True).click()
    graph = browser.locator(".react-flow__nodes")
    for node in ("customer_pipeline", "lab08.silver.silver_customer", "orders_pipeline", "lab08.gold.gold_summary"):
        graph.get_by_text(node, exact=True).first.wait_for()
    browser.goto("/dags/files/plugin/lakeflow_triggers")
    inside = browser.frame_locator("iframe")
    inside.get_by_role("heading", name="What starts files").wait_for()
    inside.get_by_role("cell", name=f"New files in {LANDING}").wait_for()
    inside.get_by_text("one.csv").first.wait_for()
    browser.goto("/dags?name_pattern=minutely")
    browser.get_by_text("Every minute", exact=True).wait_for()
    browser.goto("/dags?name_pattern=asleep_by_time")
    browser.get_by_text("Paused: 0 30 2 ? * MON-FRI (Europe/Warsaw)", exact=True).wait_for()
