"""Many sessions of several drivers make, drop, list and use the same names: each statement works or says what is so."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from compute.catalog_spark import Lake, SparkProcess, open_lake
from compute.catalog_stress import listed, stress

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

SEED = int(os.environ.get("CATALOG_STRESS_SEED", "1"))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with open_lake(tmp_path_factory.mktemp("stress")) as lake:
        yield lake


@pytest.fixture(scope="module")
def drivers(lake: Lake) -> list[SparkProcess]:
    return [lake.spark(name) for name in ("one", "two")]


def churn(drivers: list[SparkProcess], sessions: int, seconds: float) -> Counter[str]:
    """Statements of that many sessions in each driver; fails on what no user may see. How many there were."""
    for number, driver in enumerate(drivers):
        driver.send(stress(SEED + number, sessions, seconds))
    found = [driver.receive() for driver in drivers]
    wrong = {text: error for part in found for text, error in part["wrong"].items()}
    assert not wrong, "\n\n".join(f"{text}\n    {error[:1500]}" for text, error in wrong.items())
    return sum((Counter(part["done"]) for part in found), Counter())


def broken(drivers: list[SparkProcess]) -> dict[str, str]:
    """What is listed and cannot be read, in the eyes of each driver. A view may name a table that is gone."""
    return {
        f"{number} {name}": error
        for number, driver in enumerate(drivers)
        for name, error in driver.call(listed).items()
        if error and not re.search(r"TABLE_OR_VIEW_NOT_FOUND|EXPECT_TABLE_NOT_VIEW|INVALID_VIEW|RECURSIVE_VIEW", error)
    }


def test_eight_sessions_of_two_drivers_share_all_names(drivers: list[SparkProcess]) -> None:
    done = churn(drivers, 4, 10)
    assert sum(done.values()) > 20
    assert broken(drivers) == {}


@pytest.mark.slow
def test_sixteen_sessions_share_all_names_for_a_minute(drivers: list[SparkProcess]) -> None:
    done = churn(drivers, 8, 60)
    assert len(done) > 20
    assert broken(drivers) == {}
