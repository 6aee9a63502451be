"""Sources of a pipeline from its libraries, and what a pipeline's settings may ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from medallion.errors import MedallionError
from medallion.runtime.pipelines.sources import sources
from medallion.runtime.pipelines.spec import Pipeline, Request
from medallion.runtime.protocol import Places

NOTEBOOK = """\
# Databricks notebook source
import dlt

# COMMAND ----------

# MAGIC %md
# MAGIC words

# COMMAND ----------

%pip install x
y = 1
"""
SQL_NOTEBOOK = "-- Databricks notebook source\nSELECT 1\n\n-- COMMAND ----------\n\nSELECT 2\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for path, text in {
        "a/one.py": "x = 1",
        "a/deep/two.sql": "SELECT 1",
        "a/readme.md": "no",
        "nb.py": NOTEBOOK,
        "cells.sql": SQL_NOTEBOOK,
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


@pytest.fixture
def places(root: Path) -> Places:
    workspace = {"/Workspace/Users/someone/files": str(root)}
    return Places(lake=str(root), volumes=str(root), dbfs=str(root), workspace=workspace)


@pytest.mark.parametrize(
    ("library", "found"),
    [
        pytest.param({"file": {"path": "a/one.py"}}, ["one.py"], id="file"),
        pytest.param({"file": {"path": "/Workspace/Users/someone/files/a/one.py"}}, ["one.py"], id="workspace file"),
        pytest.param(
            {"glob": {"include": "/Workspace/Users/someone/files/a/**"}}, ["two.sql", "one.py"], id="all below"
        ),
        pytest.param({"glob": {"include": "a"}}, ["two.sql", "one.py"], id="folder"),
        pytest.param({"glob": {"include": "a/*.py"}}, ["one.py"], id="pattern"),
        pytest.param({"notebook": {"path": "/Workspace/Users/someone/files/nb"}}, ["nb.py"], id="notebook"),
    ],
)
def test_libraries_name_files(root: Path, places: Places, library: dict[str, Any], found: list[str]) -> None:
    assert [source.file.name for source in sources((library,), places, root)] == found


def test_a_notebook_is_one_program_with_the_lines_of_its_file(root: Path, places: Places) -> None:
    (source,) = sources(({"notebook": {"path": "nb"}},), places, root)
    lines = source.text.split("\n")
    assert source.language == "python"
    assert lines[1] == "import dlt"
    assert lines[11] == "y = 1"
    assert lines[10] == "# %pip install x"


def test_cells_of_sql_stand_alone(root: Path, places: Places) -> None:
    found = sources(({"notebook": {"path": "cells"}},), places, root)
    assert [(source.language, source.text.strip(), source.text.count("\n")) for source in found] == [
        ("sql", "SELECT 1", 1),
        ("sql", "SELECT 2", 5),
    ]


@pytest.mark.parametrize(
    ("libraries", "words"),
    [
        pytest.param([], "no source files", id="none"),
        pytest.param([{"file": {"path": "a/oen.py"}}], "one.py", id="misspelt"),
        pytest.param([{"glob": {"include": "b/**"}}], "no pipeline source matches", id="glob"),
        pytest.param([{"jar": "x.jar"}], "not jar", id="jar"),
    ],
)
def test_wrong_libraries_are_said(root: Path, places: Places, libraries: list[Any], words: str) -> None:
    with pytest.raises(MedallionError, match=words):
        sources(tuple(libraries), places, root)


def test_a_pipeline_has_defaults_of_databricks() -> None:
    pipeline = Pipeline.of("12-3", {"name": "p", "catalog": "c", "target": "old", "configuration": {"a": True}})
    assert (pipeline.catalog, pipeline.schema, pipeline.event_log) == ("c", "old", "c.old.event_log_12_3")
    assert pipeline.configuration == {"a": "true"}
    named = Pipeline.of("1", {"catalog": "c", "schema": "s", "event_log": {"schema": "logs", "name": "mine"}})
    assert named.event_log == "c.logs.mine"


@pytest.mark.parametrize("setting", ["continuous", "ingestion_definition", "gateway_definition"])
def test_a_setting_that_cannot_be_met_is_named(setting: str) -> None:
    with pytest.raises(MedallionError, match=setting):
        Pipeline.of("1", {"name": "p", setting: True})


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        pytest.param({"full_refresh": True, "refresh_selection": ["a"]}, "no selection may stand beside it", id="both"),
        pytest.param({"reset_checkpoint_selection": ["a"]}, "reset_checkpoint_selection", id="checkpoints"),
        pytest.param({"refresh_flow_selection": ["a"]}, "refresh_flow_selection", id="flows"),
    ],
)
def test_a_request_that_cannot_be_met_is_said(payload: dict[str, Any], words: str) -> None:
    with pytest.raises(MedallionError, match=words):
        Request.of(payload)
