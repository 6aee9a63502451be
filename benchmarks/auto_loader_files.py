"""A hundred thousand small JSON files through Auto Loader, beside Spark's plain file stream with the schema given.

    python benchmarks/auto_loader_files.py [--files 100000] [--per-batch 1000]

Both append to a Delta table by availableNow streams on one warm driver: everything in several batches, then a start with
nothing new, then one with ten new files. Each row must be there exactly once after each. Auto Loader finds the schema with
types, keeps it, and has a rescued data column; the plain stream does none of that.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from measure import PROJECT, cpu_seconds, home, keep

from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.compute.session import attach
from medallion.runtime.spark.install import install
from medallion.settings import Settings

SCHEMA = "id BIGINT, name STRING, amount DOUBLE, at STRING"
PER_FOLDER, NEW = 1000, 10
VOLUME = "/Volumes/bench/files"


def write_files(folder: Path, first: int, count: int) -> None:
    """Files of one record each, in folders of a thousand."""
    for number in range(first, first + count):
        place = folder / f"{number // PER_FOLDER:04}"
        if number % PER_FOLDER == 0 or number == first:
            place.mkdir(parents=True, exist_ok=True)
        record = {"id": number, "name": f"name {number % 997}", "amount": number / 4, "at": "2025-03-01T10:00:00Z"}
        (place / f"{number:07}.json").write_text(json.dumps(record) + "\n", encoding="utf-8")


def plain(spark: Any, _state: str) -> Any:
    """Spark's own stream."""
    return spark.readStream.format("json").schema(SCHEMA).option("recursiveFileLookup", "true")


def auto_loader(spark: Any, state: str) -> Any:
    """The same files by Auto Loader."""
    reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
    return reader.option("cloudFiles.schemaLocation", state).option("cloudFiles.inferColumnTypes", "true")


KINDS = {"plain": (plain, "maxFilesPerTrigger"), "auto_loader": (auto_loader, "cloudFiles.maxFilesPerTrigger")}


def ingest(spark: Any, kind: str, landing: str, per_batch: int) -> tuple[float, int]:
    """Seconds and micro-batches of one start of the stream."""
    make, limit = KINDS[kind]
    state, table = f"{VOLUME}/state/{landing}_{kind}", f"bench.files.{landing}_{kind}"
    begun = time.perf_counter()
    rows = make(spark, state).option(limit, per_batch).load(f"{VOLUME}/{landing}")
    query = rows.writeStream.option("checkpointLocation", state).trigger(availableNow=True).toTable(table)
    query.awaitTermination()
    return time.perf_counter() - begun, sum(1 for item in query.recentProgress if item.numInputRows)


def check(spark: Any, kind: str, landing: str, files: int) -> None:
    """Stop when the table has other rows than the files."""
    found = spark.sql(f"SELECT count(*), count(DISTINCT id), sum(id) FROM bench.files.{landing}_{kind}").first()
    if tuple(found) != (files, files, files * (files - 1) // 2):
        raise SystemExit(f"{kind}: the table has other rows than the files: {tuple(found)} for {files} files")


def measure(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    """Seconds and CPU seconds of the driver of each start, by kind."""
    folder = settings.volumes / "bench/files"
    write_files(folder / "warm", 0, 2 * PER_FOLDER)
    begun = time.perf_counter()
    write_files(folder / "landing", 0, given.files)
    print(f"{given.files} files in {time.perf_counter() - begun:.0f} s", flush=True)
    pool = DriverPool(settings)
    found: dict[str, Any] = {}
    try:
        driver = pool.acquire(DriverSpec(master="local[2]", memory="2g"), "benchmark")
        spark = attach(driver, tag="benchmark")
        install(spark)
        spark.sql("CREATE CATALOG IF NOT EXISTS bench")
        spark.sql("CREATE SCHEMA IF NOT EXISTS bench.files")
        for kind in KINDS:
            ingest(spark, kind, "warm", PER_FOLDER // 2)
        for start, files in (("everything", given.files), ("nothing_new", given.files), ("ten_new", given.files + NEW)):
            if files > given.files:
                write_files(folder / "landing", given.files, NEW)
            for kind in KINDS:
                used = cpu_seconds(driver)
                seconds, batches = ingest(spark, kind, "landing", given.per_batch)
                used = cpu_seconds(driver) - used
                print(f"{start}: {kind} {seconds:.1f} s, {used:.1f} CPU s, {batches} batches", flush=True)
                found |= {f"{kind}_{start}": round(seconds, 2), f"{kind}_{start}_cpu": round(used, 2)}
                check(spark, kind, "landing", files)
            for unit in ("", "_cpu"):
                ratio = found[f"auto_loader_{start}{unit}"] / found[f"plain_{start}{unit}"]
                found[f"ratio_{start}{unit}"] = round(ratio, 3)
    finally:
        pool.stop()
    return found


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--per-batch", type=int, default=1000)
    given = parser.parse_args()
    with home() as environment:
        found = measure(Settings.load(PROJECT, environ=environment), given)
    keep(f"auto_loader_files_{given.files}", {"files": given.files, "per_batch": given.per_batch, **found})


if __name__ == "__main__":
    main()
