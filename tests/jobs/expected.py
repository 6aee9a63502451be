"""What the tables of the examples must hold, worked out from the raw files without Spark and without the notebooks.

The rules are those of jobs/retailhub/README.md: the first broken rule is the reason, of the good versions of a row the
latest stays, cancelled orders count but do not add to amounts.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import duckdb

EMAIL = re.compile(r"[^@ ]+@[^@ ]+\.[^@ ]+")
CENT = Decimal("0.01")

ORDERS = """
CREATE TABLE lines AS
SELECT line FROM (SELECT unnest(string_split(content, chr(10))) AS line FROM read_text($files)) WHERE line <> '';

CREATE TABLE judged AS
WITH texts AS (
  SELECT
    line,
    json_valid(line) AS valid,
    CASE WHEN json_valid(line) THEN line ELSE '{}' END AS doc
  FROM lines
),
typed AS (
  SELECT
    valid,
    nullif(trim(doc ->> '$.order_id'), '') AS order_id,
    nullif(trim(doc ->> '$.customer_id'), '') AS customer_id,
    try_cast(trim(doc ->> '$.order_date') AS DATE) AS order_date,
    lower(trim(doc ->> '$.status')) AS status,
    lower(trim(doc ->> '$.channel')) AS channel,
    try_cast(trim(doc ->> '$.amount') AS DECIMAL(12, 2)) AS amount,
    doc ->> '$.updated_at' AS updated_at
  FROM texts
)
SELECT
  *,
  CASE
    WHEN NOT valid THEN 'malformed_json'
    WHEN order_id IS NULL THEN 'missing_order_id'
    WHEN customer_id IS NULL THEN 'missing_customer_id'
    WHEN order_date IS NULL THEN 'bad_order_date'
    WHEN amount IS NULL THEN 'bad_amount'
    WHEN amount < 0 THEN 'negative_amount'
  END AS reason
FROM typed;

CREATE TABLE orders AS
SELECT order_id, customer_id, order_date, status, channel, amount, updated_at
FROM judged
WHERE reason IS NULL
QUALIFY row_number() OVER (PARTITION BY order_id ORDER BY updated_at DESC) = 1;
"""


@dataclass(frozen=True, slots=True)
class Expected:
    """Rows as tuples, in no order; counts by reason.

    :param customers: customer_id, name, email, country, signup_date.
    :param orders: order_id, customer_id, order_date, status, channel, amount.
    :param summary: customer_id, name, email, country, orders, cancelled, total, average, first day, last day.
    :param daily: day, orders, cancelled, customers, total, average.
    :param daily_known: day, orders, customers, total; without cancelled orders and unknown customers.
    """

    customer_rows: int
    order_rows: int
    customers: set[tuple[Any, ...]]
    orders: set[tuple[Any, ...]]
    refused_customers: dict[str, int]
    refused_orders: dict[str, int]
    unknown_customer: int
    summary: set[tuple[Any, ...]]
    daily: set[tuple[Any, ...]]
    daily_known: set[tuple[Any, ...]]


def work_out(datasets: Path) -> Expected:
    """The expected tables for the files below `datasets`."""
    rows, good, refused_customers = read_customers(datasets / "customers" / "customers.csv")
    with duckdb.connect() as db:
        for statement in ORDERS.split(";\n"):
            if statement.strip():
                db.execute(statement, {"files": str(datasets / "orders" / "*.json")} if "$files" in statement else None)
        db.execute(
            "CREATE TABLE customers (customer_id VARCHAR, name VARCHAR, email VARCHAR, country VARCHAR, day DATE)"
        )
        db.executemany("INSERT INTO customers VALUES (?, ?, ?, ?, ?)", good)
        reasons = db.execute("SELECT reason, count(*) FROM judged WHERE reason IS NOT NULL GROUP BY reason").fetchall()
        return Expected(
            customer_rows=rows,
            order_rows=one(db, "SELECT count(*) FROM lines"),
            customers=set(db.execute("FROM customers").fetchall()),
            orders=set(db.execute("SELECT * EXCLUDE (updated_at) FROM orders").fetchall()),
            refused_customers=refused_customers,
            refused_orders=dict(reasons),
            unknown_customer=one(db, "SELECT count(*) FROM orders ANTI JOIN customers USING (customer_id)"),
            summary=summaries(db),
            daily=days(db),
            daily_known=known_days(db),
        )


def one(db: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The single value of a query."""
    row = db.execute(query).fetchone()
    assert row is not None
    return row[0]


def read_customers(file: Path) -> tuple[int, list[tuple[str, ...]], dict[str, int]]:
    """Rows in the file, the customers that silver must hold, refused rows by reason."""
    with file.open(encoding="utf-8", newline="") as text:
        rows = list(csv.reader(text))[1:]
    latest: dict[str, list[str]] = {}
    refused: Counter[str] = Counter()
    for row in rows:
        if reason := refusal(row):
            refused[reason] += 1
        elif (key := row[0].strip()) not in latest or row[6] > latest[key][6]:
            latest[key] = row
    good = [
        (key, " ".join(row[1].split()), row[2].strip().lower(), row[4].strip().upper(), row[5].strip())
        for key, row in latest.items()
    ]
    return len(rows), good, dict(refused)


def refusal(row: list[str]) -> str | None:
    """The first rule that a customer's row breaks."""
    if len(row) != 7:
        return "malformed_row"
    if not row[0].strip():
        return "missing_customer_id"
    if not EMAIL.fullmatch(row[2].strip()):
        return "bad_email"
    return None if re.fullmatch(r"\d{4}-\d\d-\d\d", row[5].strip()) and row[5] != "2025-02-30" else "bad_signup_date"


def average(total: Decimal, count: int) -> Decimal | None:
    """To the cent, half up; None when there is nothing to divide by."""
    return (total / count).quantize(CENT, ROUND_HALF_UP) if count else None


def summaries(db: duckdb.DuckDBPyConnection) -> set[tuple[Any, ...]]:
    """One row per customer."""
    rows = db.execute("""
        SELECT c.customer_id, any_value(c.name), any_value(c.email), any_value(c.country), count(o.order_id),
               count(o.order_id) FILTER (o.status = 'cancelled'),
               coalesce(sum(o.amount) FILTER (o.status <> 'cancelled'), 0)::DECIMAL(18, 2),
               min(o.order_date), max(o.order_date)
        FROM customers c LEFT JOIN orders o USING (customer_id) GROUP BY c.customer_id
    """).fetchall()
    return {(*row[:7], average(row[6], row[4] - row[5]), *row[7:]) for row in rows}


def days(db: duckdb.DuckDBPyConnection) -> set[tuple[Any, ...]]:
    """One row per day."""
    rows = db.execute("""
        SELECT order_date, count(*), count(*) FILTER (status = 'cancelled'), count(DISTINCT customer_id),
               coalesce(sum(amount) FILTER (status <> 'cancelled'), 0)::DECIMAL(18, 2)
        FROM orders GROUP BY order_date
    """).fetchall()
    return {(*row, average(row[4], row[1] - row[2])) for row in rows}


def known_days(db: duckdb.DuckDBPyConnection) -> set[tuple[Any, ...]]:
    """One row per day; orders of customers that exist, not cancelled."""
    return set(
        db.execute("""
            SELECT order_date, count(*), count(DISTINCT customer_id), sum(amount)::DECIMAL(18, 2)
            FROM orders SEMI JOIN customers USING (customer_id) WHERE status <> 'cancelled' GROUP BY order_date
        """).fetchall()
    )
