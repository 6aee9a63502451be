"""Flows of changes in real updates: both SCD types, late changes, refreshes, and a second computation that must agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runtime.pipelines import change_feed as feed
from runtime.pipelines.plant import PIPELINE_ID, Plant, Updated

pytestmark = [pytest.mark.spark]

FEED = """
from pyspark import pipelines as dp
from pyspark.sql import functions as F
from pyspark.sql.functions import col, expr

SCHEMA = (
    "op STRING, at INT, n INT, region STRING, id INT, name STRING, city STRING, address STRUCT<street: STRING, zip: INT>"
)


@dp.temporary_view
def feed():
    return spark.readStream.schema(SCHEMA).json(spark.conf.get("cdc.source"))


@dp.temporary_view
def kept_feed():
    return spark.readStream.table("feed").where("op <> 'T'")


dp.create_streaming_table(
    "newest",
    comment="the newest rows",
    table_properties={"quality": "silver"},
    expect_all={"has a name": "name IS NOT NULL"},
)
dp.create_auto_cdc_flow(
    target="newest",
    source="feed",
    keys=["region", "id"],
    sequence_by=col("n"),
    apply_as_deletes=expr("op = 'D'"),
    apply_as_truncates="op = 'T'",
    except_column_list=["op", "at", "n"],
    stored_as_scd_type="1",
)


@dp.materialized_view
def how_many():
    return spark.read.table("newest").groupBy().agg(F.count("*").alias("n"))

"""
FEED_SQL = """
CREATE OR REFRESH STREAMING TABLE history (
  region STRING, id INT, name STRING COMMENT 'of the user', city STRING, address STRUCT<street: STRING, zip: INT>,
  __START_AT STRUCT<at: INT, n: INT>, __END_AT STRUCT<at: INT, n: INT>
) COMMENT 'every row there was' TBLPROPERTIES ('quality' = 'gold');

CREATE FLOW history_flow AS AUTO CDC INTO history
FROM STREAM(kept_feed)
KEYS (region, id)
APPLY AS DELETE WHEN op = "D"
SEQUENCE BY struct(at, n)
COLUMNS * EXCEPT (op, at, n)
STORED AS SCD TYPE 2;
"""
OLDER = """# Databricks notebook source
import dlt

# COMMAND ----------

dlt.apply_changes(
    target="LIVE.newest_filled", source="LIVE.feed", keys=["region", "id"], sequence_by="n", ignore_null_updates=True,
    apply_as_deletes="op = 'D'", apply_as_truncates="op = 'T'",
    column_list=["region", "id", "name", "city", "address"],
)
dlt.create_streaming_table("newest_filled")  # after the flow, which says nothing to a graph
"""
OLDER_SQL = """
CREATE OR REFRESH STREAMING LIVE TABLE history_filled;
APPLY CHANGES INTO LIVE.history_filled FROM STREAM(LIVE.kept_feed) KEYS (region, id) IGNORE NULL UPDATES ON (name, address)
APPLY AS DELETE WHEN op = 'D' SEQUENCE BY n COLUMNS region, id, name, city, address STORED AS SCD TYPE 2
TRACK HISTORY ON * EXCEPT (city);
"""
FILES = {"feed.py": FEED, "feed.sql": FEED_SQL, "older.py": OLDER, "older.sql": OLDER_SQL}
CHANGES = feed.random_changes(seed=20260801, count=200, keys=10)
PARTS = [CHANGES[:80], CHANGES[80:150], CHANGES[150:]]
TRACKED = ("name", "city", "address")


def plain(value: Any) -> Any:
    """A value of a table as the changes have it: a sequence of two parts as the second."""
    return value["n"] if isinstance(value, dict) and "n" in value else value


@pytest.fixture(scope="module")
def updates(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Three updates of one feed, each with the tables it left."""
    source = tmp_path_factory.mktemp("feed")
    found = []
    for number, part in enumerate(PARTS):
        feed.write(source, str(number), part)
        ran = plant.update("cdc", FILES if number == 0 else {}, configuration={"cdc.source": str(source)})
        assert ran.result.success, ran.text
        names = ("newest", "newest_filled", "history", "history_filled", "how_many")
        tables = {name: plant.rows(f"cdc.{name}") for name in names}
        found.append({"ran": ran, "source": source, **tables})
    return found


def test_another_computation_agrees_after_each_update(updates: list[dict[str, Any]]) -> None:
    for number, left in enumerate(updates):
        seen = [change for part in PARTS[: number + 1] for change in part]
        assert left["newest"] == feed.newest(seen)
        assert left["newest_filled"] == feed.newest(seen, fill=TRACKED)
        history = [{name: plain(value) for name, value in row.items()} for row in left["history"]]
        assert sorted(history, key=repr) == feed.history(seen, TRACKED)
        assert left["history_filled"] == feed.history(seen, ("name", "address"), fill=("name", "address"))
        assert left["how_many"] == [{"n": len(left["newest"])}], "what reads a target comes after it"


def test_late_changes_found_their_place(updates: list[dict[str, Any]]) -> None:
    starts = [{plain(row["__START_AT"]) for row in left["history"]} for left in updates]
    assert min(starts[1] - starts[0]) < max(starts[0]), (
        "the changes of the second update lie between those of the first"
    )


def test_the_target_is_as_it_was_made(updates: list[dict[str, Any]], plant: Plant) -> None:
    from deltalake import DeltaTable

    table = DeltaTable(str(plant.settings.lake / "plant/cdc/newest"))
    assert table.metadata().description == "the newest rows"
    assert table.metadata().configuration["quality"] == "silver"
    stated = DeltaTable(str(plant.settings.lake / "plant/cdc/history"))
    assert stated.metadata().configuration["quality"] == "gold"
    assert next(field for field in stated.schema().fields if field.name == "name").metadata["comment"] == "of the user"


def test_the_log_and_the_event_log_tell_of_the_targets(updates: list[dict[str, Any]], plant: Plant) -> None:
    ran: Updated = updates[1]["ran"]
    line = next(line for line in ran.text.splitlines() if "plant.cdc.newest " in line and "has a name" in line)
    assert "streaming table" in line
    assert not any("__apply_changes" in line for line in ran.text.splitlines() if "|" in line)
    upserts = [change for change in PARTS[1] if change["op"] == "U"]
    named = sum(1 for change in upserts if change["name"] is not None)
    passed, failed = plant.quality("cdc", ran.record["update_id"])["newest.has a name"]
    assert failed == len(upserts) - named
    assert passed == len(PARTS[1]) - failed
    log = plant.rows(f"cdc.event_log_{PIPELINE_ID.replace('-', '_')}")
    details = [
        json.loads(row["details"])["flow_progress"]["metrics"]
        for row in log
        if row["origin"]["update_id"] == ran.record["update_id"]
        and row["origin"]["dataset_name"] == "plant.cdc.newest"
        and "metrics" in json.loads(row["details"]).get("flow_progress", {})
    ]
    (metrics,) = details
    assert metrics["num_upserted_rows"] == len(upserts)
    assert metrics["num_deleted_rows"] == len(PARTS[1]) - len(upserts)


@pytest.fixture(scope="module")
def refreshed(updates: list[dict[str, Any]], plant: Plant) -> dict[str, Any]:
    """The first two files are gone; two targets are refreshed, one of them in full."""
    source: Path = updates[-1]["source"]
    for name in ("0.json", "1.json"):
        (source / name).unlink()
    late = {"op": "U", "at": 0, "n": 0, "region": "z", "id": 0, "name": "Zoe"}
    feed.write(source, "3", [late])
    request = {"full_refresh_selection": ["newest"], "refresh_selection": ["newest_filled"]}
    ran = plant.update("cdc", {}, configuration={"cdc.source": str(source)}, request=request)
    assert ran.result.success, ran.text
    return {"late": late, "rows": {name: plant.rows(f"cdc.{name}") for name in ("newest", "newest_filled", "history")}}


def test_a_full_refresh_takes_the_feed_anew(refreshed: dict[str, Any]) -> None:
    assert refreshed["rows"]["newest"] == feed.newest([*PARTS[2], refreshed["late"]])


def test_a_refresh_takes_what_is_new(refreshed: dict[str, Any], updates: list[dict[str, Any]]) -> None:
    assert refreshed["rows"]["newest_filled"] == feed.newest([*CHANGES, refreshed["late"]], fill=TRACKED)
    assert refreshed["rows"]["history"] == updates[-1]["history"], "not asked for"


def test_a_change_without_a_sequence_fails_the_update(
    refreshed: dict[str, Any], updates: list[Any], plant: Plant
) -> None:
    source: Path = updates[-1]["source"]
    feed.write(source, "4", [{"op": "U", "region": "a", "id": 77}])
    ran = plant.update("cdc", {}, configuration={"cdc.source": str(source)}, request={"refresh_selection": ["newest"]})
    failure = ran.result.failure
    assert failure is not None
    assert failure.kind == "AutoCdcViolation"
    start = "AUTO_CDC_VIOLATION: a change of plant.cdc.newest has no sequence: {"
    assert failure.message.startswith(start)
    assert '"id":77' in failure.message
    assert plant.rows("cdc.newest") == refreshed["rows"]["newest"], "the table keeps what it had"


USERS = """
from pyspark import pipelines as dp

SCHEMA = "userId INT, name STRING, city STRING, operation STRING, sequenceNum BIGINT"


@dp.temporary_view
def users():
    return spark.readStream.schema(SCHEMA).json(spark.conf.get("users.source"))


@dp.temporary_view
def before():
    return spark.read.schema(SCHEMA).json(spark.conf.get("users.before"))


@dp.temporary_view
def streamed_before():
    return spark.readStream.schema(SCHEMA).json(spark.conf.get("users.before"))


@dp.temporary_view
def table_changes():
    changes = spark.readStream.options(readChangeFeed="true", startingVersion="0").table("plant.crm.accounts")
    return changes.where("_change_type <> 'update_preimage'")


dp.create_streaming_table("one")
for name, source, once in (("feed", "users", False), ("first", "before", True), ("second", "streamed_before", True)):
    dp.create_auto_cdc_flow(
        target="one", name=name, source=source, once=once, keys=["userId"], sequence_by="sequenceNum",
        apply_as_deletes="operation = 'DELETE'", except_column_list=["operation", "sequenceNum"],
    )

dp.create_streaming_table("accounts")
dp.create_auto_cdc_flow(
    "accounts", "table_changes", ["id"], "_commit_version", apply_as_deletes="_change_type = 'delete'",
    column_list=["id", "owner"], stored_as_scd_type=2,
)
"""


def user(number: int, name: str | None, city: str | None, operation: str, sequence: int) -> dict[str, Any]:
    return {"userId": number, "name": name, "city": city, "operation": operation, "sequenceNum": sequence}


@pytest.fixture(scope="module")
def accounts(plant: Plant) -> Path:
    """A table outside the pipeline, with a change data feed."""
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    place = plant.settings.lake / "plant/crm/accounts"
    rows = pa.table({"id": pa.array([1, 2, 3], pa.int32()), "owner": ["Ann", "Bob", "Cid"]})
    write_deltalake(str(place), rows, configuration={"delta.enableChangeDataFeed": "true"})
    DeltaTable(str(place)).update(predicate="id = 2", updates={"owner": "'Bea'"})
    DeltaTable(str(place)).delete("id = 3")
    return place


@pytest.fixture(scope="module")
def joined(plant: Plant, accounts: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Two updates of a table with a feed and flows that run once, and a full refresh."""
    source, before = tmp_path_factory.mktemp("users"), tmp_path_factory.mktemp("before")
    configuration = {"users.source": str(source), "users.before": str(before)}
    found = []
    feed.write(before, "0", [user(1, "Ann", "Oslo", "INSERT", 0), user(2, "Bob", "Rome", "INSERT", 0)])
    feed.write(source, "0", [user(2, None, None, "DELETE", 6), user(3, "Cid", "Bonn", "INSERT", 5)])
    later = (
        [user(9, "Zoe", "Kyiv", "INSERT", 0)],
        [user(3, "Cid", "Bern", "UPDATE", 7), user(2, "Bob", "Nice", "UPDATE", 4)],
    )
    for number in range(3):
        request = {"full_refresh": True} if number == 2 else {}
        ran = plant.update("shopping", {"users.py": USERS}, configuration=configuration, request=request)
        assert ran.result.success, ran.text
        found.append({"ran": ran, **{name: plant.rows(f"shopping.{name}") for name in ("one", "accounts")}})
        if number == 0:
            feed.write(before, "1", later[0])
            feed.write(source, "1", later[1])
    return found


def test_flows_that_run_once_and_a_feed_add_up(joined: list[dict[str, Any]]) -> None:
    ann, bern, zoe = (1, "Ann", "Oslo"), (3, "Cid", "Bern"), (9, "Zoe", "Kyiv")
    rows = [[(row["userId"], row["name"], row["city"]) for row in left["one"]] for left in joined]
    assert rows[0] == [ann, (3, "Cid", "Bonn")]
    assert rows[1] == [ann, bern], "what came later to a flow that runs once is not taken"
    assert rows[2] == [ann, bern, zoe], "but by a full refresh"


def test_a_tables_change_data_feed_is_applied(joined: list[dict[str, Any]]) -> None:
    first = [(row["id"], row["owner"], row["__START_AT"], row["__END_AT"]) for row in joined[0]["accounts"]]
    assert first == [(1, "Ann", 0, None), (2, "Bea", 1, None), (2, "Bob", 0, 1), (3, "Cid", 0, 2)]
    assert joined[2]["accounts"] == joined[0]["accounts"]
