"""The command line: exit statuses, pure JSON, words for wrong input. Everything but Airflow and Spark is real."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from disk import largest_file

from medallion.cli import app, main
from medallion.components.jobs import choose, choose_dag
from medallion.settings import Settings

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
    "targets",
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
    work = 9.0
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        work = min(work, after.ru_utime - before.ru_utime)
        assert done.returncode == 0, done.stdout + done.stderr
    # Seconds of the processor, not of the clock: 0.2 of them, whatever else the machine does.
    assert work < 1.0


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


def test_check_notes_both_files_of_two_jobs_with_one_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "jobs" / "again.json").write_text(json.dumps(GOOD))
    assert main(["check", "--json", "--strict"]) == 0
    [problem] = told(capsys)["problems"]
    assert problem["severity"] == "note"
    assert "again.json" in problem["message"]
    assert "nightly.json" in problem["file"]
    assert not (project / ".medallion").exists()


@pytest.mark.parametrize(
    "command", [["run"], ["run-now"], ["triggers"], ["backfill", "--from", "2026-01-01", "--to", "2026-01-01"]]
)
def test_a_name_that_two_jobs_have_is_refused_with_both_paths_and_dag_ids(
    project: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    (project / "jobs" / "again.json").write_text(json.dumps(GOOD))
    assert main([*command, "nightly"]) == 2
    said = capsys.readouterr().err
    assert main(["list", "--json"]) == 0
    jobs = told(capsys)["jobs"]
    assert [job["clashes"] for job in jobs] == [[jobs[1]["dag_id"]], [jobs[0]["dag_id"]]]
    assert {job["dag_id"] for job in jobs} > {"nightly"}
    for job in jobs:
        assert f"{job['dag_id']} ({job['file']}" in "".join(said.split("\n"))


@pytest.mark.parametrize("command", [["cancel", "latest"], ["repair", "latest"], ["runs", "show", "latest"]])
def test_a_run_of_a_name_that_two_jobs_have_is_refused(
    project: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    (project / "jobs" / "again.json").write_text(json.dumps(GOOD))
    assert main([*command, "--job", "nightly"]) == 2
    assert "2 jobs are named nightly" in capsys.readouterr().err


def test_twins_are_chosen_by_path_and_by_dag_id(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "jobs" / "again.json").write_text(json.dumps(GOOD | {"description": "another"}))
    assert main(["list", "--json"]) == 0
    known = {Path(job["file"]).name: job["dag_id"] for job in told(capsys)["jobs"]}
    settings = Settings.load(project, environ={})
    for name, dag_id in known.items():
        by_path = choose(settings, str(project / "jobs" / name), target=None, variables={})
        assert (by_path.definition.file.name, by_path.dag_id, by_path.served) == (name, dag_id, True)
        assert choose_dag(settings, dag_id, target=None, variables={}) == by_path
        if dag_id != "nightly":
            assert choose(settings, dag_id, target=None, variables={}) == by_path


def test_list_marks_names_that_several_jobs_have(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, name in enumerate(("日次 ETL", "月次 ETL")):
        (project / "jobs" / f"{number}.json").write_text(json.dumps(GOOD | {"name": name}))
    assert main(["list"]) == 0
    said = capsys.readouterr().out
    assert "日次 ETL" in said
    assert "月次 ETL" in said
    assert "(name of" not in said  # each name means one job
    (project / "jobs" / "again.json").write_text(json.dumps(GOOD))
    assert main(["list"]) == 0
    assert capsys.readouterr().out.count("nightly (name of 2 jobs)") == 2


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


def test_check_of_a_folder_with_nothing_in_it_is_no_success(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "empty").mkdir()
    (project / "empty" / "notes.txt").write_text("a")
    assert main(["check", "empty", "--json"]) == 2
    answer = told(capsys)
    assert (answer["files"], answer["jobs"], answer["ok"]) == (0, 0, False)
    assert "there is no job and no bundle in this folder" in answer["problems"][0]["message"]
    assert main(["check", "jobs", "empty"]) == 2


@pytest.mark.parametrize("command", ["check", "resolve", "triggers"])
@pytest.mark.parametrize(
    "job", ["nightly", "hello", "jobs/nightly.json", "other", "./other"], ids=lambda text: text.replace("/", "_")
)
def test_every_command_knows_a_job_by_the_same_names(
    project: Path, capsys: pytest.CaptureFixture[str], command: str, job: str
) -> None:
    for name in ("jobs/hello/job.json", "other/job.json"):
        (project / name).parent.mkdir()
        (project / name).write_text(json.dumps({**GOOD, "name": name.split("/")[-2]}))
    assert main([command, job]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("command", ["check", "resolve", "triggers"])
def test_a_name_that_is_neither_a_path_nor_a_job_is_told(
    project: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main([command, "nigtly"]) == 2
    assert "did you mean nightly?" in capsys.readouterr().err


YAML_JOB = """\
resources:
  jobs:
    New_Job:
      name: New Job
      tasks:
        - task_key: a
          condition_task: {op: EQUAL_TO, left: "1", right: "1"}
"""


def test_a_yaml_file_with_jobs_alone_is_a_job_file(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "jobs" / "view.yml").write_text(YAML_JOB)
    (project / "jobs" / "kustomization.yaml").write_text("resources:\n  - jobs: x\n")
    assert main(["list", "--json"]) == 0
    assert [job["name"] for job in told(capsys)["jobs"]] == ["nightly", "New Job"]
    assert main(["check", "jobs/view.yml"]) == 0
    assert "no problems" in capsys.readouterr().out


def test_check_says_that_it_runs_a_bundles_own_python_and_can_be_told_not_to(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION", raising=False)
    bundle, mark = project / "bundle", project / "ran"
    (bundle / ".venv" / "bin").mkdir(parents=True)
    python = bundle / ".venv" / "bin" / "python"
    python.write_text(f"#!/bin/sh\ntouch {mark}\nexit 1\n")
    python.chmod(0o755)
    (bundle / "databricks.yml").write_text("bundle: {name: b}\npython: {venv_path: .venv, resources: ['r:load']}\n")
    assert main(["check", "bundle", "--no-python"]) == 2
    assert "forbids to run it" in capsys.readouterr().out
    assert not mark.exists()
    monkeypatch.delenv("DATABRICKS_BUNDLE_RESTRICTED_CODE_EXECUTION")
    assert main(["check", "bundle"]) == 2
    assert "that code was run to check it" in capsys.readouterr().out
    assert mark.exists()


def test_the_home_folder_is_for_its_owner_alone(project: Path) -> None:
    from medallion.components.places import prepare
    from medallion.settings import Settings

    home = project / ".medallion"
    home.mkdir(mode=0o755)
    prepare(Settings.load(project, environ={}))
    assert home.stat().st_mode & 0o777 == 0o700
