"""Random statements on catalogs, schemas, tables, views and volumes, from several sessions of a process at once.

Runs inside a process with a session (`catalog_spark`); gives back each error that the statement may not end with.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ROWS = 10
CATALOGS = ("c1", "c2")
SCHEMAS = ("s1", "s2", "default")
NAMES = ("n1", "n2", "n3")

ALLOWED = re.compile(
    "|".join(
        [
            r"_ALREADY_EXISTS\]",
            r"(Catalog|Volume) \S+ already exists",
            r"(TABLE_OR_VIEW|TABLE|VIEW|SCHEMA|CATALOG)_NOT_FOUND\]",
            r"DELTA_(TABLE|PATH|SCHEMA)\w*(NOT_FOUND|DOES_NOT_EXIST)\]",
            r"(Catalog|Volume) \S+ does not exist",
            r"There is no (catalog|schema) \S+ for the",
            r"There is no schema for the new name",
            r"SCHEMA_NOT_EMPTY\]",
            r"Catalog \S+ is not empty",
            # The table was dropped while it was read: its files, all of its log, some of its log.
            r"\[FAILED_READ_FILE\.FILE_NOT_EXIST\]",
            r"\[DELTA_SCHEMA_CHANGE_SINCE_ANALYSIS\][^$]*Latest schema is missing field\(s\): id, who",
            r"\[DELTA_STATE_RECOVER_ERROR\]",
            r"\[DELTA_(CONCURRENT_\w+|METADATA_CHANGED|PROTOCOL_CHANGED)",
            r"is a view: drop it before",
            r"\[RECURSIVE_VIEW\]",
            r"was dropped while this statement wrote it",
            r"There is no catalog or schema \S+, or it was dropped",  # the schema, while an INSERT wrote
            r"FileNotFoundException: File \S+/_delta_log/\S+ does not exist",  # the table, while an INSERT wrote
            r"EXPECT_(TABLE|VIEW)_NOT_(VIEW|TABLE)",
            r"WRONG_COMMAND_FOR_OBJECT_TYPE\]",  # a view of that name where a table is dropped, and the reverse
        ]
    )
)
"""What a statement may say when others make and drop the same names."""


@dataclass
class Stress:
    """What one process did: its statements by their first words, and the errors that are none of a user's."""

    done: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)


def statement(choice: random.Random, mark: str) -> str:
    """A random statement."""
    catalog = choice.choice(CATALOGS)
    schema = f"{catalog}.{choice.choice(SCHEMAS)}"
    name = f"{schema}.{choice.choice(NAMES)}"
    other = f"{schema}.{choice.choice(NAMES)}"
    rows = f"SELECT id, '{mark}' AS who FROM range({ROWS})"
    quiet, exists = choice.choice(["", "IF NOT EXISTS "]), choice.choice(["", "IF EXISTS "])
    table = "(id BIGINT, who STRING)"
    weighted = {
        f"CREATE CATALOG {quiet}{catalog}": 4,
        f"DROP CATALOG {exists}{catalog} {choice.choice(['', 'CASCADE'])}": 1,
        f"CREATE SCHEMA {quiet}{schema} COMMENT 'x'": 8,
        f"DROP SCHEMA {exists}{schema} {choice.choice(['', 'CASCADE'])}": 2,
        f"COMMENT ON SCHEMA {schema} IS '{mark}'": 2,
        f"CREATE TABLE {quiet}{name} {table}": 6,
        f"CREATE TABLE {name} AS {rows}": 4,
        f"CREATE OR REPLACE TABLE {name} AS {rows}": 3,
        f"INSERT INTO {name} {rows}": 6,
        f"DROP TABLE {exists}{name}": 4,
        f"ALTER TABLE {name} RENAME TO {other}": 2,
        f"CREATE {choice.choice(['', 'OR REPLACE '])}VIEW {name} AS SELECT id, who FROM {other}": 4,
        f"DROP VIEW {exists}{name}": 2,
        f"SELECT who, count(*) FROM {name} GROUP BY who": 8,
        f"DESCRIBE TABLE {name}": 2,
        f"SHOW TABLES IN {schema}": 4,
        f"SHOW VIEWS IN {schema}": 2,
        f"SHOW SCHEMAS IN {catalog}": 3,
        "SHOW CATALOGS": 3,
        f"USE {schema}": 3,
        f"CREATE VOLUME {quiet}{name}": 4,
        f"DROP VOLUME {exists}{name}": 3,
        f"SHOW VOLUMES IN {schema}": 2,
    }
    return choice.choices(list(weighted), list(weighted.values()))[0]


def run(session: Any, text: str) -> str | None:
    """Run a statement; what is wrong with its rows."""
    rows = session.sql(text).collect()
    if text.startswith("SELECT who"):
        parts = [tuple(row) for row in rows if row[1] != ROWS]
        return f"half of a write is seen: {parts}" if parts else None
    return None


def one_session(spark: Any, seed: int, end: float, found: Stress, lock: threading.Lock) -> None:
    session, choice, number = spark.newSession(), random.Random(seed), 0
    while time.monotonic() < end:
        number += 1
        text = statement(choice, f"{seed}-{number}")
        kind = " ".join(text.split()[:2])
        try:
            wrong = run(session, text)
        except Exception as error:  # noqa: BLE001 - judged here
            wrong = None if ALLOWED.search(str(error)) else f"{type(error).__name__}: {error}"
            refused = re.search(r"\[(\w+)", str(error))
            with lock:
                found.refused[refused[1] if refused else str(error)[:60]] += 1
        with lock:
            found.done[kind] += 1
            if wrong:
                found.wrong.setdefault(f"{text.split(' AS ')[0]}: {wrong[:150]}", wrong)


def stress(seed: int, sessions: int, seconds: float) -> Callable[[Any], dict[str, Any]]:
    """Work for `catalog_spark.SparkProcess.call`: that many sessions at once for that long. Gives a `Stress` as a dict."""

    def work(spark: Any) -> dict[str, Any]:
        found, lock, end = Stress(), threading.Lock(), time.monotonic() + seconds
        threads = [
            threading.Thread(target=one_session, args=(spark, seed * 1000 + number, end, found, lock))
            for number in range(sessions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {"done": dict(found.done), "refused": dict(found.refused), "wrong": found.wrong}

    return work


def listed(spark: Any) -> dict[str, str]:
    """Each table and view that is listed now, with what reading it says: nothing, or the error."""
    found = {}
    for catalog in CATALOGS:
        if not spark.sql(f"SHOW CATALOGS LIKE '{catalog}'").collect():
            continue
        for schema in [row[0] for row in spark.sql(f"SHOW SCHEMAS IN {catalog}").collect()]:
            for row in spark.sql(f"SHOW TABLES IN {catalog}.{schema}").collect():
                name = f"{catalog}.{schema}.{row[1]}"
                try:
                    found[name] = run(spark, f"SELECT who, count(*) FROM {name} GROUP BY who") or ""
                    spark.sql(f"DESCRIBE HISTORY {name}").collect()
                except Exception as error:  # noqa: BLE001 - judged by the test
                    found[name] = str(error)[:500]
    return found
