from __future__ import annotations

import json
from pathlib import Path

import pytest

from medallion.cli import main

TOML = """
[targets.farm]
kind = "spark"
master = "spark://127.0.0.1:{port}"
[clusters]
"0923-164208-abcd1234" = "farm"
[node_types]
"i3.xlarge" = "farm"
[jobs.nightly]
tasks = {{ gold = "farm" }}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]  # nobody listens there when the socket is closed
    (tmp_path / "medallion.toml").write_text(TOML.format(port=port))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out))


def test_each_target_is_listed_with_what_chooses_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--project", str(project), "targets", "--json"]) == 0
    told = said(capsys)
    assert told["unknown"] == []
    default, farm = told["targets"]  # type: ignore[misc]
    assert (default["target"], default["kind"], default["master"]) == ("default", "local", "local[*]")
    assert farm["chosen_by"] == ["cluster 0923-164208-abcd1234", "definition i3.xlarge", "task gold of job nightly"]


def test_a_target_that_settings_name_and_do_not_have_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (project / "medallion.toml").open("a") as file:
        file.write('[warehouses]\nw1 = "fram"\n')
    assert main(["--project", str(project), "targets"]) == 1
    assert "warehouse w1 names target 'fram', which does not exist; did you mean farm?" in capsys.readouterr().err


def test_a_master_that_does_not_answer_is_told_by_the_check(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("medallion.compute.samples.ensure", lambda _settings: None)
    assert main(["--project", str(project), "targets", "farm", "--check", "--json"]) == 1
    (farm,) = said(capsys)["targets"]  # type: ignore[misc]
    assert (farm["works"], "target 'farm': no Spark master answers at spark://127.0.0.1:" in farm["fault"]) == (
        False,
        True,
    )


def test_one_that_is_not_there_is_refused_by_name(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--project", str(project), "targets", "farn"]) == 1
    assert "did you mean farm?" in capsys.readouterr().err
