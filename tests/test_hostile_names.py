"""Names are data in all that is made of them: each text has the structure that it has for a plain name."""

from __future__ import annotations

import configparser
import csv
import email
import email.policy
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import mistune
import pytest
from hostile_names import ONE_LINE, each

from medallion.cli import main
from medallion.cli.query import as_text
from medallion.components.configuration import render
from medallion.components.sql_query import Answer
from medallion.compute.artifacts import file_name_of
from medallion.compute.driver import write_logging
from medallion.compute.properties import properties_text
from medallion.core.sql_names import quoted, unquoted_name
from medallion.core.text import CONTROLS
from medallion.errors import SettingsError
from medallion.project.naming import dag_id, gone_file
from medallion.runs.notifications.events import MAIL, Event, Recipient
from medallion.runs.notifications.message import Message, slack, teams, webhook
from medallion.runs.notifications.outbox import Letter, Stage
from medallion.runs.notifications.sender import described
from medallion.runs.notifications.transports import mail_of
from medallion.runtime import page as notebook_page
from medallion.runtime.spark.statements import literal
from medallion.runtime.sql_text import read_tokens
from medallion.settings import Settings

PLAIN = "plain"


class Outline(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.text: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def outline(html: str) -> Outline:
    found = Outline()
    found.feed(html)
    found.close()
    return found


def message(name: str) -> Message:
    return Message(
        event=Event.FAILURE,
        job=name,
        job_id=1,
        run_id=2,
        airflow_run_id=name,
        link="http://here/dags/x/runs/y",
        task=name,
        result="FAILED",
        error=name,
        note=name,
        failed=(name,),
    )


def run_page(name: str) -> str:
    from medallion.web.page import frame
    from medallion.web.run_page import page_body, place

    times = {"start_time": 1000, "end_time": 2000}
    task = {
        "task_key": name,
        "result_state": "FAILED",
        "attempts": 1,
        "termination_details": {"message": name},
        **times,
    }
    part = {"result_state": name, "tasks": [name], "who": name, "start_time": 1000}
    told = {"result_state": "FAILED", "tasks": [task], "repair_history": [part, part], "started_by": name, **times}
    told |= {"termination_details": {"message": name}}
    return frame(name, page_body(told, [(name, name)], place(name, name), name))


def trigger_page(name: str) -> str:
    from medallion.triggers.outlook import Outlook, TriggerOutlook
    from medallion.web.triggers import page_of

    trigger = TriggerOutlook(name, name, paused=False, seen={"files": name}, problem=name)
    return page_of(Outlook(name, name, name, (trigger,), ()))


def executed_page(name: str) -> str:
    import tempfile

    import nbformat
    from nbformat.v4 import new_code_cell, new_notebook, new_output

    with tempfile.TemporaryDirectory() as folder:
        cell = new_code_cell("1", outputs=[new_output("stream", text=name)])
        file = Path(folder, "notebook.ipynb")
        nbformat.write(new_notebook(cells=[cell], metadata={"title": name}), file)
        html = notebook_page.render(file)
    # Colours of output and of code are elements; the output's own lines are not what is looked at.
    return re.sub(r"</?span[^>]*>", "", html)


@each()
@pytest.mark.parametrize("make", [run_page, trigger_page, executed_page, lambda name: message(name).page])
@pytest.mark.airflow
def test_a_page_has_the_elements_that_it_has_for_a_plain_name(make: Any, name: str) -> None:
    odd, plain = outline(make(name)), outline(make(PLAIN))
    lines = name.count("\n")
    shown = [item for item in odd.elements if item[0] != "br" or not lines]
    assert shown == [item for item in plain.elements if item[0] != "br" or not lines]
    assert not [value for value in odd.values if value.lower().startswith("javascript:")]


@each()
def test_a_mail_has_the_headers_that_it_has_for_a_plain_name(name: str) -> None:
    def sent(job: str) -> Any:
        data = mail_of("a@example.com", message(job), "key", "me@example.com").as_bytes()
        return email.message_from_bytes(data, policy=email.policy.default)

    odd, plain = sent(name), sent(PLAIN)
    assert odd.keys() == plain.keys()
    assert [part.get_content_type() for part in odd.walk()] == [part.get_content_type() for part in plain.walk()]
    assert "\n" not in str(odd["Subject"])
    assert (odd["To"], odd["From"]) == ("a@example.com", "me@example.com")


@each()
def test_destinations_get_text_and_no_markup(name: str) -> None:
    assert json.loads(json.dumps(webhook(message(name))))["job"]["name"] == name
    texts = [block["text"]["text"] for block in slack(message(name))["blocks"][:-1]]
    assert not [text for text in texts if re.search(r"<[^>]*>", text)]
    (card,) = teams(message(name))["attachments"]
    kinds = {item["type"] for item in card["content"]["body"]}
    assert kinds == {"RichTextBlock"}, "other blocks read Markdown"


@each()
def test_a_line_of_a_log_stays_one(name: str) -> None:
    letter = Letter(1, "key", Recipient(MAIL, "a@example.com"), message(name), 0, 0, Stage.PENDING, 0, "", None)
    assert not CONTROLS.search(described(letter))
    assert "\n" not in described(letter)


@each()
def test_a_name_in_sql_is_one_name_and_a_text_one_text(name: str) -> None:
    words = read_tokens(f"SELECT {literal(name)} FROM {quoted(name, name)} WHERE 1")
    assert len(words) == len(read_tokens(f"SELECT 'x' FROM {quoted(PLAIN, PLAIN)} WHERE 1"))
    assert unquoted_name(words[3].text) == name


@each()
def test_settings_of_spark_come_back(name: str) -> None:
    (line,) = properties_text({"spark.x": name}).splitlines()
    key, _, value = line.partition("=")
    assert key == "spark.x"
    units = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), value)
    assert units.encode("utf-16", "surrogatepass").decode("utf-16") == name


@each()
def test_airflows_configuration_has_the_options_that_it_has_for_a_plain_name(name: str) -> None:
    def options(value: str) -> dict[str, dict[str, str]]:
        parser = configparser.ConfigParser()
        parser.read_string(render({("core", "dags_folder"): value, ("core", "executor"): "LocalExecutor"}))
        return {section: dict(parser.items(section)) for section in parser.sections()}

    if "\n" in name or "\r" in name:
        with pytest.raises(SettingsError, match="line end"):
            options(name)
    else:
        assert options(name) == {"core": {"dags_folder": name, "executor": "LocalExecutor"}}


@each(ONE_LINE)
def test_the_drivers_log_settings_have_the_lines_that_they_have_for_a_plain_name(tmp_path: Path, name: str) -> None:
    def lines(folder: Path) -> list[str]:
        folder.mkdir(parents=True, exist_ok=True)
        write_logging(folder)
        text = (folder / "log4j2.properties").read_text()
        assert "jndi" not in text or "$${jndi" in text.encode().decode("unicode_escape")
        return [line.partition(" = ")[0] for line in text.splitlines()]

    if len(name) > 200 or name == "..":
        return
    assert lines(tmp_path / "a" / name) == lines(tmp_path / "b" / PLAIN)


@pytest.mark.parametrize("setting", ["project", "home", "lake"])
def test_a_folder_with_a_control_character_is_refused_in_one_line(tmp_path: Path, setting: str) -> None:
    folder = tmp_path / "a\n[core]\nexecutor = evil"
    environ = {} if setting == "project" else {f"MEDALLION_{setting.upper()}": str(folder)}
    with pytest.raises(SettingsError) as caught:
        Settings.load(folder if setting == "project" else tmp_path, environ=environ)
    assert "\n[core]" not in str(caught.value)


@each()
def test_csv_comes_back(name: str) -> None:
    text = as_text(Answer(columns=[name, "b"], types=["string", "string"], rows=[[name, "x"]], more=False))
    assert list(csv.reader(io.StringIO(text, newline=""))) == [[name, "b"], [name, "x"]]


@each()
def test_names_of_files_and_dags_lead_nowhere(name: str) -> None:
    made = dag_id(name)
    assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", made)
    assert made.strip(".")
    for file in (file_name_of(name), gone_file(made)):
        assert re.fullmatch(r"[A-Za-z0-9_.-]{1,200}", file)
        assert not file.startswith((".", "-"))


@each()
@pytest.mark.airflow
def test_markdown_of_ours_shows_a_name_as_text(name: str) -> None:
    from medallion.factory.dag import as_code
    from medallion.factory.dagfile import as_block

    for text, tags in ((f"`{as_code(name)}`", {"p", "code"}), (as_block(name), {"pre", "code"})):
        assert {tag for tag, _ in outline(str(mistune.html(text))).elements} == tags


def project_with(folder: Path, name: str) -> Path:
    """A project with a job whose every text is the name."""
    (folder / "jobs").mkdir()
    (folder / "medallion.toml").write_text("")
    job = {
        "name": name,
        "description": name,
        "tags": {name[:100]: name[:100]},
        "parameters": [{"name": "p", "default": name}],
        "tasks": [
            {"task_key": "good", "description": name, "notebook_task": {"notebook_path": name}},
            {"task_key": "sql", "sql_task": {"warehouse_id": name, "file": {"path": name}, "parameters": {name: name}}},
            {"task_key": "script", "spark_python_task": {"python_file": name, "parameters": [name]}},
        ],
    }
    (folder / "jobs" / "job.json").write_text(json.dumps(job))
    return folder


@each()
@pytest.mark.parametrize("command", ["check", "list", "resolve", "triggers"])
def test_commands_show_a_name_and_obey_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, name: str
) -> None:
    monkeypatch.chdir(project_with(tmp_path, name))
    named = ["jobs/job.json"] if command in {"resolve", "triggers"} else []
    for options in ([], ["--json"]):
        main([command, *named, *options])
        told = capsys.readouterr()
        assert not CONTROLS.search(told.out + told.err)
        assert "fault of Medallion" not in told.out + told.err
        if options and told.out:
            json.loads(told.out)
    assert not list(tmp_path.rglob("pwned"))


@each()
@pytest.mark.airflow
def test_a_dag_holds_the_names_as_they_are(tmp_path: Path, name: str) -> None:
    from airflow.serialization.serialized_objects import DagSerialization

    from medallion.factory.dag import build_dag
    from medallion.project.versions import version_of
    from medallion.spec.loading import load

    (definition,) = load(project_with(tmp_path, name) / "jobs" / "job.json").jobs
    dag = build_dag(version_of(dag_id(name), definition))
    told = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert dag.dag_display_name == name
    assert dag.params["p"] == name
    assert {task["__var"]["task_id"] for task in told["dag"]["tasks"]} == {"good", "sql", "script"}


@each()
def test_a_task_key_with_more_than_letters_is_an_error(tmp_path: Path, name: str) -> None:
    from medallion.spec.loading import load

    file = tmp_path / "job.json"
    task = {"task_key": name, "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}
    file.write_text(json.dumps({"name": "j", "tasks": [task]}))
    loaded = load(file)
    assert loaded.errors or re.fullmatch(r"[\w-]+", name)
