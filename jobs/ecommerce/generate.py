"""Makes the sample files of the ecommerce job: two months of events, the users' countries. Runs by hand.

python generate.py --events 20000 --seed 7 --out DIR

The same seed gives the same bytes. Bad rows of each kind are planted, and repetitions; planted.json says how many.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

OUT = Path(".medallion/volumes/workspace/ecommerce/ecommerce_data")
COLUMNS = (
    *("event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id"),
    "user_session",
)
MONTHS = {"2019-Oct": datetime(2019, 10, 1, tzinfo=UTC), "2019-Nov": datetime(2019, 11, 1, tzinfo=UTC)}
DAYS = {"2019-Oct": 31, "2019-Nov": 30}
CATEGORIES = (
    *("electronics.smartphone", "electronics.audio.headphone", "computers.notebook", "appliances.kitchen.oven", ""),
    *("furniture.bedroom.bed", "apparel.shoes", "kids.toys", "sport.bicycle", "auto.accessories.player"),
)
BRANDS = ("samsung", "apple", "xiaomi", "bosch", "lego", "asus", "sony", "", "respect", "huawei", "lg", "hp")
COUNTRIES = (
    *("AR", "AT", "AU", "BE", "BG", "BR", "CA", "CH", "CL", "CN"),
    *("CO", "CY", "CZ", "DE", "DK", "EE", "EG", "ES", "FI", "FR"),
    *("GB", "GR", "HR", "HU", "IE", "IL", "IN", "IS", "IT", "JP"),
    *("KR", "LT", "LU", "LV", "MA", "MT", "MX", "NL", "NO", "NZ"),
    *("PE", "PL", "PT", "RO", "SE", "SI", "SK", "TR", "UA", "US"),
)
TYPES = ("view",) * 88 + ("cart",) * 5 + ("remove_from_cart",) * 1 + ("purchase",) * 6
BAD = {
    "bad_event_time": ("event_time", "2019-13-45 00:00:00 UTC"),
    "bad_event_type": ("event_type", "teleport"),
    "bad_product_id": ("product_id", "n/a"),
    "bad_price": ("price", "-1.00"),
    "bad_user_id": ("user_id", ""),
}
"""What is planted: by reason, the column and its wrong text."""


def events(rng: random.Random, month: str, count: int, users: int) -> Iterator[dict[str, str]]:
    """Good events in order of time."""
    seconds = DAYS[month] * 86400
    for moment in sorted(rng.randrange(seconds) for _ in range(count)):
        product = rng.randrange(200)
        user = rng.randrange(users)
        when = MONTHS[month] + timedelta(seconds=moment)
        yield {
            "event_time": f"{when:%Y-%m-%d %H:%M:%S} UTC",
            "event_type": rng.choice(TYPES),
            "product_id": str(1_000_000 + product),
            "category_id": str(2_053_013_552_000_000_000 + product % len(CATEGORIES)),
            "category_code": CATEGORIES[product % len(CATEGORIES)],
            "brand": BRANDS[product % len(BRANDS)],
            "price": f"{(product * 373 % 90_000 + 500) / 100:.2f}",
            "user_id": str(500_000_000 + user),
            "user_session": f"{rng.getrandbits(64):016x}",
        }


def spoiled(
    rng: random.Random, rows: Iterator[dict[str, str]], bad_percent: float, planted: Counter[str]
) -> Iterator[dict[str, str]]:
    """The rows with bad ones and repetitions among them."""
    for row in rows:
        if rng.random() * 100 < bad_percent:
            reason = rng.choice(sorted(BAD))
            column, text = BAD[reason]
            planted[reason] += 1
            yield {**row, column: text}
            continue
        yield row
        if rng.random() < 0.01:
            planted["repeated"] += 1
            yield row


def generate(out: Path, *, events_per_month: int, seed: int, bad_percent: float = 2.0) -> dict[str, dict[str, int]]:
    """Write the files; gives what was planted, by month.

    :param events_per_month: good and bad events of a month, repetitions apart.
    :param bad_percent: share of bad rows.
    """
    rng = random.Random(seed)
    out.mkdir(parents=True, exist_ok=True)
    users = max(50, events_per_month // 20)
    told = {}
    for month in MONTHS:
        planted: Counter[str] = Counter()
        with (out / f"{month}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(spoiled(rng, events(rng, month, events_per_month, users), bad_percent, planted))
        told[month] = dict(sorted(planted.items()))
    with (out / "users.csv").open("w", encoding="utf-8", newline="") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        lines.writerow(["user_id", "country"])
        lines.writerows([500_000_000 + user, COUNTRIES[user * 7 % len(COUNTRIES)]] for user in range(users))
    (out / "planted.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return told


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=20_000, help="events of a month")
    parser.add_argument("--bad-percent", type=float, default=2.0, help="share of bad rows")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    told = generate(given.out, events_per_month=given.events, seed=given.seed, bad_percent=given.bad_percent)
    print(f"{given.out}: {', '.join(f'{month}: {sum(counts.values())} planted' for month, counts in told.items())}")  # noqa: T201


if __name__ == "__main__":
    main()
