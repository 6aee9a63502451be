"""Profiles of dbt tasks: what Databricks' templates state runs on the task's own session."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from medallion.runtime import dbt
from medallion.runtime.dbt import DbtError, catalog_of, prepare_project, profiles_folder

TEMPLATE = """
shop:
  target: dev
  outputs:
    dev:
      type: databricks
      method: http
      catalog: main
      schema: "{{ var('dev_schema') }}"
      http_path: /sql/2.0/warehouses/w
      host: "{{ env_var('DBT_HOST') }}"
      token: "{{ env_var('DBT_ACCESS_TOKEN') }}"
    prod: {type: databricks, catalog: "{{ env_var('SHOP_CATALOG', 'gold') }}", schema: default, threads: 2}
"""


@pytest.fixture
def task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A task whose log and catalog are kept."""
    kept: list[str | None] = []
    monkeypatch.setattr(dbt, "use_catalog", lambda _task, catalog: kept.append(catalog))
    said: list[str] = []
    context = SimpleNamespace(root=str(tmp_path))
    return SimpleNamespace(context=context, output=SimpleNamespace(log=said.append), said=said, catalogs=kept)


def profile(task: Any, folder: Path, text: str, *commands: str) -> dict[str, Any]:
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "profiles.yml").write_text(text)
    project = folder / "attempt" / "project"
    project.mkdir(parents=True, exist_ok=True)
    words = [command.split() for command in commands or ("run",)]
    place = profiles_folder(task, {"profiles_directory": "profiles"}, project, "shop", words)
    return yaml.safe_load((place / "profiles.yml").read_text())["shop"]  # type: ignore[no-any-return]


def test_a_profile_of_databricks_becomes_one_over_the_session(task: Any, tmp_path: Path) -> None:
    made = profile(task, tmp_path, TEMPLATE)
    assert made["target"] == "dev"
    session = {"type": "spark", "method": "session", "host": "none"}
    assert made["outputs"] == {
        "dev": {**session, "threads": 4, "schema": "{{ var('dev_schema') }}"},
        "prod": {**session, "threads": 2, "schema": "default"},
    }
    assert task.catalogs == ["main"]
    assert "is of type databricks" in task.said[0]


@pytest.mark.parametrize(
    ("command", "catalog"),
    [
        pytest.param("run --target=prod", "gold", id="a target by ="),
        pytest.param("run -t dev", "main", id="a target by a word"),
        pytest.param("run", "main", id="the profile's own"),
    ],
)
def test_the_catalog_is_that_of_the_target(task: Any, tmp_path: Path, command: str, catalog: str) -> None:
    profile(task, tmp_path, TEMPLATE, command)
    assert task.catalogs == [catalog]


def test_names_in_a_catalog_are_filled_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_CATALOG", "silver")
    assert catalog_of({"catalog": "{{ env_var('SHOP_CATALOG') }}"}, []) == "silver"
    assert catalog_of({"catalog": "{{ var('c') }}_x"}, [["run", "--vars", "{c: dev}"]]) == "dev_x"
    assert catalog_of({"catalog": "{{ var('c') }}"}, [["run", "--vars={c: dev}"]]) == "dev"
    assert catalog_of({}, []) is None
    with pytest.raises(DbtError, match="cannot be filled in"):
        catalog_of({"catalog": "{{ nothing }}"}, [])


def test_a_profile_over_the_session_stays_as_it_is(task: Any, tmp_path: Path) -> None:
    text = "shop: {target: t, outputs: {t: {type: spark, method: session, host: h, schema: s}}}"
    assert profile(task, tmp_path, text)["outputs"]["t"]["schema"] == "s"
    assert task.said == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("shop: {outputs: {t: {type: postgres}}}", "connects to postgres", id="another database"),
        pytest.param("shpo: {outputs: {}}", "did you mean shpo", id="another name"),
        pytest.param("shop: {target: t}", "cannot be read", id="no outputs"),
        pytest.param("shop: [", "cannot be read", id="no YAML"),
    ],
)
def test_a_profile_that_cannot_run_here_is_told(task: Any, tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DbtError, match=said):
        profile(task, tmp_path, text)


def test_a_project_gets_the_materializations_of_databricks(tmp_path: Path) -> None:
    (tmp_path / "dbt_project.yml").write_text("name: shop\nmacro-paths: [src/macros]\n")
    assert prepare_project(tmp_path) == "shop"
    told = yaml.safe_load((tmp_path / "dbt_project.yml").read_text())
    assert told["macro-paths"] == ["src/macros", "medallion_macros"]
    assert told["models"] == {"+file_format": "delta"}
    text = (tmp_path / "medallion_macros" / "refreshed.sql").read_text()
    assert "materialization streaming_table" in text
    assert "materialization materialized_view" in text
