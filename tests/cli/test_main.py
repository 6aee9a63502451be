"""The command line: exit statuses, pure JSON, words for wrong input. Everything but Airflow and Spark is real."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from disk import largest_file

from medallion.cli import app, main

BUNDLES = Path(__file__).parents[1] / "data" / "bundles"
CONDITION = {"op": "EQUAL_TO", "left": "1", "right": "1"}
GOOD = {"name": "nightly", "tasks": [{"task_key": "a", "condition_task": CONDITION}]}
COMMANDS = [
    "",
    "backfill",
    "cancel",
    "check",
    "doctor",
    "down",
    "jobs-service",
    "list",
    "notifications",
    "repair",
    "resolve",
    "run",
    "run-now",
    "settings",
    "setup",
    "sql",
    "status",
    "triggers",
    "up",
]
BAD = """{
  "name": "broken",
  "tasks": [
    {"task_key": "a", "run_if": "ALL_SUCESS", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}},
    {"task_key": "b", "depends_on": [{"task_key": "x"}], "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
  ]
}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "nightly.json").write_text(json.dumps(GOOD))
    (tmp_path / "medallion.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one JSON object on standard output."""
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_examples(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"] if command else ["--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage: medallion" in text
    assert not command or f"medallion {command}" in text.split("Examples:")[1]


def test_no_command_is_left_out_above() -> None:
    # `airflow` hands all of its options on; its help is Airflow's own.
    named = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
    assert named == {*COMMANDS[1:], "airflow"}


def test_help_comes_at_once_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from medallion.cli import main; main(['check', '--help']);"
        "heavy = {'airflow', 'pyspark', 'pandas', 'fastapi', 'psutil'} & set(sys.modules); sys.exit(len(heavy))"
    )
    best = 9.0
    for _ in range(3):
        started = time.monotonic()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        best = min(best, time.monotonic() - started)
        assert done.returncode == 0, done.stdout + done.stderr
    # 0.2 s on a machine that does nothing else.
    assert best < 2.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["chek"], "Did you mean 'check'?", id="unknown command"),
        pytest.param(["list", "--jsn"], "--json", id="unknown option"),
        pytest.param(["run"], "Missing argument", id="missing argument"),
        pytest.param(["run", "nightli"], "did you mean nightly?", id="unknown job"),
        pytest.param(["run", "nightly", "--only", "b"], "has no task 'b'", id="unknown task"),
        pytest.param(["run", "nightly", "-p", "x"], "NAME=VALUE", id="parameter without a value"),
        pytest.param(["run", "none.json"], "no such file", id="missing path"),
        pytest.param(["check", "jobs/nightli.json"], "did you mean nightly.json?", id="missing file"),
        pytest.param(["--project", "nowhere", "list"], "does not exist", id="missing project"),
        pytest.param(["sql", "SELECT 1", "--csv", "--json"], "exclude each other", id="two formats"),
    ],
)
def test_wrong_input_is_told_in_words_with_status_2(
    arguments: list[str], words: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    text = capsys.readouterr()
    assert words in " ".join((text.out + text.err).replace("│", " ").split())
    assert "Traceback" not in text.err


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["run", "nope", "--json"], id="unknown job"),
        pytest.param(["run", "--json"], id="missing argument"),
        pytest.param(["check", "nope", "--json"], id="missing file"),
        pytest.param(["lst", "--json"], id="unknown command"),
    ],
)
def test_an_error_is_one_json_object_too(
    arguments: list[str], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert told(capsys)["error"]


def test_a_wrong_setting_is_told_with_its_place(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "medallion.toml").write_text("paralelism = 3\n")
    assert main(["list"]) == 2
    assert "did you mean parallelism?" in capsys.readouterr().err


def test_check_reports_all_problems_of_all_files_at_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "jobs" / "broken.json").write_text(BAD)
    assert main(["check", "--json"]) == 2
    answer = told(capsys)
    assert {"severity", "message", "file", "line", "path"} <= answer["problems"][0].keys()
    assert [(item["line"], Path(item["file"]).name) for item in answer["problems"]] == [
        (4, "broken.json"),
        (5, "broken.json"),
    ]
    assert main(["check", "jobs/nightly.json"]) == 0


def test_check_shows_the_source_line_with_a_caret_below_the_fault(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "jobs" / "broken.json").write_text(BAD)
    assert main(["check"]) == 2
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if "ALL_SUCESS" in line and "|" in line)
    assert lines[at][lines[at + 1].index("^") :].startswith('"ALL_SUCESS"')


def test_check_names_both_files_of_two_jobs_with_one_dag_id(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "jobs" / "again.json").write_text(json.dumps(GOOD))
    assert main(["check", "--json"]) == 2
    [problem] = told(capsys)["problems"]
    assert "again.json" in problem["file"] + problem["message"]
    assert "nightly.json" in problem["file"] + problem["message"]


def test_strict_makes_warnings_errors(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "jobs" / "nightly.json").write_text(json.dumps({**GOOD, "unheard_of": 1}))
    assert main(["check"]) == 0
    assert "unheard_of" in capsys.readouterr().out
    assert main(["check", "--strict"]) == 2


def test_list_tells_what_starts_each_job(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    schedule = {"quartz_cron_expression": "0 0 2 * * ?", "timezone_id": "Europe/Berlin", "pause_status": "PAUSED"}
    (project / "jobs" / "odd.json").write_text(json.dumps({**GOOD, "name": "odd [name]", "schedule": schedule}))
    assert main(["list", "--json"]) == 0
    first, second = told(capsys)["jobs"]
    assert (first["name"], first["starts"], first["tasks"], first["problems"]) == ("nightly", "by hand", ["a"], [])
    assert (second["name"], second["dag_id"]) == ("odd [name]", "odd_name")
    assert (second["starts"], second["status"]) == ("0 0 2 * * ? Europe/Berlin", "PAUSED")
    assert main(["list"]) == 0
    assert "odd [name]" in capsys.readouterr().out


def test_a_project_without_a_jobs_folder_lists_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["list"]) == 0
    assert "no jobs below" in capsys.readouterr().out
    assert main(["check", "--json"]) == 0
    assert told(capsys) == {"problems": [], "files": 0, "jobs": 0, "ok": True}
    assert not (tmp_path / ".medallion").exists()


def test_resolve_prints_a_bundles_resources(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bundle = project / "bundle"
    bundle.mkdir()
    (bundle / "databricks.yml").write_text(
        "bundle: {name: b}\n"
        "variables: {who: {default: nobody}}\n"
        "resources: {jobs: {j: {name: 'for ${var.who}', tasks: ["
        "{task_key: t, condition_task: {op: EQUAL_TO, left: '1', right: '1'}}]}}}\n"
    )
    assert main(["resolve", str(bundle), "--var", "who=all=of us"]) == 0
    assert told(capsys)["resources"]["jobs"]["j"]["name"] == "for all=of us"
    assert main(["resolve", str(bundle), "--json", "--var", "who=a", "--var", "who=b"]) == 2
    assert "given twice" in told(capsys)["error"]


@pytest.mark.parametrize("golden", sorted(BUNDLES.glob("*/expected/*.json")), ids=lambda path: path.parents[1].name)
def test_resolve_prints_what_the_official_command_line_prints(
    golden: Path, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = [] if golden.stem == "default" else ["--target", golden.stem]
    assert main(["--project", str(project), "resolve", str(golden.parents[1]), *target, "--user", "someone"]) == 0
    expected = json.loads(golden.read_text())["resources"]
    for item in (item for items in expected.values() for item in items.values()):
        for added in ("deployment", "edit_mode", "format"):
            item.pop(added, None)
    assert told(capsys)["resources"] == expected


def test_resolve_says_no_more_of_a_bundle_than_the_official_command_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = project / "bundle"
    bundle.mkdir()
    (bundle / "databricks.yml").write_text(
        "bundle: {name: b}\n"
        "resources: {jobs: {j: {name: '${resources.jobs.k.name}', tasks: [{task_key: a, depends_on: [{task_key: z}]}]},"
        " k: {name: k}}}\n"
    )
    assert main(["resolve", str(bundle)]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["resources"]["jobs"]["j"]["name"] == "${resources.jobs.k.name}"
    assert err == ""
    assert main(["check", str(bundle)]) == 2
    assert "the task has no type" in capsys.readouterr().out


def test_settings_tell_value_and_origin(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "medallion.toml").write_text("parallelism = 3\n")
    monkeypatch.setenv("MEDALLION_PORT", "9090")
    assert main(["settings", "--json"]) == 0
    answer = told(capsys)["settings"]
    assert (answer["parallelism"]["value"], answer["parallelism"]["origin"]) == (3, "medallion.toml")
    assert (answer["port"]["value"], answer["port"]["origin"]) == (9090, "MEDALLION_PORT")
    assert answer["host"]["origin"] == "default"
    assert main(["--project", str(project), "settings"]) == 0
    assert "MEDALLION_PORT" in capsys.readouterr().out


def test_doctor_names_what_is_missing_and_the_remedy(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MEDALLION_CACHE", str(project / "empty"))
    assert main(["doctor", "--json"]) == 2
    answer = told(capsys)
    rows = {row["matter"]: row for row in answer["findings"]}
    assert (rows["JARs"]["verdict"], rows["JARs"]["remedy"]) == ("missing", "medallion doctor --fetch")
    assert rows["Python"]["verdict"] == "ok"
    assert rows["Jobs"]["found"].startswith("1 jobs")
    assert answer["ok"] is False


def test_status_and_down_of_a_project_where_nothing_runs(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 1
    assert told(capsys)["state"] == "down"
    assert main(["down", "--json"]) == 0
    assert told(capsys) == {"ended": []}
    assert not (project / ".medallion").exists()


@pytest.mark.parametrize("command", [("run", "nightly"), ("up", "--detach")])
def test_a_home_without_room_is_told_in_words(
    command: tuple[str, ...], project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with largest_file(700):
        assert main(command) == 1
    text = " ".join(capsys.readouterr().err.split())
    assert "the limit of a file's size is reached (ulimit -f): the home folder" in text
    assert "set `home` in medallion.toml" in text
    assert "Traceback" not in text


def test_up_says_who_holds_the_port_and_which_one_is_free(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import os
    import socket

    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        assert main(["up", "--port", str(port)]) == 2
    text = " ".join(capsys.readouterr().err.split())
    assert f"port {port} of 127.0.0.1 is taken by process {os.getpid()}" in text
    assert "medallion up --port" in text


def test_ctrl_c_ends_without_a_traceback(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("medallion.components.jobs.find", interrupt)
    assert main(["list"]) == 130
    assert "Traceback" not in capsys.readouterr().err
