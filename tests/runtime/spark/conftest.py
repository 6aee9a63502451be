"""One driver for the tests of Databricks' parts of Spark, and a session with what a task's session has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkProcess, open_lake


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake that ends with the session, and its driver with it."""
    with open_lake(tmp_path_factory.mktemp("loader")) as lake:
        yield lake


@pytest.fixture(scope="session")
def spark(lake: Lake) -> SparkProcess:
    """A session in the shared driver."""
    process = lake.spark()
    process.call(teach)
    return process


def teach(spark: Any) -> None:
    """What a task's start does with its session."""
    from medallion.runtime.spark.install import install

    install(spark)
