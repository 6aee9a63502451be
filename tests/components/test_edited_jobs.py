"""Edits of jobs while runs go on and after they have ended: one `medallion up` for all."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest
from components.test_starts import HOLD, Served, ask, script, wait_until

from medallion.components.api_client import ApiClient, quoted
from medallion.components.deployment import Server
from medallion.components.ports import free_port
from medallion.components.sweep import end_everything
from medallion.errors import RunError
from medallion.project.versions import VersionStore
from medallion.runs.system_tables.store import Store

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

WRITE = """\
import sys
with open(sys.argv[1], "a") as stream:
    stream.write(sys.argv[2] + "\\n")
if sys.argv[2] == "bad":
    raise RuntimeError("asked to fail")
"""
GOING = ("changed", "halved", "deleted", "longer", "shorter")
ENDED = ("grown", "failed", "mended")
LIMIT = 90
"""Seconds of a limit that is lifted while its run goes on: a busy machine takes long to read so many edits."""
MAILS = {"on_success": ["old@example.com"]}


def tasks(served: Served, name: str, word: str, place: str = "") -> list[dict[str, Any]]:
    """s1 waits for its gate, s2 writes a word."""
    first = script("s1", f"{place}hold.py", str(served.gate(name)))
    then = script("s2", f"{place}write.py", str(served.project / f"{name}.txt"), word)
    return [first, {**then, "depends_on": [{"task_key": "s1"}]}]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A project with Airflow up; runs of all jobs have begun or ended."""
    project = tmp_path_factory.mktemp("project")
    (project / "jobs" / "deleted").mkdir(parents=True)
    (project / "medallion.toml").write_text("parallelism = 6\n")
    (project / "jobs" / "hold.py").write_text(HOLD)
    (project / "jobs" / "write.py").write_text(WRITE)
    served = Served(project)
    served.write("changed", tasks=tasks(served, "changed", "old"), email_notifications=MAILS)
    served.write("halved", tasks=tasks(served, "halved", "old"))
    served.write("longer", tasks=tasks(served, "longer", "old"), timeout_seconds=LIMIT)
    served.write("shorter", tasks=tasks(served, "shorter", "old"), timeout_seconds=3600)
    served.write("grown", tasks=[ask("a")])
    served.write("failed", tasks=[script("a", "write.py", str(project / "failed.txt"), "bad")], timeout_seconds=600)
    broken = script("s2", "write.py", str(project / "mended.txt"), "bad")
    served.write("mended", tasks=[ask("s1"), {**broken, "depends_on": [{"task_key": "s1"}]}])
    folder = project / "jobs" / "deleted"
    gone = tasks(served, "deleted", "old", f"{project}/jobs/")
    (folder / "job.json").write_text(json.dumps({"name": "deleted", "tasks": gone}))
    port = free_port("127.0.0.1", 8600)
    done = served.medallion("up", "--detach", "--port", str(port))
    assert done.returncode == 0, done.stdout + done.stderr
    served.client = ApiClient(served.settings, Server(f"http://127.0.0.1:{port}", own=True))
    wait_until(lambda: all(served.client.dag(name) for name in (*GOING, *ENDED)))
    yield served
    end_everything(served.settings)


@pytest.fixture(scope="module")
def runs(served: Served) -> dict[str, str]:
    """Runs by job: those that go on wait in their first task, and then every job is edited."""
    made = {name: served.client.start(name, {}) for name in (*GOING, *ENDED)}
    wait_until(lambda: all(state(served, name, made[name], "s1") == "RUNNING" for name in GOING), 120)
    wait_until(lambda: all(shown(served, name, made[name])["result_state"] for name in ENDED), 120)
    edit(served)
    return made


def edit(served: Served) -> None:
    """Change every job; gives when Airflow has read the changes."""
    jobs = served.project / "jobs"
    held, wrote = tasks(served, "changed", "new")
    renamed = [
        {**held, "task_key": "z1"},
        {**wrote, "depends_on": [{"task_key": "z1"}]},
        ask("s3", "1", "2", op="LESS_THAN"),
    ]
    served.write("changed", tasks=renamed, email_notifications={"on_success": ["new@example.com"]})
    (jobs / "halved.json").write_text('{"name": "halved", "tasks": [')
    shutil.rmtree(jobs / "deleted")
    served.write("longer", tasks=tasks(served, "longer", "old"), timeout_seconds=3600)
    served.write("shorter", tasks=tasks(served, "shorter", "old"), timeout_seconds=3)
    served.write("grown", tasks=[ask("a"), ask("b")], timeout_seconds=1)
    served.write("failed", tasks=[ask("b")], timeout_seconds=1)
    good = script("s2", "write.py", str(served.project / "mended.txt"), "good")
    served.write("mended", tasks=[ask("z1"), {**good, "depends_on": [{"task_key": "z1"}]}])
    wait_until(lambda: "z1" in task_ids(served, "changed") and "z1" in task_ids(served, "mended"), 60)
    wait_until(lambda: "b" in task_ids(served, "grown"), 60)
    wait_until(lambda: served.client.call("GET", "/importErrors")["total_entries"] == 1, 60)


def task_ids(served: Served, name: str) -> set[str]:
    return {item["task_id"] for item in served.client.call("GET", f"/dags/{name}/tasks")["tasks"]}


def shown(served: Served, name: str, run: str) -> dict[str, Any]:
    return served.client.own("GET", f"/jobs/{name}/runs/{quoted(run)}")


def state(served: Served, name: str, run: str, key: str) -> str:
    found = {task["task_key"]: task for task in shown(served, name, run)["tasks"]}
    return str(found[key]["life_cycle_state"])


def ended(served: Served, name: str, run: str) -> dict[str, Any]:
    return dict(wait_until(lambda: (told := shown(served, name, run))["result_state"] and told, 120))


def results(told: dict[str, Any]) -> dict[str, str]:
    return {task["task_key"]: task["result_state"] for task in told["tasks"]}


@pytest.mark.parametrize("name", ["halved", "deleted"])
def test_the_job_of_a_run_that_goes_on_starts_no_other(served: Served, runs: dict[str, str], name: str) -> None:
    wait_until(lambda: str((served.client.dag(name) or {}).get("relative_fileloc")).startswith("gone_"), 60)
    with pytest.raises(RunError, match="gone or wrong"):
        served.client.start(name, {})
    assert state(served, name, runs[name], "s1") == "RUNNING"


@pytest.mark.parametrize("name", ["changed", "halved", "deleted"])
def test_a_run_goes_on_with_the_job_that_it_was_started_with(served: Served, runs: dict[str, str], name: str) -> None:
    served.gate(name).touch()
    told = ended(served, name, runs[name])
    assert (told["result_state"], results(told)) == ("SUCCESS", {"s1": "SUCCESS", "s2": "SUCCESS"})
    assert served.told(name) == ["old"]
    assert told["job"] == name


def test_messages_go_to_those_whom_the_job_named_then(served: Served, runs: dict[str, str]) -> None:
    served.gate("changed").touch()
    ended(served, "changed", runs["changed"])
    told = wait_until(lambda: served.json("notifications")["notifications"], 60)
    assert "old@example.com" in json.dumps(told)
    assert "new@example.com" not in json.dumps(told)


@pytest.mark.parametrize("name", ["halved", "deleted"])
def test_a_wrong_or_deleted_definition_starts_no_run(served: Served, runs: dict[str, str], name: str) -> None:
    assert served.medallion("run-now", name).returncode == 2
    assert len(served.runs(name)) == 1
    served.gate(name).touch()
    ended(served, name, runs[name])
    wait_until(lambda: (served.client.dag(name) or {"is_stale": True})["is_stale"], 60)
    wait_until(lambda: not list((served.settings.home / "dags").glob(f"gone_{name}_*")), 60)


def test_an_ended_run_stays_as_it_was(served: Served, runs: dict[str, str]) -> None:
    grown, failed = shown(served, "grown", runs["grown"]), shown(served, "failed", runs["failed"])
    assert (grown["result_state"], results(grown)) == ("SUCCESS", {"a": "SUCCESS"})
    assert (failed["result_state"], results(failed)) == ("FAILED", {"a": "FAILED"})
    listed = {row["airflow_run_id"]: row["result_state"] for row in served.json("runs")["runs"]}
    assert (listed[runs["grown"]], listed[runs["failed"]]) == ("SUCCESS", "FAILED")
    assert results(served.json("runs", "show", runs["grown"], "--job", "grown")) == {"a": "SUCCESS"}


def test_a_repair_takes_the_job_as_it_is_now_and_keeps_what_the_run_was(served: Served, runs: dict[str, str]) -> None:
    served.client.own("POST", f"/jobs/mended/runs/{quoted(runs['mended'])}/repair", {})
    told = wait_until(
        lambda: (now := shown(served, "mended", runs["mended"]))["result_state"] == "SUCCESS" and now, 120
    )
    assert results(told) == {"z1": "SUCCESS", "s2": "SUCCESS", "s1": "SUCCESS"}
    assert served.told("mended") == ["bad", "good"]
    assert [part["result_state"] for part in told["repair_history"]] == ["FAILED", "SUCCESS"]
    attempts = next(task for task in told["tasks"] if task["task_key"] == "s2")["attempt_history"]
    assert [item["result_state"] for item in attempts] == ["FAILED", "SUCCESS"]


def test_the_system_tables_tell_runs_by_their_jobs(served: Served, runs: dict[str, str]) -> None:
    served.gate("changed").touch()
    told = ended(served, "changed", runs["changed"])
    store = Store(served.settings)

    def rows() -> set[tuple[str, str]]:
        found = store.rows("job_task_run_timeline")
        mine = [row for row in found if row["job_run_id"] == str(told["run_id"])]
        return {(row["task_key"], row["result_state"]) for row in mine}

    wait_until(lambda: len(rows()) >= 2, 60)
    assert rows() == {("s1", "SUCCEEDED"), ("s2", "SUCCEEDED")}


def test_one_definition_is_one_version(served: Served, runs: dict[str, str]) -> None:
    versions = {name: served.client.call("GET", f"/dags/{name}/dagVersions")["total_entries"] for name in GOING + ENDED}
    assert versions == {**dict.fromkeys(GOING + ENDED, 2), "halved": versions["halved"], "deleted": versions["deleted"]}
    assert not VersionStore(served.settings.home).forget(())  # all of them are fresh


def test_a_time_limit_reaches_runs_that_go_on(served: Served, runs: dict[str, str]) -> None:
    assert ended(served, "shorter", runs["shorter"])["result_state"] == "TIMEDOUT"
    began = shown(served, "longer", runs["longer"])["start_time"] / 1000
    time.sleep(max(began + LIMIT + 2 - time.time(), 0))
    served.gate("longer").touch()
    assert ended(served, "longer", runs["longer"])["result_state"] == "SUCCESS"
