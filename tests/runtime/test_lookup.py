"""A notebook's path leads to its file, or to an error that helps."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from medallion.errors import SpecError
from medallion.runtime.lookup import find_notebook
from medallion.runtime.protocol import Places


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("nb/load.py", "nb/report.sql", "nb/deep/child.py", "other/load.ipynb"):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        comment = "--" if file.suffix == ".sql" else "#"
        file.write_text("{}" if file.suffix == ".ipynb" else f"{comment} Databricks notebook source\n")
    (tmp_path / "nb/script.py").write_text("print(1)")
    return tmp_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param("load", "nb/load.py", id="without the extension"),
        pytest.param("./load.py", "nb/load.py", id="with it"),
        pytest.param("report", "nb/report.sql", id="sql"),
        pytest.param("deep/child", "nb/deep/child.py", id="below"),
        pytest.param("../other/load", "other/load.ipynb", id="beside"),
        pytest.param("/Workspace/Users/me/load", "nb/load.py", id="workspace"),
        pytest.param("/Users/me/load", "nb/load.py", id="workspace without its prefix"),
        pytest.param("/Workspace/Users/me/other/load", "other/load.ipynb", id="the longest prefix wins"),
    ],
)
def test_a_path_leads_to_its_file(folder: Path, places: Places, path: str, found: str) -> None:
    workspace = {"/Workspace/Users/me": str(folder / "nb"), "/Workspace/Users/me/other": str(folder / "other")}
    places = replace(places, workspace=workspace)
    assert find_notebook(path, places, caller=folder / "nb/load.py") == (folder / found).resolve()


def test_an_absolute_local_path_is_itself(folder: Path, places: Places) -> None:
    assert find_notebook(str(folder / "nb/load"), places) == (folder / "nb/load.py").resolve()


def test_a_missing_notebook_says_where_it_was_looked_for_and_what_is_near(folder: Path, places: Places) -> None:
    with pytest.raises(SpecError) as caught:
        find_notebook("./laod", places, caller=folder / "nb/load.py")
    assert str(folder / "nb" / "laod") in str(caught.value)
    assert "did you mean load?" in str(caught.value)


def test_a_missing_folder_is_said(places: Places) -> None:
    with pytest.raises(SpecError, match="the folder does not exist"):
        find_notebook("/nowhere/at/all", places)


def test_a_script_is_no_notebook(folder: Path, places: Places) -> None:
    with pytest.raises(SpecError, match="plain Python file, not a notebook"):
        find_notebook("script", places, caller=folder / "nb/load.py")


def test_a_workspace_path_that_no_setting_maps_says_which_setting_would(places: Places) -> None:
    with pytest.raises(SpecError) as error:
        find_notebook("/Workspace/Shared/etl/load", places)
    assert '[workspace] "/Workspace/Shared/etl" =' in str(error.value)


@pytest.mark.parametrize(
    "path",
    [
        *("..", ".", "/", "", "../../..", "../" * 60, "a\x00b", "x" * 5000, "y/" * 3000, "loop", "loop/x", "~", " "),
        *("/Workspace/x/../../../etc/passwd", "/Workspace/x/../../..", "/Workspace/..", "dbfs:/../x", "\ud800"),
    ],
)
def test_a_strange_path_is_told_and_leads_nowhere(tmp_path: Path, path: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    places = Places(lake="", volumes="", dbfs="", workspace={"/Workspace/x": str(tmp_path)})
    with pytest.raises(SpecError, match=r"not found|leads out of /Workspace"):
        find_notebook(path, places, caller=tmp_path / "nb.py")


def test_dots_within_the_workspace_are_followed(tmp_path: Path) -> None:
    (tmp_path / "nb.py").write_text("# Databricks notebook source\n")
    places = Places(lake="", volumes="", dbfs="", workspace={"/Workspace/x": str(tmp_path)})
    assert find_notebook("/Workspace/x/deep/../nb", places) == (tmp_path / "nb.py").resolve()
