"""Parsing: 1, 100 and 1,000 jobs of 8 tasks as job JSON, as the same DAGs written by hand, and as dag-factory's YAML.

    python benchmarks/parse.py [--counts 1 100 1000] [--rounds 5]

Each figure is the CPU time of a DAG file in a process of its own, after Airflow, the operators and the libraries are
imported. "task" is what a task process does: the job of its run, as it was when the run began. Beside it stands the same DAG
by hand, "alone" in its file; both are parsed for the second time in their process.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import keep, median, run

TASKS = 8

OURS = """
import re, sys, time
from pathlib import Path
import medallion.factory.dag
from medallion.factory.dagfile import load_into, load_version
project = Path(sys.argv[1])
def timed(load, **given):
    names = {}
    started = time.process_time()
    load(names, project=project, **given)
    return time.process_time() - started, names
passed, names = timed(load_into)
assert len(names) == int(sys.argv[2]), len(names)
if sys.argv[3] == "task":
    version = re.search("[*]Version[*]+: `([0-9a-f]+)`", names["job_0"].doc_md)[1]
    timed(load_version, version=version)
    passed, names = timed(load_version, version=version)
    assert len(names) == 1
print(passed)
"""

RIVAL = """
import runpy, sys, time
import airflow.sdk, airflow.providers.standard.operators.bash
{imports}
for _ in range(int(sys.argv[3])):
    started = time.process_time()
    names = runpy.run_path(sys.argv[1])
    passed = time.process_time() - started
assert sum(type(item).__name__ == "DAG" for item in names.values()) == int(sys.argv[2])
print(passed)
"""


def parents_of(index: int) -> list[int]:
    """A job with a root, a fan-out and a join: what each task waits for."""
    return {0: [], 7: [4, 5, 6]}.get(index, [index - 3] if index > 3 else [0])


def job(number: int) -> dict[str, Any]:
    """One job of eight notebook tasks."""
    return {
        "name": f"job_{number}",
        "description": "made for the benchmark",
        "max_concurrent_runs": 1,
        "parameters": [{"name": "catalog", "default": "main"}, {"name": "day", "default": "2026-01-01"}],
        "schedule": {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "UTC"},
        "tasks": [
            {
                "task_key": f"task_{index}",
                "depends_on": [{"task_key": f"task_{parent}"} for parent in parents_of(index)],
                "notebook_task": {"notebook_path": f"/Workspace/n{index}", "base_parameters": {"a": "1"}},
                "max_retries": 2,
                "min_retry_interval_millis": 1000,
                "timeout_seconds": 3600,
            }
            for index in range(TASKS)
        ],
    }


def write_jobs(folder: Path, count: int) -> None:
    """One JSON file per job."""
    (folder / "jobs").mkdir(parents=True)
    for number in range(count):
        (folder / "jobs" / f"job_{number}.json").write_text(json.dumps(job(number)), encoding="utf-8")


def write_by_hand(file: Path, count: int, first: int = 0) -> None:
    """The same DAGs as a person writes them.

    :param first: number of the first one.
    """
    lines = [
        "from datetime import timedelta",
        "from airflow.sdk import DAG, Param",
        "from airflow.providers.standard.operators.bash import BashOperator",
    ]
    for number in range(first, first + count):
        lines.append(
            f"with DAG('job_{number}', description='made for the benchmark', schedule='0 2 * * *', catchup=False, "
            "max_active_runs=1, params={'catalog': Param('main', type='string'), 'day': Param('2026-01-01', type='string')}"
            f") as job_{number}:"
        )
        lines += [
            f"    t{index} = BashOperator(task_id='task_{index}', bash_command='true', retries=2, "
            "retry_delay=timedelta(seconds=1), execution_timeout=timedelta(hours=1))"
            for index in range(TASKS)
        ]
        lines += [f"    t{parent} >> t{index}" for index in range(TASKS) for parent in parents_of(index)]
    file.write_text("\n".join(lines), encoding="utf-8")


def write_dag_factory(folder: Path, count: int) -> Path:
    """The same DAGs as dag-factory's YAML, with its loader."""
    dags = {
        f"job_{number}": {
            "description": "made for the benchmark",
            "schedule": "0 2 * * *",
            "catchup": False,
            "max_active_runs": 1,
            "default_args": {"owner": "airflow", "start_date": "2026-01-01"},
            "params": {"catalog": "main", "day": "2026-01-01"},
            "tasks": [
                {
                    "task_id": f"task_{index}",
                    "operator": "airflow.providers.standard.operators.bash.BashOperator",
                    "bash_command": "true",
                    "retries": 2,
                    "retry_delay": 1,
                    "dependencies": [f"task_{parent}" for parent in parents_of(index)],
                }
                for index in range(TASKS)
            ],
        }
        for number in range(count)
    }
    import yaml

    config = folder / "dags.yaml"
    config.write_text(yaml.safe_dump(dags), encoding="utf-8")
    loader = folder / "factory.py"
    loader.write_text(
        f"from dagfactory import load_yaml_dags\nload_yaml_dags(globals_dict=globals(), config_filepath={str(config)!r})\n",
        encoding="utf-8",
    )
    return loader


def seconds_of(code: str, arguments: list[str], environment: dict[str, str]) -> float:
    """What the code prints, run in a process of its own."""
    return float(run([sys.executable, "-c", code, *arguments], environment).output.split()[-1])


def measure(count: int, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each round for one number of jobs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_jobs(folder, count)
        write_by_hand(folder / "by_hand.py", count)
        write_by_hand(folder / "alone.py", 1)
        loader = write_dag_factory(folder, count)
        plugins = Path(__file__).parent.parent / "plugins"
        environment = {
            "AIRFLOW_HOME": f"{name}/airflow",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(plugins),
            "DO_NOT_TRACK": "1",
        }
        ours = [name, str(count)]
        code = RIVAL.format(imports="")
        factory = RIVAL.format(imports="import dagfactory")
        samples: dict[str, list[float]] = {key: [] for key in ("medallion", "task", "by_hand", "alone", "dag_factory")}
        run(
            [sys.executable, "-c", OURS, *ours, "all"], environment
        )  # fills the cache, as the dag processor's first parse
        for _ in range(rounds):
            samples["medallion"].append(seconds_of(OURS, [*ours, "all"], environment))
            samples["task"].append(seconds_of(OURS, [*ours, "task"], environment))
            samples["by_hand"].append(seconds_of(code, [str(folder / "by_hand.py"), str(count), "1"], environment))
            samples["alone"].append(seconds_of(code, [str(folder / "alone.py"), "1", "2"], environment))
            samples["dag_factory"].append(seconds_of(factory, [str(loader), str(count), "1"], environment))
        return {key: [round(value * 1000, 1) for value in values] for key, values in samples.items()}


def main() -> None:
    """Measure and keep the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    found = {}
    for count in arguments.counts:
        rounds = measure(count, arguments.rounds)
        milliseconds = {key: median(values) for key, values in rounds.items()}
        found[str(count)] = {
            "milliseconds": rounds,
            "medallion / by hand": round(milliseconds["medallion"] / milliseconds["by_hand"], 2),
            "dag-factory / medallion": round(milliseconds["dag_factory"] / milliseconds["medallion"], 2),
            "task / by hand alone": round(milliseconds["task"] / milliseconds["alone"], 2),
        }
    keep("parse", {"rounds": arguments.rounds, "jobs": found})


if __name__ == "__main__":
    main()
