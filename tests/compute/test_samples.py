from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from medallion.compute import samples
from medallion.settings import Settings


@pytest.fixture(scope="module")
def trips() -> pa.Table:
    return samples.make_trips()


def test_the_rows_are_the_same_every_time(trips: pa.Table) -> None:
    assert trips.equals(samples.make_trips())


def test_the_trips_are_of_early_2016_in_new_york(trips: pa.Table) -> None:
    assert trips.num_rows == 22_000
    assert {moment.year for moment in trips["tpep_pickup_datetime"].to_pylist()} == {2016}
    assert {moment.month for moment in trips["tpep_pickup_datetime"].to_pylist()} == {1, 2}
    assert pc.all(pc.greater(trips["tpep_dropoff_datetime"], trips["tpep_pickup_datetime"])).as_py()
    assert pc.min(trips["trip_distance"]).as_py() >= 0
    assert 2.5 <= pc.min(trips["fare_amount"]).as_py() < 10 < pc.max(trips["fare_amount"]).as_py() < 500
    assert set(trips["pickup_zip"].unique().to_pylist()) <= set(samples.ZIPS)


def test_two_processes_at_once_make_the_table_once(tmp_path: Path) -> None:
    code = (
        "from pathlib import Path; from medallion.settings import Settings; from medallion.compute import samples; "
        f"samples.ensure(Settings.load(Path({str(tmp_path)!r}), environ={{}}))"
    )
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    lake = Settings.load(tmp_path, environ={}).lake
    table = DeltaTable(str(samples.place(lake)))
    assert table.version() == 0
    types = {item.name: item.type.type for item in table.schema().fields}
    assert types == {
        "tpep_pickup_datetime": "timestamp",
        "tpep_dropoff_datetime": "timestamp",
        "trip_distance": "double",
        "fare_amount": "double",
        "pickup_zip": "integer",
        "dropoff_zip": "integer",
    }
    assert [path.name for path in samples.place(lake).parent.iterdir()] == ["trips"]
