"""Names of catalogs, schemas, tables, views and columns are data: made as they are, or refused by name, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile_names import NAMES

from medallion.settings import Settings

MAKES = """
from medallion.core.sql_names import quoted
names = json.loads(%r)
spark.sql("CREATE SCHEMA IF NOT EXISTS main.named")
spark.sql("CREATE TABLE IF NOT EXISTS main.named.witness AS SELECT 7 AS n")
told = {}
def attempt(key, kind, *statements):
    for statement in statements:
        try:
            spark.sql(statement)
        except Exception as error:
            told[f"{kind} {key}"] = str(error)[:300]
            return False
    return True
for key, name in names.items():
    n = quoted(name)
    if attempt(key, "schema", f"CREATE SCHEMA IF NOT EXISTS main.{n}"):
        assert name in [row[0] for row in spark.sql("SHOW SCHEMAS IN main").collect()], ("schema", key)
        spark.sql(f"DROP SCHEMA main.{n} CASCADE")
    if attempt(key, "table", f"CREATE TABLE main.named.{n} AS SELECT 1 AS {n}"):
        assert name in [row[1] for row in spark.sql("SHOW TABLES IN main.named").collect()], ("table", key)
        frame = spark.sql(f"SELECT {n} FROM main.named.{n} WHERE {n} = 1")
        assert (frame.columns, frame.count()) == ([name], 1), ("column", key)
        spark.sql(f"DROP TABLE main.named.{n}")
    attempt(key, "catalog", f"CREATE CATALOG {n}", f"DROP CATALOG {n} CASCADE")
assert spark.table("main.named.witness").count() == 1
print(json.dumps(told))
"""


@pytest.mark.spark
def test_names_of_sql_are_data(run_task: Callable[..., str], home_settings: Settings) -> None:
    before = files_around(home_settings)
    told = json.loads(run_task(MAKES % json.dumps(NAMES)).splitlines()[-1])
    assert not [reason for reason in told.values() if "PARSE_SYNTAX_ERROR" in reason or "NullPointer" in reason], told
    assert files_around(home_settings) == before


def files_around(settings: Settings) -> set[Path]:
    """What lies beside the lake: nothing of a statement's making."""
    return {path for path in settings.project.glob("*") if path != settings.home} | set(Path("/tmp").glob("pwned*"))
