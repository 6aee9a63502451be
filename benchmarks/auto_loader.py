"""A million orders in JSON files through Auto Loader, beside Spark's plain file stream with the schema given.

    python benchmarks/auto_loader.py [--orders 1000000] [--files 100] [--rounds 5]

Both append to a Delta table by an availableNow stream on one warm driver, in turns. Auto Loader finds the schema with
types, keeps it, and has a rescued data column; the plain stream does none of that. Wanted: at most 1.2 times the time.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path
from typing import Any

from measure import PROJECT, cpu_seconds, home, keep, median

from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.compute.session import attach
from medallion.runtime.spark.install import install
from medallion.settings import Settings

SCHEMA = (
    "order_id BIGINT, customer_id BIGINT, product STRING, category STRING, quantity BIGINT, amount DOUBLE, "
    "status STRING, ordered_at STRING, city STRING"
)
FOLDER = "/Volumes/bench/orders/landing"


def write_orders(folder: Path, orders: int, files: int) -> int:
    """Make the orders, the same ones each time. Gives their size in bytes."""
    folder.mkdir(parents=True)
    chance = random.Random(7)
    for part in range(files):
        with (folder / f"orders_{part:04}.json").open("w", encoding="utf-8") as out:
            for number in range(part * orders // files, (part + 1) * orders // files):
                order = {
                    "order_id": number,
                    "customer_id": chance.randrange(50_000),
                    "product": f"product {chance.randrange(2_000)}",
                    "category": chance.choice(("books", "games", "garden", "kitchen")),
                    "quantity": chance.randrange(1, 9),
                    "amount": round(chance.random() * 500, 2),
                    "status": chance.choice(("new", "paid", "sent")),
                    "ordered_at": f"2025-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}T10:00:00Z",
                    "city": chance.choice(("Oslo", "Paris", "Quito", "Rome")),
                }
                out.write(json.dumps(order) + "\n")
    return sum(file.stat().st_size for file in folder.iterdir())


def plain(spark: Any, state: str) -> Any:
    """Spark's own stream."""
    return spark.readStream.format("json").schema(SCHEMA).option("maxFilesPerTrigger", 1000).load(FOLDER)


def auto_loader(spark: Any, state: str) -> Any:
    """The same files by Auto Loader."""
    reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
    reader = reader.option("cloudFiles.schemaLocation", state).option("cloudFiles.inferColumnTypes", "true")
    return reader.load(FOLDER)


KINDS = {"plain": plain, "auto_loader": auto_loader}


def ingest(spark: Any, kind: str, number: int, orders: int) -> float:
    """Seconds of one stream from nothing to the whole table."""
    state, table = f"/Volumes/bench/orders/state/{kind}_{number}", f"bench.orders.{kind}_{number}"
    begun = time.perf_counter()
    writer = KINDS[kind](spark, state).writeStream.option("checkpointLocation", state)
    writer.trigger(availableNow=True).toTable(table).awaitTermination()
    seconds = time.perf_counter() - begun
    if spark.table(table).count() != orders:
        raise SystemExit(f"{kind}: the table has other rows than the files")
    spark.sql(f"DROP TABLE {table}")
    return seconds


def measure(settings: Settings, given: argparse.Namespace) -> dict[str, list[float]]:
    """Seconds and CPU seconds of the driver of each round, by kind."""
    size = write_orders(settings.volumes / "bench/orders/landing", given.orders, given.files)
    print(f"{size / 1e6:.0f} MB of JSON", flush=True)
    pool = DriverPool(settings)
    try:
        driver = pool.acquire(DriverSpec(master="local[2]", memory="2g"), "benchmark")
        spark = attach(driver, tag="benchmark")
        install(spark)
        spark.sql("CREATE CATALOG IF NOT EXISTS bench")
        spark.sql("CREATE SCHEMA IF NOT EXISTS bench.orders")
        found: dict[str, list[float]] = {name: [] for kind in KINDS for name in (kind, f"{kind}_cpu")}
        for number in range(given.rounds + 1):  # the first warms the driver and does not count
            for kind in KINDS:
                used = cpu_seconds(driver)
                took = ingest(spark, kind, number, given.orders)
                used = cpu_seconds(driver) - used
                print(f"round {number}: {kind} {took:.1f} s, {used:.1f} CPU s", flush=True)
                if number:
                    found[kind].append(took)
                    found[f"{kind}_cpu"].append(used)
    finally:
        pool.stop()
    return found


def main() -> None:
    """Measure and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--files", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with home() as environment:
        found = measure(Settings.load(PROJECT, environ=environment), given)
    figures: dict[str, Any] = {kind: round(median(seconds), 2) for kind, seconds in found.items()}
    figures["ratio"] = round(figures["auto_loader"] / figures["plain"], 3)
    figures["ratio_cpu"] = round(figures["auto_loader_cpu"] / figures["plain_cpu"], 3)
    every = {"orders": given.orders, "files": given.files, "rounds": given.rounds}
    keep(f"auto_loader_{given.orders}", {**every, **figures})


if __name__ == "__main__":
    main()
