"""The sample files of /databricks-datasets that Databricks' own templates read, made on first use. Runs on the worker.

Synthetic rows with the fields of the originals, the same on every machine. They are in `dbfs:/databricks-datasets`, as on
Databricks.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.settings import Settings

FOLDER = "databricks-datasets"
ORDERS, TRIPS = "retail-org/sales_orders", "nyctaxi/sample/json"
SEED = 20190801
MOST_ORDERS, MOST_TRIPS = 2_000, 1_000
FIRST_ORDER, SECONDS = 1_564_617_600, 92 * 86_400  # 1 August 2019 UTC, and three months
NAMES = ("Ada", "Birch", "Cobalt", "Delta", "Elm", "Fjord", "Garnet", "Harbor", "Indigo", "Juniper")
KINDS = ("Retail", "Trading", "Supplies", "Electronics", "Stores", "Partners")
PRODUCTS = ("speaker", "monitor", "keyboard", "headphones", "router", "camera")


def ensure(settings: Settings) -> None:
    """Make the files unless they are there. Two processes at once make them once."""
    from filelock import FileLock

    root = settings.dbfs / FOLDER
    if root.is_dir():
        return
    settings.home.mkdir(parents=True, exist_ok=True)
    with FileLock(settings.home / "samples.lock", timeout=120):
        if not root.is_dir():
            write(root)


def write(root: Path) -> None:
    """Write the files beside their place and move them there in one step."""
    draft = root.with_name(f".{root.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    for name, rows in ((ORDERS, orders()), (TRIPS, trips())):
        (draft / name).mkdir(parents=True)
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (draft / name / "part-00000.json").write_text(lines, encoding="utf-8")
    draft.rename(root)


def orders(most: int = MOST_ORDERS) -> Iterator[dict[str, Any]]:
    """Sales orders. Times are seconds since the epoch as text; a few orders have none."""
    random = Random(SEED)  # noqa: S311  sample data
    for number in range(1, most + 1):
        customer = random.randrange(len(NAMES) * len(KINDS))
        bought = random.sample(PRODUCTS, random.randint(1, 3))
        products = [
            {
                "curr": "USD",
                "id": f"P{PRODUCTS.index(name):03}",
                "name": name,
                "price": random.randint(20, 900),
                "qty": random.randint(1, 5),
                "unit": "pcs",
            }
            for name in bought
        ]
        yield {
            "clicked_items": [[product["id"], str(random.randint(1, 40))] for product in products],
            "customer_id": str(10_000 + customer),
            "customer_name": f"{NAMES[customer % len(NAMES)]} {KINDS[customer // len(NAMES)]}",
            "number_of_line_items": str(len(products)),
            "order_datetime": str(FIRST_ORDER + random.randrange(SECONDS)) if number % 200 else "",
            "order_number": number,
            "ordered_products": products,
            "promo_info": [],
        }


def trips(most: int = MOST_TRIPS) -> Iterator[dict[str, Any]]:
    """Taxi trips, as those of samples.nyctaxi.trips."""
    from medallion.compute.samples import make_trips

    for row in make_trips(most).to_pylist():
        yield {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row.items()}
