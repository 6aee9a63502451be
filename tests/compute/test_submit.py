"""Command lines of spark-submit, read and made into a driver's command."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion.compute.submit import read_line
from medallion.errors import MedallionError
from medallion.runtime.protocol import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(lake="/lake", volumes=str(tmp_path / "volumes"), dbfs=str(tmp_path / "dbfs"))


def test_options_settings_and_program_are_told_apart(places: Places, tmp_path: Path) -> None:
    options = ["--class", "a.B", "--conf", "x.y=1=2", "--jars=dbfs:/j/a.jar,/Volumes/c/s/v/b.jar", "-v"]
    line = read_line([*options, "--driver-memory", "1g", "dbfs:/j/main.jar", "--class", "kept"], places)
    jars = f"{tmp_path}/dbfs/j/a.jar,{tmp_path}/volumes/c/s/v/b.jar"
    assert line.options == [("--class", "a.B"), ("--jars", jars)]
    assert line.conf == {"x.y": "1=2", "spark.driver.memory": "1g"}
    assert line.flags == ["-v"]
    assert line.program == [f"{tmp_path}/dbfs/j/main.jar", "--class", "kept"]


def test_what_the_target_decides_is_left_out_with_a_note(places: Places) -> None:
    line = read_line(["--master", "yarn", "--conf", "spark.master=yarn", "x.py"], places)
    assert line.options == []
    assert line.conf == {}
    assert [note.split(" has no effect")[0] for note in line.notes] == ["--master yarn", "--conf spark.master"]


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        pytest.param(["--classs", "x"], "no option --classs", id="option"),
        pytest.param(["--class"], "has no value", id="value"),
        pytest.param(["-v"], "name no program", id="program"),
    ],
)
def test_a_wrong_line_is_said(places: Places, parameters: list[str], words: str) -> None:
    with pytest.raises(MedallionError, match=words):
        read_line(parameters, places)
