"""A driver that the pipeline tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from runtime.pipelines.plant import Plant

from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.settings import Settings


@pytest.fixture(scope="package")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """One driver for all pipeline tests."""
    folder = tmp_path_factory.mktemp("plant")
    settings = Settings.load(
        folder, environ={"MEDALLION_DRIVER_START_SECONDS": "300", "MEDALLION_SPARE_IDLE_SECONDS": "60"}
    )
    pool = DriverPool(settings)
    driver = pool.acquire(DriverSpec(master="local[2]", memory="1g"), "tests")
    yield Plant(settings, driver, folder / "sources")
    pool.stop()
