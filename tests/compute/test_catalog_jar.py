"""The shipped JAR was built from the sources beside it. `scripts/jar --check` also rebuilds and compares the classes."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="module")
def script(project: Path) -> dict[str, Any]:
    return runpy.run_path(str(project / "scripts" / "jar"))


def test_the_jar_records_the_hash_of_these_sources(script: dict[str, Any]) -> None:
    recorded = script["manifest"](script["read"](script["SHIPPED"]))
    assert recorded["Sources-SHA256"] == script["sources_hash"](), "run scripts/jar and commit the JAR"


def test_the_jar_is_for_the_installed_spark_and_delta(script: dict[str, Any]) -> None:
    from importlib.metadata import version

    recorded = script["manifest"](script["read"](script["SHIPPED"]))
    assert (recorded["Spark-Version"], recorded["Delta-Version"]) == (version("pyspark"), version("delta-spark"))


def test_the_jar_holds_the_classes_that_the_settings_name(script: dict[str, Any], tmp_path: Path) -> None:
    from medallion.compute.catalog import CATALOG_CLASS, EXTENSIONS, catalog_conf

    files = script["read"](script["SHIPPED"])
    for name in (CATALOG_CLASS, EXTENSIONS[-1], "medallion.catalog.SessionCatalogs"):
        assert name.replace(".", "/") + ".class" in files
    assert catalog_conf(tmp_path)["spark.sql.extensions"].split(",") == list(EXTENSIONS)
