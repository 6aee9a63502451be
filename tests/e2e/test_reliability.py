"""Kill -9 of each process at random moments of RetailHub runs, and 200 runs at once: nothing is lost or doubled.

The long suite. `KILL_ROUNDS` sets the number of kills (30), `KILL_SEED` the moments, `KILL_SECONDS` after how long no more
rounds begin, `KILL_RESULTS` a JSON file of figures.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from deltalake import DeltaTable
from e2e.site import BACK_SECONDS, ENDED, RUN_SECONDS, TABLES, VICTIMS, Inbox, Run, Site, keep_figures, make, wait_until

from medallion.components.ports import free_port
from medallion.components.sweep import end_everything, marked
from medallion.runs.notifications.outbox import Outbox, Stage
from medallion.runs.system_tables.schema import TABLES as SYSTEM_TABLES
from medallion.settings import Settings

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(7200)]

ROUNDS = int(os.environ.get("KILL_ROUNDS", "30"))
SEED = int(os.environ.get("KILL_SEED", "7"))
LIMIT = float(os.environ.get("KILL_SECONDS", "inf"))
ITERATIONS, AT_ONCE = 12, 2
BURST_JOBS, BURST_RUNS, CALLERS = 10, 200, 8
BURST_SECONDS = 1800
NOTEBOOKS = {
    "nap": "import time\ntime.sleep(4)\n",
    "mark": """\
import time
with open(f"/Volumes/retailhub/default/marks/{dbutils.widgets.get('number')}", "a") as stream:
    stream.write("x")
time.sleep(1)
""",
}


def notebook(key: str, name: str, **more: Any) -> dict[str, Any]:
    return {"task_key": key, "notebook_task": {"notebook_path": f"/Workspace/Shared/{name}"}, **more}


def quick() -> dict[str, Any]:
    """Two tasks that need no process, two runs at once, a queue."""
    ask = {"op": "EQUAL_TO", "left": "1", "right": "1"}
    tasks = [{"task_key": "a", "condition_task": ask}, {"task_key": "b", "condition_task": ask}]
    tasks[1]["depends_on"] = [{"task_key": "a"}]
    return {"max_concurrent_runs": 2, "queue": {"enabled": True}, "tasks": tasks}


def loop() -> dict[str, Any]:
    each = notebook("one", "mark")
    each["notebook_task"]["base_parameters"] = {"number": "{{input}}"}
    inputs = str(list(range(ITERATIONS)))
    return {
        "tasks": [{"task_key": "all", "for_each_task": {"inputs": inputs, "concurrency": AT_ONCE, "task": each}}],
    }


JOBS = {
    "stubborn": {"tasks": [notebook("nap", "nap", max_retries=1)]},
    "loop": loop(),
    **{f"burst_{number}": quick() for number in range(BURST_JOBS)},
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder, inbox = tmp_path_factory.mktemp("site"), Inbox()
    controller = Controller(inbox, hostname="127.0.0.1", port=free_port("127.0.0.1", 18725))
    controller.start()
    place = make(folder, inbox, controller.port, JOBS, NOTEBOOKS)
    try:
        place.command("up", "--detach")
        wait_until(lambda: all(place.client.dag(name) for name in JOBS), BACK_SECONDS, "a job is not known")
        yield place
    finally:
        end_everything(Settings.load(folder, environ={}))
        controller.stop()


@pytest.mark.parametrize("kind", ["task", "airflow-task"])
def test_a_killed_task_with_a_retry_succeeds_by_itself(site: Site, kind: str) -> None:
    run = site.start("stubborn")
    wait_until(lambda: site.victim("task") is not None, RUN_SECONDS)
    begun = time.monotonic()
    assert site.kill(kind, run)
    told = site.ended(run)
    seconds = time.monotonic() - begun
    assert told["result_state"] == "SUCCESS", told
    assert [item["result_state"] for item in told["tasks"][0]["attempt_history"]] == ["FAILED", "SUCCESS"]
    wait_until(site.is_calm, BACK_SECONDS)
    keep_figures(**{f"killed {kind} with a retry, s": round(seconds)})


def test_a_scheduler_that_dies_in_a_loop_repeats_what_ran_and_nothing_else(site: Site) -> None:
    marks = site.home / "volumes" / "retailhub" / "default" / "marks"
    marks.mkdir(parents=True, exist_ok=True)
    run = site.start("loop")
    wait_until(lambda: len(done(site.show(run))) >= AT_ONCE + 1, RUN_SECONDS)
    begun, at = time.monotonic(), time.time()
    before = done(site.show(run))
    assert site.kill("scheduler", run)
    told = site.ended(run)
    seconds = time.monotonic() - begun
    assert told["result_state"] == "SUCCESS", told
    assert len(done(told)) == ITERATIONS
    count = {int(file.name): len(file.read_text()) for file in marks.iterdir()}
    assert sorted(count) == list(range(ITERATIONS))
    assert all(count[number] == 1 for number in before), (before, count)
    assert sum(count.values()) <= ITERATIONS + AT_ONCE, count
    site.settle(at)
    keep_figures(**{"killed scheduler in a loop, s": round(seconds)})


def done(told: dict[str, Any]) -> set[int]:
    """Numbers of the iterations that succeeded."""
    found = (told["tasks"][0].get("iterations") or []) if told["tasks"] else []
    return {number for number, item in enumerate(found) if item.get("result_state") == "SUCCESS"}


def test_200_runs_of_10_jobs_at_once_all_end(site: Site) -> None:
    names = [f"burst_{number % BURST_JOBS}" for number in range(BURST_RUNS)]
    site.client.log_in()
    begun = time.monotonic()
    with ThreadPoolExecutor(CALLERS) as pool:
        runs = list(pool.map(site.start, names))
    answered = time.monotonic() - begun
    assert len({run.run_id for run in runs}) == BURST_RUNS
    wait_until(lambda: unfinished(site) == 0, BURST_SECONDS, lambda: unfinished(site), every=2)
    seconds = time.monotonic() - begun
    listed = site.command("runs", "--limit", "1000", "--completed")["runs"]
    ended = {int(item["run_id"]): item["result_state"] for item in listed}
    assert Counter(ended.get(run.run_id, "LOST") for run in runs) == {"SUCCESS": BURST_RUNS}
    told = {"answered after, s": round(answered, 1), "all ended after, s": round(seconds, 1)}
    keep_figures(burst={"runs": BURST_RUNS, "tasks": 2 * BURST_RUNS, **told, "lost": 0})


def unfinished(site: Site) -> int:
    """Runs that wait or go on."""
    told = site.client.call("GET", "/dags/~/dagRuns?limit=1&state=queued&state=running")
    return int(told["total_entries"])


def test_any_process_may_die_at_any_moment(site: Site) -> None:
    # The first run also starts the driver; the second tells how long one takes.
    runs = [succeeded(site, site.start())]
    begun = time.monotonic()
    runs.append(succeeded(site, site.start()))
    usual = time.monotonic() - begun
    undisturbed = site.tables()
    moments = random.Random(SEED)
    rounds: list[tuple[str, str, float]] = []
    while len(rounds) < ROUNDS and time.monotonic() - begun < LIMIT:
        kind = VICTIMS[len(rounds) % len(VICTIMS)]
        shutil.rmtree(site.home / "lake" / "retailhub")
        run = site.start()
        runs.append(run)
        # So many tasks have ended, and a part of the next has gone by: a busy machine does not move the kills to the end.
        number, pause = moments.randrange(len(TABLES)), moments.uniform(0, usual / len(TABLES))
        wait_until(lambda run=run, number=number: ended_tasks(site.show(run)) >= number, RUN_SECONDS)
        time.sleep(pause)
        killed, at = time.monotonic(), time.time()
        if not site.kill(kind, run):
            succeeded(site, run)
            continue
        rounds.append((kind, mended(site, run), time.monotonic() - killed))
        assert site.tables() == undisturbed, rounds[-1]
        site.settle(at)
        print(f"round {len(rounds)}: {kind}, {rounds[-1][1]}, {rounds[-1][2]:.0f} s", flush=True)
        keep_figures(kills=figures(rounds, usual))
    check_mails(site, runs)
    check_rows(site, runs)


def ended_tasks(told: dict[str, Any]) -> int:
    return sum(task["life_cycle_state"] in ENDED for task in told["tasks"])


def succeeded(site: Site, run: Run) -> Run:
    assert site.ended(run)["result_state"] == "SUCCESS"
    return run


def mended(site: Site, run: Run) -> str:
    """How a disturbed run ended: as it is right, and repaired where it failed."""
    told = site.ended(run)
    result = str(told["result_state"])
    assert result in {"SUCCESS", "FAILED"}, told
    if result == "FAILED":
        assert "FAILED" in results(told), told
        told = site.repaired(run)
    assert told["result_state"] == "SUCCESS", told
    assert set(results(told)) == {"SUCCESS"}, told
    return "SUCCESS" if result == "SUCCESS" else "FAILED, then repaired"


def results(told: dict[str, Any]) -> list[str]:
    return [task["result_state"] for task in told["tasks"]]


def figures(rounds: list[tuple[str, str, float]], usual: float) -> dict[str, Any]:
    by_kind: dict[str, Any] = {}
    for kind in dict.fromkeys(item[0] for item in rounds):
        own = [item for item in rounds if item[0] == kind]
        seconds = [item[2] for item in own]
        by_kind[kind] = {
            "rounds": len(own),
            **Counter(item[1] for item in own),
            "from the kill to a run that succeeded, s (shortest, longest)": [round(min(seconds)), round(max(seconds))],
        }
    return {
        "rounds": len(rounds),
        "asked for": ROUNDS,
        "seed": SEED,
        "undisturbed run, s": round(usual, 1),
        "slowest, s": round(max(item[2] for item in rounds)),
        "by victim": by_kind,
    }


def check_mails(site: Site, runs: list[Run]) -> None:
    """Every run told of its start and its success; nothing came twice."""
    outbox = Outbox(site.home)
    try:
        wanted = {(run.run_id, event) for run in runs for event in ("on_start", "on_success")}
        wait_until(lambda: wanted <= told(outbox), BACK_SECONDS, lambda: wanted - told(outbox))
        letters = [letter for letter in outbox.letters(most=100_000) if letter.stage is Stage.SENT]
        known = Counter((item.message.run_id, item.message.repair, item.message.event) for item in letters)
        assert [key for key, count in known.items() if count > 1] == []
        came = Counter(str(mail["Message-ID"]) for mail in site.inbox.mails)
        assert [name for name, count in came.items() if count > 1] == []
        assert len(came) == len(letters)
    finally:
        outbox.close()


def told(outbox: Outbox) -> set[tuple[int, str]]:
    sent = [letter for letter in outbox.letters(most=100_000) if letter.stage is Stage.SENT]
    return {(letter.message.run_id, str(letter.message.event)) for letter in sent}


def check_rows(site: Site, runs: list[Run]) -> None:
    """The system tables have each run once, with its success."""
    wanted = {str(run.run_id) for run in runs}
    wait_until(
        lambda: wanted <= {row["run_id"] for row in rows(site) if row["result_state"] == "SUCCEEDED"}, BACK_SECONDS
    )
    keys = Counter(tuple(row[column] for column in SYSTEM_TABLES["job_run_timeline"].key) for row in rows(site))
    assert [key for key, count in keys.items() if count > 1] == []


def rows(site: Site) -> list[dict[str, Any]]:
    place = site.home / "lake" / "system" / "lakeflow" / "job_run_timeline"
    found: list[dict[str, Any]] = DeltaTable(str(place)).to_pyarrow_table().to_pylist()
    return found


def test_nothing_is_left_after_down(site: Site) -> None:
    site.command("down")
    wait_until(lambda: not list(marked(site.home)), 60, lambda: list(marked(site.home)))
    assert not (site.home / "up.json").exists()
