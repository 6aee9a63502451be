"""Makes the sample files of RetailHub: customers as CSV, orders as JSON lines, bad rows planted. Runs by hand.

    python generate.py --orders 10000 --seed 7 --out DIR

The same arguments give the same bytes. `DIR/planted.json` says how many rows of each kind were planted.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TextIO

CUSTOMER_COLUMNS = ("customer_id", "name", "email", "address", "country", "signup_date", "updated_at")
FIRST_NAMES = (
    "Anna",
    "Jan",
    "Zofia",
    "Piotr",
    "Ewa",
    "Tomasz",
    "Maria",
    "Adam",
    'Ola "Ace"',
    "José",
    "Łucja",
    "O'Neil",
)
LAST_NAMES = ("Kowalska", "Nowak", "Wiśniewski", "Lewandowska", "Smith, Jr.", "Garcia", "Müller", "van der Berg")
STREETS = ("High Street", "Long Lane", 'The "Old" Mill', "Market Square", "ul. Długa")
CITIES = ("Warsaw", "Kraków", "Berlin", "Lyon", "Porto", "Leeds")
COUNTRIES = ("PL", "DE", "FR", "PT", "GB")
STATUSES = ("placed", "shipped", "delivered", "delivered", "delivered", "cancelled", " Delivered", "SHIPPED ")
CHANNELS = ("web", "app", "shop")
BAD_DATES = ("2025-02-30", "31/12/2025", "soon", "")
BAD_AMOUNTS = ("null", '"n/a"', '""', '"12,50 EUR"')
FIRST_DAY = date(2025, 1, 1)
DAYS = tuple((FIRST_DAY + timedelta(days=n)).isoformat() for n in range(400))
REFUSED_ORDERS = (
    "malformed_json",
    "missing_order_id",
    "missing_customer_id",
    "bad_order_date",
    "bad_amount",
    "negative_amount",
)
EXTRA_ORDERS = (*REFUSED_ORDERS, "unknown_customer", "stale")
YEAR = 365
ORDERS_PER_FILE = 50_000
FEWEST_FILES = 4
BAD_PER_THOUSAND = 2


@dataclass(frozen=True, slots=True)
class CustomerRows:
    """What the customers' file holds, in rows.

    :param rows: all of them.
    :param good: distinct customers that silver must take.
    :param stale: older versions of good rows.
    :param repeated: exact copies of good rows.
    :param refused: what silver must put into quarantine, by reason.
    """

    rows: int
    good: int
    stale: int
    repeated: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class OrderRows:
    """What the orders' files hold, as `CustomerRows`; an `unknown_customer` is fit for silver, refused by gold."""

    rows: int
    good: int
    stale: int
    repeated: int
    refused: dict[str, int]
    unknown_customer: int


@dataclass(frozen=True, slots=True)
class Planted:
    """What all files hold."""

    customers: CustomerRows
    orders: OrderRows


@dataclass(slots=True)
class Plan:
    """Which extra rows follow which good row: position → kinds, drawn once so that they lie all over the files."""

    draw: random.Random
    rows: int
    after: dict[int, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))

    def spread(self, kind: str, count: int) -> int:
        """Plan `count` rows of a kind at random places; gives the count back."""
        for number in range(count):
            self.after[self.draw.randrange(self.rows)].append((kind, number))
        return count


def generate(out: Path, *, orders: int, seed: int) -> Planted:
    """Write `out/customers`, `out/orders` and `out/planted.json`; files of an earlier call are replaced.

    :param orders: good, distinct orders of known customers; there is one customer for ten of them.
    :raises ValueError: fewer than ten orders.
    """
    if orders < 10:
        raise ValueError(f"orders must be 10 or more, not {orders}")
    customers = max(orders // 10, 10)
    planted = Planted(
        write_customers(out / "customers", customers, seed), write_orders(out / "orders", orders, customers, seed)
    )
    (out / "planted.json").write_text(json.dumps(asdict(planted), indent=2) + "\n", encoding="utf-8")
    return planted


def customer_id(number: int) -> str:
    """Id of customer `number`; ids of good customers count from 0."""
    return f"C-{number:07d}"


def order_id(number: int) -> str:
    """Id of order `number`; ids of good orders count from 0."""
    return f"O-{number:09d}"


def some(rows: int) -> int:
    """How many rows of one bad kind go into so many good ones."""
    return max(2, rows * BAD_PER_THOUSAND // 1000)


# --- customers ------------------------------------------------------------------------------------------------------


def write_customers(folder: Path, customers: int, seed: int) -> CustomerRows:
    """The customers' CSV. Text that needs it is quoted; addresses hold line breaks."""
    draw = random.Random(f"{seed}:customers")
    plan = Plan(draw, customers)
    count = some(customers)
    refused = {
        kind: plan.spread(kind, count)
        for kind in ("malformed_row", "missing_customer_id", "bad_email", "bad_signup_date")
    }
    stale, repeated = plan.spread("stale", count), plan.spread("repeated", count)
    folder.mkdir(parents=True, exist_ok=True)
    rows = 0
    with (folder / "customers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(CUSTOMER_COLUMNS)
        for number in range(customers):
            row = good_customer(draw, number)
            writer.writerow(row)
            extra = [extra_customer(draw, kind, which, row, customers) for kind, which in plan.after.get(number, ())]
            writer.writerows(extra)
            rows += 1 + len(extra)
    return CustomerRows(rows, customers, stale, repeated, refused)


def good_customer(draw: random.Random, number: int) -> list[str]:
    """A row that silver takes, with white space and letter case that silver must mend."""
    first, last = draw.choice(FIRST_NAMES), draw.choice(LAST_NAMES)
    email = f"user{number}@Example.COM" if number % 3 else f"  user{number}@example.com "
    address = f"{draw.randrange(1, 200)} {draw.choice(STREETS)},\n{draw.choice(CITIES)}"
    day = draw.randrange(YEAR)
    name = f" {first}  {last}" if number % 7 == 0 else f"{first} {last}"
    country = draw.choice(COUNTRIES) if number % 5 else draw.choice(COUNTRIES).lower()
    updated = f"{DAYS[day + draw.randrange(30)]}T{draw.randrange(24):02d}:00:00Z"
    return [
        customer_id(number),
        name,
        email,
        address,
        country.lower() if number % 5 == 0 else country,
        DAYS[day],
        updated,
    ]


def extra_customer(draw: random.Random, kind: str, which: int, good: Sequence[str], customers: int) -> list[str]:
    """A row that silver refuses, or another version of the good row before it."""
    identity, name, email, address, country, signup, updated = good
    old_email, old_time = f"old-{email.strip()}", "2024-01-01T00:00:00Z"
    fresh = customer_id(customers + 1_000_000 + draw.randrange(1_000_000))
    late = f"2026-06-{1 + which % 28:02d}T00:00:00Z"
    rows = {
        "repeated": list(good),
        "stale": [identity, f"{name} (former)", old_email, address, country, signup, old_time],
        "malformed_row": [fresh, name] if which % 2 else [*good, "one", "field", "more"],
        "missing_customer_id": [" " * (which % 2), name, email, address, country, signup, updated],
        # every second one is a later version of a good customer, and must not hide it
        "bad_email": [identity if which % 2 else fresh, name, "not an address", address, country, signup, late],
        "bad_signup_date": [fresh, name, email, address, country, BAD_DATES[which % len(BAD_DATES)], updated],
    }
    return rows[kind]


# --- orders ---------------------------------------------------------------------------------------------------------


def write_orders(folder: Path, orders: int, customers: int, seed: int) -> OrderRows:
    """The orders, JSON lines in several files."""
    draw = random.Random(f"{seed}:orders")
    plan = Plan(draw, orders)
    count = some(orders)
    refused = {kind: plan.spread(kind, count) for kind in REFUSED_ORDERS}
    counts = {kind: plan.spread(kind, count) for kind in ("unknown_customer", "stale", "repeated")}
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("orders_*.json"):
        old.unlink()
    files = max(FEWEST_FILES, -(-orders // ORDERS_PER_FILE))
    rows = 0
    for number in range(files):
        span = range(orders * number // files, orders * (number + 1) // files)
        with (folder / f"orders_{number:04d}.json").open("w", encoding="utf-8", newline="\n") as file:
            rows += write_lines(file, order_lines(draw, plan, span, orders, customers))
    return OrderRows(rows, orders, counts["stale"], counts["repeated"], refused, counts["unknown_customer"])


def write_lines(file: TextIO, lines: Iterator[str]) -> int:
    """Write the lines; gives how many there were."""
    count = 0
    for line in lines:
        file.write(line + "\n")
        count += 1
    return count


def order_lines(draw: random.Random, plan: Plan, span: range, orders: int, customers: int) -> Iterator[str]:
    """The good orders of `span`, each followed by the rows planned after it."""
    for number in span:
        day = int(draw.random() * YEAR)
        cents = 100 + int(draw.random() * 49_900)
        customer = customer_id(int(draw.random() * customers))
        status = STATUSES[int(draw.random() * 8)]
        updated = f"{DAYS[day + number % 30]}T{number % 24:02d}:{number % 60:02d}:00Z"
        line = order_line(order_id(number), customer, DAYS[day], status, CHANNELS[number % 3], money(cents), updated)
        yield line
        for kind, which in plan.after.get(number, ()):
            yield line if kind == "repeated" else extra_order(draw, kind, which, orders, customers)


def order_line(order: str, customer: str, day: str, status: str, channel: str, amount: str, updated: str) -> str:
    """One order as JSON. `amount` is JSON already; every fourth or so is text, as a careless source sends it."""
    return (
        f'{{"order_id": "{order}", "customer_id": "{customer}", "order_date": "{day}", "status": "{status}", '
        f'"channel": "{channel}", "amount": {amount}, "updated_at": "{updated}"}}'
    )


def money(cents: int) -> str:
    """An amount as JSON: a number, or text with blanks round it."""
    text = f"{cents // 100}.{cents % 100:02d}"
    return f'" {text} "' if cents % 11 == 0 else text


def extra_order(draw: random.Random, kind: str, which: int, orders: int, customers: int) -> str:
    """A line that silver or gold refuses, or an older version of a good order that may lie in any file."""
    known = order_id(draw.randrange(orders))
    order = order_id(orders + 10_000_000 * (1 + EXTRA_ORDERS.index(kind)) + which)
    customer = customer_id(draw.randrange(customers))
    day, amount, updated = DAYS[draw.randrange(YEAR)], money(100 + draw.randrange(49_900)), "2026-06-01T12:00:00Z"
    if kind == "malformed_json":
        cut = order_line(order, customer, day, "placed", "web", amount, updated)[: 20 + which % 60]
        return "### connection reset by peer" if which % 3 == 2 else cut
    changes = {
        "missing_order_id": {"order": " " * (which % 3)},
        "missing_customer_id": {"customer": " " * (which % 3)},
        "bad_order_date": {"day": BAD_DATES[which % len(BAD_DATES)]},
        # every second one is a later version of a good order, and must not hide it
        "bad_amount": {"amount": BAD_AMOUNTS[which % len(BAD_AMOUNTS)], "order": known if which % 2 else order},
        "negative_amount": {
            "amount": "-12.50",
            "order": known if which % 2 else order,
        },
        "unknown_customer": {"customer": customer_id(5_000_000 + which % 7)},
        "stale": {"order": known, "updated": f"2024-01-{1 + which % 28:02d}T00:00:{which % 60:02d}Z"},
    }
    fields = {"order": order, "customer": customer, "day": day, "amount": amount, "updated": updated} | changes[kind]
    return order_line(status="placed", channel="web", **fields)


# --- command line ---------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None, *, catalog: str = "retailhub") -> int:
    """Parse the arguments, write the files, print what was planted as JSON."""
    parser = argparse.ArgumentParser(description="Make the sample files of RetailHub, with bad rows planted.")
    parser.add_argument("--orders", type=int, default=10_000, help="good orders (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="same seed, same bytes (default: %(default)s)")
    parser.add_argument("--out", type=Path, help=f"folder to write (default: /Volumes/{catalog}/default/datasets)")
    options = parser.parse_args(arguments)
    if options.orders < 10:
        parser.error("--orders must be 10 or more")
    out = options.out or volumes() / catalog / "default" / "datasets"
    planted = generate(out, orders=options.orders, seed=options.seed)
    sys.stdout.write(json.dumps({"out": str(out), **asdict(planted)}, indent=2) + "\n")
    return 0


def volumes() -> Path:
    """The folder that /Volumes stands for in the project of the working directory."""
    from medallion.settings import Settings

    return Settings.load().volumes


if __name__ == "__main__":
    sys.exit(main())
