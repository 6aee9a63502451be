"""The sample table samples.nyctaxi.trips, made on first use. Runs on the worker, before a driver starts.

Databricks ships a table of this name with taxi trips of New York. This one has its columns and types and synthetic
rows, the same on every machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.settings import Settings

ROWS = 22_000
SEED = 20160101
DAYS = 60  # January and February 2016
LOCK_SECONDS = 120
# Zip codes of New York with how often a trip begins there: Manhattan most, the airports often.
ZIPS = {
    10001: 9, 10002: 4, 10003: 9, 10009: 4, 10010: 5, 10011: 8, 10012: 5, 10013: 5, 10014: 5, 10016: 8, 10017: 7,
    10018: 6, 10019: 9, 10020: 3, 10021: 7, 10022: 7, 10023: 7, 10024: 5, 10025: 4, 10026: 2, 10027: 2, 10028: 6,
    10029: 3, 10036: 7, 10038: 3, 10065: 5, 10075: 3, 10103: 3, 10110: 4, 10119: 3, 10128: 4, 10153: 2, 10162: 2,
    10171: 2, 10199: 2, 10282: 2, 11101: 2, 11201: 2, 11211: 3, 11215: 1, 11217: 1, 11222: 1, 11371: 5, 11422: 4,
}  # fmt: skip


def place(lake: Path) -> Path:
    """The folder of the table."""
    return lake / "samples" / "nyctaxi" / "trips"


def ensure(settings: Settings) -> None:
    """Make the table unless it is there. Two processes at once make it once; a reader sees all of it or nothing."""
    from filelock import FileLock

    table = place(settings.lake)
    if (table / "_delta_log").is_dir():
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.home / "samples.lock", timeout=LOCK_SECONDS):
        if (table / "_delta_log").is_dir():
            return
        write(table)


def write(table: Path) -> None:
    """Write the table beside its place and move it there in one step."""
    from deltalake import write_deltalake

    draft = table.with_name(f".{table.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.parent.mkdir(parents=True, exist_ok=True)
    write_deltalake(str(draft), make_trips(), description="Synthetic taxi trips in New York, January and February 2016")
    shutil.rmtree(table, ignore_errors=True)  # what is there is no table
    draft.rename(table)


def make_trips(rows: int = ROWS, seed: int = SEED) -> Any:
    """The trips as an Arrow table. The same rows for the same arguments.

    Times are UTC; distances are miles; fares are dollars, about as the meter of 2016 counted: 2.50 and 0.50 per fifth
    of a mile or minute at low speed. A few trips have no distance, as in real data.
    """
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(seed)
    zips = np.array(list(ZIPS), dtype="int32")
    weights = np.array(list(ZIPS.values()), dtype=float)
    pickup_zip = random.choice(zips, rows, p=weights / weights.sum())
    near = random.random(rows) < 0.15
    dropoff_zip = np.where(near, pickup_zip, random.choice(zips, rows, p=weights / weights.sum()))
    airport = np.isin(pickup_zip, (11371, 11422)) | np.isin(dropoff_zip, (11371, 11422))
    miles = np.round(random.lognormal(0.55, 0.65, rows) + airport * random.uniform(6, 12, rows), 2)
    miles[random.random(rows) < 0.002] = 0.0
    minutes = np.clip(miles * 60 / random.normal(11.5, 2.5, rows).clip(5, 30) + random.exponential(2, rows), 1, 180)
    fare = np.round((2.5 + 2.5 * miles + 0.5 * (minutes * random.uniform(0.05, 0.35, rows))) * 2) / 2
    seconds = np.sort(random.integers(0, DAYS * 86_400, rows))
    pickup = np.datetime64("2016-01-01T00:00:00", "us") + seconds.astype("timedelta64[s]")
    dropoff = pickup + (minutes * 60).astype("int64").astype("timedelta64[s]")
    moment = pa.timestamp("us", tz="UTC")
    return pa.table(
        {
            "tpep_pickup_datetime": pa.array(pickup, moment),
            "tpep_dropoff_datetime": pa.array(dropoff, moment),
            "trip_distance": miles,
            "fare_amount": fare,
            "pickup_zip": pickup_zip.astype("int32"),
            "dropoff_zip": dropoff_zip.astype("int32"),
        }
    )
