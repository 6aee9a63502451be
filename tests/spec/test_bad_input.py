"""What no sane person writes ends within a second or so, with an error in words: sizes, depths, numbers, circles."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from medallion.spec.discovery import discover
from medallion.spec.loading import load
from medallion.spec.problems import Severity

SECONDS = 5
"""Three times slower machines, and a busy one; it takes less than one."""

TASK = {"task_key": "a", "notebook_task": {"notebook_path": "n"}}
HUGE = 10**400


@contextmanager
def soon() -> Iterator[None]:
    begun = time.process_time()
    yield
    assert time.process_time() - begun < SECONDS


def errors(path: Path) -> list[str]:
    with soon():
        loaded = load(path)
    return [problem.message for problem in loaded.problems if problem.severity is Severity.ERROR]


def json_file(folder: Path, text: str) -> Path:
    file = folder / "job.json"
    file.write_text(text)
    return file


def bundle(folder: Path, text: str) -> Path:
    (folder / "databricks.yml").write_text(text)
    return folder


def bomb(levels: int) -> str:
    """Nine aliases a level, as of the well-known attack."""
    lines = ["l0: &l0 [x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


def big(folder: Path, name: str) -> Path:
    """A file of 100 MB that takes no room."""
    file = folder / name
    with file.open("wb") as stream:
        stream.write(b'{"tasks": [')
        stream.truncate(100 * 1024 * 1024)
    return file


def chain(tasks: int) -> list[dict[str, Any]]:
    """Each task after the one before it."""
    return [{**TASK, "task_key": f"t{n}", "depends_on": [{"task_key": f"t{n - 1}"}] if n else []} for n in range(tasks)]


def doubled(levels: int) -> str:
    """Each mapping holds the one before it twice."""
    lines = [f"a{n}: &a{n} {{k: *a{n - 1}, l: *a{n - 1}}}\n" for n in range(1, levels)]
    return "a0: &a0 {x: 1}\n" + "".join(lines)


def variables(levels: int) -> str:
    """Each variable names the next one twice."""
    lines = [f"  v{n}: {{default: '${{var.v{n + 1}}}${{var.v{n + 1}}}'}}\n" for n in range(levels)]
    head = "bundle: {name: b}\nvariables:\n" + "".join(lines) + f"  v{levels}: {{default: x}}\n"
    return (
        head + "resources: {jobs: {j: {name: '${var.v0}', tasks: [{task_key: a, notebook_task: {notebook_path: /n}}]}}}"
    )


YAML_HEAD = """\
bundle: {name: b}
resources:
  jobs:
    j:
      tasks: [{task_key: a, notebook_task: {notebook_path: n}}]
"""


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda at: json_file(at, "[" * 1_000_000), "nested deeper than", id="JSON lists"),
        pytest.param(lambda at: json_file(at, '{"a":' * 500_000), "nested deeper than", id="JSON objects"),
        pytest.param(
            lambda at: json_file(at, json.dumps({"tasks": [TASK], "tags": {"a": json.loads("[" * 90 + "]" * 90)}})),
            "",
            id="JSON within the limit",
        ),
        pytest.param(lambda at: bundle(at, "a: " + "[" * 100_000), "nested deeper than", id="YAML lists"),
        pytest.param(lambda at: bundle(at, "a: " + "{a: " * 50_000), "nested deeper than", id="YAML mappings"),
        pytest.param(lambda at: bundle(at, "- " * 50_000 + "x"), "nested deeper than", id="YAML dashes"),
        pytest.param(lambda at: bundle(at, "".join(" " * n + "a:\n" for n in range(1000))), "deeper", id="YAML blocks"),
        pytest.param(lambda at: bundle(at, bomb(12)), "once its aliases are written out", id="YAML aliases"),
        pytest.param(
            lambda at: bundle(at, doubled(60)),
            "once its aliases are written out",
            id="YAML doubled",
        ),
        pytest.param(lambda at: big(at, "job.json"), "bytes; a definition may have", id="100 MB of JSON"),
        pytest.param(lambda at: big(at, "databricks.yml").parent, "bytes; a definition may have", id="100 MB of YAML"),
        pytest.param(lambda at: json_file(at, json.dumps({"tasks": chain(10_000)})), "tasks", id="10,000 tasks"),
        pytest.param(
            lambda at: json_file(at, json.dumps({"tasks": [{**TASK, "depends_on": [{"task_key": "a"}] * 20_000}]})),
            "a",
            id="20,000 dependencies",
        ),
        pytest.param(
            lambda at: bundle(at, variables(60)),
            "",
            id="variables that double",
        ),
    ],
)
def test_sizes_and_depths(make: Callable[[Path], Path], words: str, tmp_path: Path) -> None:
    found = errors(make(tmp_path))
    assert found
    assert any(words in message for message in found)
    assert all(len(message) < 2000 for message in found)


NUMBERS = [
    ("timeout_seconds",),
    ("max_concurrent_runs",),
    ("tasks", 0, "timeout_seconds"),
    ("tasks", 0, "max_retries"),
    ("tasks", 0, "min_retry_interval_millis"),
    ("tasks", 0, "run_job_task", "job_id"),
    ("tasks", 0, "for_each_task", "concurrency"),
    ("tasks", 0, "health", "rules", 0, "value"),
    ("tasks", 0, "new_cluster", "num_workers"),
]


def placed(path: tuple[Any, ...], text: str) -> str:
    """A job with this JSON text at a place."""
    job: dict[str, Any] = {"name": "j", "tasks": [dict(TASK)]}
    health = {"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": "@"}]}
    more = {
        "run_job_task": {"job_id": "@"},
        "for_each_task": {"inputs": "[1]", "concurrency": "@", "task": TASK},
        "health": health,
        "new_cluster": {"spark_version": "17.3", "num_workers": "@"},
    }
    key = path[2] if len(path) > 2 else path[0]
    if key in {"run_job_task", "for_each_task"}:
        job["tasks"] = [{"task_key": "a", key: more[key]}]
    else:
        (job["tasks"][0] if len(path) > 2 else job)[key] = more.get(key, "@")
    return json.dumps(job).replace('"@"', text)


@pytest.mark.parametrize("path", NUMBERS, ids=lambda path: ".".join(map(str, path)))
@pytest.mark.parametrize(
    "number",
    [str(HUGE), f"-{HUGE}", "1e400", "1e300", "9" * 5000],
    ids=["huge", "below", "infinite", "float", "digits"],
)
def test_numbers_without_end(path: tuple[Any, ...], number: str, tmp_path: Path) -> None:
    found = errors(json_file(tmp_path, placed(path, number)))
    assert found, "such a number is an error"
    assert all(len(message) < 500 for message in found)


@pytest.mark.parametrize("number", [str(HUGE), "1e400", ".inf", "0x" + "f" * 400, "0x" + "f" * 5000])
def test_numbers_without_end_in_yaml(number: str, tmp_path: Path) -> None:
    assert errors(bundle(tmp_path, YAML_HEAD + f"      timeout_seconds: {number}\n"))


def test_folders_that_link_to_each_other_are_searched_once(tmp_path: Path) -> None:
    folders = [tmp_path / f"f{n}" for n in range(12)]
    for folder in folders:
        folder.mkdir()
        (folder / "job.json").write_text(json.dumps({"name": folder.name, "tasks": [TASK]}))
    for folder in folders:
        for other in folders:
            (folder / f"to_{other.name}").symlink_to(other, target_is_directory=True)
        (folder / "up").symlink_to(tmp_path, target_is_directory=True)
        (folder / "self").symlink_to("self")
    with soon():
        found = discover(tmp_path)
    assert sorted(file.resolve() for file in found) == sorted(folder / "job.json" for folder in folders)


def test_a_circle_of_links_in_place_of_a_definition_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to(tmp_path / "b.json")
    (tmp_path / "b.json").symlink_to(tmp_path / "a.json")
    with soon():
        discover(tmp_path)
    assert errors(tmp_path / "a.json")
