"""Cancel, repair and the record of runs under a real scheduler: one `medallion up` for all."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from browser import signed_in
from components.test_starts import Served, ask, script, wait_until

from medallion.components.api_client import ApiClient, quoted
from medallion.components.deployment import Server
from medallion.components.ports import free_port
from medallion.components.sweep import end_everything
from medallion.errors import MedallionError
from medallion.factory import naming
from medallion.runs import ids
from medallion.runs.notes import read_notes

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SLEEP = """\
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", sys.argv[1]])
open(sys.argv[1], "a").write("begun ")
time.sleep(600)
"""
WORK = """\
import sys
from pathlib import Path
log = Path(sys.argv[1])
log.open("a").write(sys.argv[2] + " ")
if sys.argv[2] == "bad":
    raise RuntimeError("asked to fail")
"""
EACH = """\
import sys, time
open(sys.argv[1], "a").write(sys.argv[2] + " ")
if sys.argv[2].startswith("sleep"):
    time.sleep(600)
if sys.argv[2] == sys.argv[3]:
    raise RuntimeError("asked to fail")
"""
LOOPS = ("one_of_many", "all_of_many", "cleared_of_many")
JOBS = ("whole", "one", "by_hand", "task_by_hand", "child", "parent", "retrying", "mended", "cleared", "paged", *LOOPS)


def after(task: dict[str, Any], *parents: str, **more: Any) -> dict[str, Any]:
    return {**task, "depends_on": [{"task_key": key} for key in parents], **more}


def definitions(project: Path) -> dict[str, list[dict[str, Any]]]:
    """Each job's tasks; a sleeping task tells in a file of its job's name that it has begun."""

    def sleep(name: str) -> dict[str, Any]:
        return {**script("sleep", "sleep.py", str(project / f"{name}.txt")), "max_retries": 3}

    def branches(name: str) -> list[dict[str, Any]]:
        clean = after(ask("clean"), "sleep", run_if="ALL_DONE")
        return [ask("before"), after(sleep(name), "before"), after(ask("then"), "sleep"), clean]

    def repairable(name: str) -> list[dict[str, Any]]:
        first = script("first", "work.py", str(project / f"{name}.txt"), "first")
        work = script("work", "work.py", str(project / f"{name}.txt"), "{{job.parameters.how}}")
        return [first, after(work, "first"), after(ask("count", "{{job.repair_count}}", "1"), "work")]

    def loop(name: str, *inputs: str) -> list[dict[str, Any]]:
        each = script("each", "each.py", str(project / f"{name}.txt"), "{{input}}", "{{job.parameters.how}}")
        body = {"inputs": json.dumps(inputs), "concurrency": 2, "task": each}
        return [{"task_key": "loop", "for_each_task": body}, after(ask("clean"), "loop", run_if="ALL_DONE")]

    made = {name: branches(name) for name in ("whole", "one", "by_hand", "task_by_hand")}
    made["child"] = [sleep("child")]
    made["parent"] = [{"task_key": "call", "max_retries": 2, "run_job_task": {"job_id": ids.job_id("child")}}]
    wait = {"max_retries": 3, "min_retry_interval_millis": 600_000}
    made["retrying"] = [{**script("fails", "work.py", str(project / "retrying.txt"), "bad"), **wait}]
    made["one_of_many"] = loop("one_of_many", "sleep", "a", "b", "c")
    made["all_of_many"] = loop("all_of_many", "sleep 1", "sleep 2", "a", "b")
    made["cleared_of_many"] = loop("cleared_of_many", "a", "bad", "b")
    return made | {name: repairable(name) for name in ("mended", "cleared", "paged")}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    project = tmp_path_factory.mktemp("project")
    (project / "jobs").mkdir()
    (project / "medallion.toml").write_text("parallelism = 6\n")
    (project / "jobs" / "sleep.py").write_text(SLEEP)
    (project / "jobs" / "work.py").write_text(WORK)
    (project / "jobs" / "each.py").write_text(EACH)
    served = Served(project)
    for name, tasks in definitions(project).items():
        served.write(name, parameters=[{"name": "how", "default": "bad"}], tasks=tasks)
    port = free_port("127.0.0.1", 8400)
    done = served.medallion("up", "--detach", "--port", str(port))
    assert done.returncode == 0, done.stdout + done.stderr
    served.client = ApiClient(served.settings, Server(f"http://127.0.0.1:{port}", own=True))
    wait_until(lambda: all(served.client.dag(name) for name in JOBS))
    yield served
    end_everything(served.settings)


def begin(served: Served, name: str) -> str:
    """Start a run; gives Airflow's id when its sleeping task sleeps."""
    before = len(served.told(name)[0].split()) if served.told(name) else 0
    run = served.client.start(name, {})
    wait_until(lambda: served.told(name) and len(served.told(name)[0].split()) > before)
    return run


def shown(served: Served, name: str, run: str) -> dict[str, Any]:
    return served.client.own("GET", f"/jobs/{name}/runs/{quoted(run)}")


def ended(served: Served, name: str, run: str) -> dict[str, Any]:
    return dict(wait_until(lambda: (told := shown(served, name, run))["result_state"] and told))


def results(told: dict[str, Any]) -> dict[str, str]:
    return {task["task_key"]: task["result_state"] for task in told["tasks"]}


def nothing_sleeps(served: Served, name: str) -> None:
    """No process of a job's sleeping task is left, its own children included."""
    words = str(served.project / f"{name}.txt")

    def left() -> list[psutil.Process]:
        return [item for item in psutil.process_iter(["cmdline"]) if words in " ".join(item.info["cmdline"] or ())]

    wait_until(lambda: not left(), 30)


CANCELED_RUN = {"before": "SUCCESS", "sleep": "CANCELED", "then": "UPSTREAM_CANCELED", "clean": "UPSTREAM_CANCELED"}
CANCELED_TASK = {"before": "SUCCESS", "sleep": "CANCELED", "then": "UPSTREAM_CANCELED", "clean": "SUCCESS"}


def test_the_command_cancels_a_run_and_nothing_of_it_is_left(served: Served) -> None:
    run = begin(served, "whole")
    number = str(ids.run_id("whole", run))
    refused = served.medallion("repair", number)
    assert refused.returncode != 0
    assert "has not ended" in refused.stderr
    told = served.json("cancel", number)
    assert (told["dag_id"], told["airflow_run_id"]) == ("whole", run)
    told = ended(served, "whole", run)
    assert told["result_state"] == "CANCELED"
    assert told["termination_details"]["code"] == "USER_CANCELED"
    assert results(told) == CANCELED_RUN
    nothing_sleeps(served, "whole")
    assert served.told("whole") == ["begun "]
    assert read_notes(served.settings.home, "whole", run)["canceled"]["who"] == "admin"
    again = served.medallion("cancel", number)
    assert again.returncode != 0
    assert "has ended already" in again.stderr


def test_one_task_is_cancelled_and_failure_handlers_behind_it_run(served: Served) -> None:
    run = begin(served, "one")
    assert served.json("cancel", "latest", "--job", "one", "--task", "sleep")["canceled"] == ["sleep"]
    told = ended(served, "one", run)
    assert results(told) == CANCELED_TASK
    assert told["result_state"] == "CANCELED"
    nothing_sleeps(served, "one")
    assert served.told("one") == ["begun "]
    task = next(task for task in told["tasks"] if task["task_key"] == "sleep")
    assert [item["result_state"] for item in task["attempt_history"]] == ["CANCELED"]


def test_airflow_s_own_mark_failed_of_a_run_is_a_cancel(served: Served) -> None:
    run = begin(served, "by_hand")
    served.client.call("PATCH", f"/dags/by_hand/dagRuns/{quoted(run)}", {"state": "failed"})
    told = ended(served, "by_hand", run)
    assert told["result_state"] == "CANCELED"
    assert results(told) == CANCELED_RUN
    nothing_sleeps(served, "by_hand")
    assert read_notes(served.settings.home, "by_hand", run)["canceled"]["who"] == "admin"


def test_airflow_s_own_mark_failed_of_a_task_is_a_cancel(served: Served) -> None:
    run = begin(served, "task_by_hand")
    place = f"/dags/task_by_hand/dagRuns/{quoted(run)}/taskInstances/sleep"
    served.client.call("PATCH", place, {"new_state": "failed"})
    told = ended(served, "task_by_hand", run)
    assert results(told) == CANCELED_TASK
    nothing_sleeps(served, "task_by_hand")


def iterations(told: dict[str, Any]) -> list[str]:
    return [item["result_state"] for item in told["tasks"][0]["iterations"]]


def test_airflow_s_own_mark_failed_of_an_iteration_leaves_the_others(served: Served) -> None:
    run = begin(served, "one_of_many")
    wait_until(lambda: len(served.told("one_of_many")[0].split()) == 4)
    place = f"/dags/one_of_many/dagRuns/{quoted(run)}/taskInstances/{naming.for_each_iterations('loop')}/0"
    served.client.call("PATCH", place, {"new_state": "failed"})
    told = ended(served, "one_of_many", run)
    assert iterations(told) == ["CANCELED", "SUCCESS", "SUCCESS", "SUCCESS"]
    assert results(told) == {"loop": "CANCELED", "clean": "SUCCESS"}
    nothing_sleeps(served, "one_of_many")


def test_a_cancelled_loop_starts_no_further_iteration(served: Served) -> None:
    run = begin(served, "all_of_many")
    wait_until(lambda: served.told("all_of_many")[0].count("sleep") == 2)
    assert served.json("cancel", run, "--task", "loop")["canceled"]
    told = ended(served, "all_of_many", run)
    assert iterations(told) == ["CANCELED"] * 4
    assert results(told) == {"loop": "CANCELED", "clean": "SUCCESS"}
    nothing_sleeps(served, "all_of_many")
    assert sorted(served.told("all_of_many")[0].split()) == ["1", "2", "sleep", "sleep"]


def test_airflow_s_own_clear_of_an_iteration_runs_it_alone(served: Served) -> None:
    run = begin(served, "cleared_of_many")
    told = ended(served, "cleared_of_many", run)
    assert told["result_state"] == "SUCCESS_WITH_FAILURES"
    assert iterations(told) == ["SUCCESS", "FAILED", "SUCCESS"]
    chosen = {"task_ids": [[naming.for_each_iterations("loop"), 1]], "include_downstream": True}
    body = {"dag_run_id": run, **chosen, "only_failed": False, "dry_run": False}
    served.client.call("POST", "/dags/cleared_of_many/clearTaskInstances", body)
    wait_until(lambda: len(served.told("cleared_of_many")[0].split()) == 4)
    told = ended(served, "cleared_of_many", run)
    assert iterations(told) == ["SUCCESS", "FAILED", "SUCCESS"]
    assert sorted(served.told("cleared_of_many")[0].split()) == ["a", "b", "bad", "bad"]
    assert [len(item["attempt_history"]) for item in told["tasks"][0]["iterations"]] == [1, 2, 1]
    assert told["repair_history"][1]["tasks"] == ["clean", "loop"]


@pytest.mark.parametrize("victim", ["parent", "child"])
def test_a_cancel_goes_down_to_the_child_run_and_up_to_the_task_that_waits_for_it(served: Served, victim: str) -> None:
    began = len(served.told("child")[0].split()) if served.told("child") else 0
    parent = served.client.start("parent", {})
    wait_until(lambda: served.told("child") and len(served.told("child")[0].split()) > began)
    child = served.runs("child")[-1]["dag_run_id"]
    told = served.json("cancel", child if victim == "child" else parent, "--job", victim)
    assert told["dag_id"] == victim
    above, below = ended(served, "parent", parent), ended(served, "child", child)
    assert (above["result_state"], below["result_state"]) == ("CANCELED", "CANCELED")
    assert results(above) == {"call": "CANCELED"}
    assert results(below) == {"sleep": "CANCELED"}
    nothing_sleeps(served, "child")
    assert len(served.runs("child")) == began + 1


def test_a_task_that_waits_for_its_retry_is_not_tried_again(served: Served) -> None:
    run = begin(served, "retrying")
    wait_until(lambda: shown(served, "retrying", run)["tasks"][0]["life_cycle_state"] == "WAITING_FOR_RETRY")
    served.json("cancel", run)
    told = ended(served, "retrying", run)
    assert told["result_state"] == "CANCELED"
    assert results(told) == {"fails": "CANCELED"}
    assert served.told("retrying") == ["bad "]


def test_the_command_repairs_a_run_with_new_parameters(served: Served) -> None:
    run = begin(served, "mended")
    wait_until(lambda: shown(served, "mended", run)["result_state"] == "FAILED")
    done = served.medallion("repair", run, "-p", "how=good", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert results(told) == {"first": "SUCCESS", "work": "SUCCESS", "count": "SUCCESS"}
    assert served.told("mended") == ["first bad good "]
    assert [part["result_state"] for part in told["repair_history"]] == ["FAILED", "SUCCESS"]
    assert told["repair_history"][1]["parameters"] == {"how": "good"}
    assert told["repair_history"][1]["tasks"] == ["count", "work"]
    latest = told["repair_history"][1]["id"]
    with pytest.raises(MedallionError, match=f"latest_repair_id is needed, and it is {latest}"):
        served.client.own(
            "POST", f"/jobs/mended/runs/{quoted(told['airflow_run_id'])}/repair", {"rerun_tasks": ["count"]}
        )
    again = served.medallion("repair", run, "--tasks", "count", "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    assert [part["tasks"] for part in json.loads(again.stdout)["repair_history"][1:]] == [["count", "work"], ["count"]]


@pytest.mark.ui
def test_a_person_repairs_a_run_from_its_page_in_airflow(served: Served) -> None:
    run = begin(served, "paged")
    wait_until(lambda: shown(served, "paged", run)["result_state"] == "FAILED")
    with signed_in(served.client.url, served.settings.home) as browser:
        browser.goto(f"{served.client.url}/dags/paged/runs/{quoted(run)}/plugin/lakeflow_run")
        page = browser.frame_locator("iframe")
        page.get_by_text("asked to fail").first.wait_for()
        page.get_by_label("how").fill("good")
        page.get_by_role("button", name="Repair run").click()
        page.get_by_text("Repair 1").wait_for()
        told = ended(served, "paged", run)
    assert results(told) == {"first": "SUCCESS", "work": "SUCCESS", "count": "SUCCESS"}
    assert served.told("paged") == ["first bad good "]
    repair = told["repair_history"][1]
    assert (repair["tasks"], repair["parameters"], repair["who"]) == (["count", "work"], {"how": "good"}, "admin")


@pytest.mark.ui
def test_airflow_s_log_page_shows_the_user_s_traceback_at_its_end_and_in_no_closed_group(served: Served) -> None:
    run = served.client.start("paged", {})
    wait_until(lambda: shown(served, "paged", run)["result_state"] == "FAILED")
    # Airflow sorts the lines by their time, so this is the order of the page.
    log = served.client.call("GET", f"/dags/paged/dagRuns/{quoted(run)}/taskInstances/work/logs/1")
    said = [str(item["event"]) for item in log["content"]]
    trace = said.index("RuntimeError: asked to fail")
    assert said.index("::endgroup::", said.index("::group::Pre Execute")) < trace < said.index("::group::Post Execute")
    assert said[trace + 1] == "Task exited"
    with signed_in(served.client.url, served.settings.home) as browser:
        browser.goto(f"{served.client.url}/dags/paged/runs/{quoted(run)}/tasks/work?try_number=1")
        last = browser.get_by_text("RuntimeError: asked to fail").first
        last.wait_for(state="visible")
        browser.get_by_text("Post Execute").first.wait_for(state="visible")
        assert last.bounding_box()["y"] < browser.get_by_text("Post Execute").first.bounding_box()["y"]


def test_a_form_of_another_site_repairs_nothing(served: Served) -> None:
    run = served.runs("paged")[-1]["dag_run_id"] if served.runs("paged") else begin(served, "paged")
    for origin in ({"Origin": "https://elsewhere.example"}, {}):
        headers = {"Authorization": f"Bearer {served.client.token}", **origin}
        address = f"{served.client.url}/lakeflow/runs/paged/{quoted(run)}/repair"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(address, b"task=first", headers, method="POST"), timeout=30)
        assert refused.value.code == 403


def test_airflow_s_own_clear_is_recorded_as_a_repair(served: Served) -> None:
    run = begin(served, "cleared")
    before = wait_until(lambda: (told := shown(served, "cleared", run))["result_state"] == "FAILED" and told)
    body = {"dag_run_id": run, "task_ids": ["work"], "include_downstream": True, "only_failed": False, "dry_run": False}
    served.client.call("POST", "/dags/cleared/clearTaskInstances", body)
    wait_until(lambda: len(served.told("cleared")[0].split()) == 3)
    told = ended(served, "cleared", run)
    assert served.told("cleared") == ["first bad bad "]
    first, second = told["repair_history"]
    assert first["result_state"] == "FAILED"
    # Airflow's clear overwrites the run's times; the record has those of its first and last task.
    assert 0 <= before["end_time"] - first["end_time"] < 5000
    assert 0 <= told["start_time"] - before["start_time"] < 5000
    assert (second["tasks"], second["via"], second["who"]) == (["count", "work"], "airflow", "admin")
    task = next(task for task in told["tasks"] if task["task_key"] == "work")
    assert [item["result_state"] for item in task["attempt_history"]] == ["FAILED", "FAILED"]


def test_runs_are_listed_and_shown_with_what_a_task_left(served: Served) -> None:
    listed = served.json("runs", "cleared")["runs"]
    assert [item["job"] for item in listed] == ["cleared"]
    number = str(listed[0]["run_id"])
    assert served.json("runs", "show", number)["airflow_run_id"] == listed[0]["airflow_run_id"]
    told = served.json("runs", "output", number, "work", "--attempt", "0")
    assert told["error"] == "asked to fail"
    assert "RuntimeError: asked to fail" in told["error_trace"]
    assert "asked to fail" in told["logs"]
    text = served.medallion("runs", "show", number).stdout
    assert "RUN_EXECUTION_ERROR" in text
    missing = served.medallion("runs", "output", number, "wrk")
    assert "did you mean" in missing.stderr


def test_nobody_cancels_without_a_login(served: Served) -> None:
    request = urllib.request.Request(f"{served.client.url}/lakeflow/api/jobs/whole/runs/x/cancel", b"{}", method="POST")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    assert refused.value.code == 401


def test_the_record_is_there_when_airflow_is_down(served: Served) -> None:
    assert served.medallion("down").returncode == 0
    listed = served.json("runs", "--limit", "50")["runs"]
    assert {item["job"] for item in listed} >= {"whole", "one", "parent", "child", "mended"}
    (served.project / "jobs" / "mended.json").unlink()
    told = served.json("runs", "show", "latest", "--job", "mended")
    assert results(told) == {"first": "SUCCESS", "work": "SUCCESS", "count": "SUCCESS"}
    refused = served.medallion("cancel", str(told["run_id"]))
    assert "no run" in refused.stderr
