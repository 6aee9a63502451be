"""Updates of pipelines by Spark's own engine: datasets, expectations, event log, selections, failures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from runtime.pipelines.plant import PIPELINE_ID, NoAnswers, Plant, Updated

from medallion.compute import gateway as gateways
from medallion.compute.connection import Connection
from medallion.runtime.launch import TaskProcess
from medallion.runtime.protocol import TaskResult

pytestmark = [pytest.mark.spark]

SHOP = """
from pyspark import pipelines as dp
from pyspark.sql import functions as F

SOURCE = spark.conf.get("shop.source")


@dp.table(comment="as they came")
@dp.expect("has a price", "price IS NOT NULL")
@dp.expect_or_drop("has an id", "id IS NOT NULL")
def raw():
    return spark.readStream.schema("id INT, price DOUBLE, kind STRING").option("header", True).csv(SOURCE)


@dp.materialized_view
@dp.expect_all_or_drop({"positive": "price > 0", "known": "kind IN ('a', 'b')"})
def clean():
    return spark.read.table("raw")


@dp.temporary_view
def only_a():
    return spark.read.table("clean").where("kind = 'a'")


@dp.table
def by_kind():  # a batch query: a materialized view, as on Databricks
    return spark.read.table("clean").groupBy("kind").agg(F.sum("price").alias("total"))
"""
SHOP_SQL = """
CREATE OR REFRESH MATERIALIZED VIEW count_a (CONSTRAINT some EXPECT (n > 0) ON VIOLATION FAIL UPDATE)
COMMENT 'how many' AS SELECT count(*) AS n, '${shop.label}' AS label FROM LIVE.only_a;

CREATE OR REFRESH STREAMING TABLE kinds AS SELECT kind, id FROM STREAM(raw);
"""
OLD = """# Databricks notebook source
import dlt

# COMMAND ----------

@dlt.table(name="from_dlt")
@dlt.expect_or_drop("small", "id < 3")
def anything():
    return dlt.read("raw").select("id")


dlt.create_streaming_table("both", expect_all={"cheap": "price < 2.5"})


@dlt.append_flow(target="both")
def first():
    return dlt.read_stream("LIVE.raw").select("id", "price")


@dlt.append_flow(target="both")
def second():
    return spark.readStream.table("raw").select("id", "price")
"""
FIRST = "id,price,kind\n1,2.0,a\n2,3.0,b\n3,,a\n,5.0,a\n5,-1.0,b\n6,1.0,z\n"
SECOND = "id,price,kind\n7,4.0,a\n"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("csv")
    (folder / "one.csv").write_text(FIRST)
    return folder


@pytest.fixture(scope="module")
def first(plant: Plant, source: Path) -> Updated:
    """The first update of the shop's pipeline."""
    files = {"shop.py": SHOP, "sql/shop.sql": SHOP_SQL, "old.py": OLD}
    configuration = {"shop.source": str(source), "shop.label": "A"}
    return plant.update("shop", files, configuration=configuration)


def test_an_update_makes_every_dataset(first: Updated, plant: Plant) -> None:
    assert first.result.success, first.text
    assert [row["id"] for row in plant.rows("shop.raw")] == [1, 2, 3, 5, 6]
    assert [(row["id"], row["kind"]) for row in plant.rows("shop.clean")] == [(1, "a"), (2, "b")]
    assert {row["kind"]: row["total"] for row in plant.rows("shop.by_kind")} == {"a": 2.0, "b": 3.0}
    assert plant.rows("shop.count_a") == [{"n": 1, "label": "A"}]
    assert len(plant.rows("shop.kinds")) == 5
    assert [row["id"] for row in plant.rows("shop.from_dlt")] == [1, 2]
    assert len(plant.rows("shop.both")) == 10


def test_trap_29_expectations_that_open_spark_lacks_are_counted_by_dataset(first: Updated, plant: Plant) -> None:
    assert plant.quality("shop", first.record["update_id"]) == {
        "raw.has a price": (5, 1),
        "raw.has an id": (5, 1),
        "clean.positive": (3, 2),
        "clean.known": (4, 1),
        "count_a.some": (1, 0),
        "from_dlt.small": (2, 3),
        "both.cheap": (3, 2),
    }


def test_the_log_shows_datasets_rows_and_expectations(first: Updated) -> None:
    line = next(line for line in first.text.splitlines() if "plant.shop.clean" in line and "positive" in line)
    assert [word.strip() for word in line.split("|") if word.strip()] or line.split()
    for word in ("materialized view", "2", "positive", "3", "drop"):
        assert word in line


def test_the_update_leaves_a_record(first: Updated) -> None:
    record = first.record
    assert (record["state"], record["update_type"], record["request_type"]) == ("COMPLETED", "REFRESH", "ALL")
    assert record["start"] < record["end"]


@pytest.fixture(scope="module")
def selected(first: Updated, plant: Plant, source: Path) -> Updated:
    """A second file has come; only `raw` and what both flows write is asked for."""
    assert first.result.success, first.text
    (source / "two.csv").write_text(SECOND)
    configuration = {"shop.source": str(source), "shop.label": "A"}
    request = {"refresh_selection": ["raw"]}
    return plant.update("shop", {}, configuration=configuration, request=request)


def test_a_streaming_table_takes_only_new_input(selected: Updated, plant: Plant) -> None:
    assert selected.result.success, selected.text
    assert [row["id"] for row in plant.rows("shop.raw")] == [1, 2, 3, 5, 6, 7]
    assert plant.quality("shop", selected.record["update_id"]) == {
        "raw.has a price": (1, 0),
        "raw.has an id": (1, 0),
    }


def test_a_selection_leaves_other_datasets_as_they_are(selected: Updated, plant: Plant) -> None:
    assert len(plant.rows("shop.clean")) == 2
    assert selected.record["request_type"] == "SELECTION"


@pytest.fixture(scope="module")
def full(selected: Updated, plant: Plant, source: Path) -> Updated:
    """The first file is gone; everything is started over, with a parameter of the task."""
    (source / "one.csv").unlink()
    configuration = {"shop.source": str(source), "shop.label": "A"}
    request = {"full_refresh": True, "parameters": {"shop.label": "B"}}
    return plant.update("shop", {}, configuration=configuration, request=request)


def test_a_full_refresh_starts_over(full: Updated, plant: Plant) -> None:
    assert full.result.success, full.text
    assert [row["id"] for row in plant.rows("shop.raw")] == [7]
    assert full.record["update_type"] == "FULL_REFRESH"


def test_parameters_of_the_task_are_configuration(full: Updated, plant: Plant) -> None:
    assert full.result.success, full.text
    assert plant.rows("shop.count_a") == [{"n": 1, "label": "B"}]
    assert full.record["configuration"]["shop.label"] == "B"


@pytest.mark.slow
def test_one_dataset_is_started_over(full: Updated, plant: Plant, source: Path) -> None:
    (source / "three.csv").write_text("id,price,kind\n8,4.0,a\n")
    assert full.result.success, full.text
    configuration = {"shop.source": str(source), "shop.label": "B"}
    request = {"full_refresh_selection": ["plant.shop.kinds"], "refresh_selection": ["raw"]}
    ran = plant.update("shop", {}, configuration=configuration, request=request)
    assert ran.result.success, ran.text
    assert [row["id"] for row in plant.rows("shop.raw")] == [7, 8]
    assert len(plant.rows("shop.both")) == 2


BROKEN = """
import dlt

@dlt.table
def numbers():
    return spark.range(5)

@dlt.table
@dlt.expect_or_fail("below three", "id < 3")
def small():
    return dlt.read("numbers")
"""


def test_a_row_that_breaks_expect_or_fail_fails_the_update(plant: Plant) -> None:
    good = plant.update("broken", {"a.py": BROKEN.replace("id < 3", "id < 5")})
    assert good.result.success, good.text
    ran = plant.update("broken", {"a.py": BROKEN})
    failure = ran.result.failure
    assert failure is not None
    assert failure.kind == "ExpectationViolation"
    assert failure.message.startswith(
        'EXPECTATION_VIOLATION: a row of plant.broken.small breaks the expectation below three: {"id":'
    )
    assert ran.text.splitlines()[-1] == failure.message
    assert ran.record["state"] == "FAILED"
    assert len(plant.rows("broken.small")) == 5, "the table keeps what it had"
    log = plant.rows(f"broken.event_log_{PIPELINE_ID.replace('-', '_')}")
    assert any(row["level"] == "ERROR" and row["origin"]["flow_name"] == "plant.broken.small" for row in log)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        pytest.param(
            "import dlt\ndlt.create_streaming_table('t')\n"
            "dlt.apply_changes_from_snapshot(target='t', source='s', keys=['id'], stored_as_scd_type=2)",
            ["apply_changes_from_snapshot is not available here", "create_auto_cdc_flow"],
            id="changes from snapshots",
        ),
        pytest.param(
            "import dlt\n@dlt.table(path='/x')\ndef t():\n    pass", ["option path"], id="path", marks=pytest.mark.slow
        ),
        pytest.param(
            "import dlt\n@dlt.table(nmae='x')\ndef t():\n    pass",
            ["nmae", "name"],
            id="misspelt",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "from pyspark import pipelines as dp\n@dp.foreach_batch_sink(name='x')\ndef t():\n    pass",
            ["foreach_batch_sink", "create_sink"],
            id="batch sink",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import dlt\n@dlt.expect('a', 'b > 1')\n@dlt.table\ndef t():\n    return spark.range(1)",
            ["@expect came too late", "below"],
            id="expectation above the table",
        ),
        pytest.param(
            "import dlt\n@dlt.table\ndef t():\n    return 1",
            ["returned int, not a DataFrame"],
            id="no frame",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import dlt\ndlt.apply_changes(target='t', source='s', keys=['id'], sequence_by='at')",
            ["the pipeline has no streaming table plant.", "create_streaming_table"],
            id="changes without a target",
            marks=pytest.mark.slow,
        ),
        pytest.param("x = 1\nraise KeyError('mine')", ['a.py", line 2', "KeyError: 'mine'"], id="user's own error"),
        pytest.param(
            "spark.conf.set('a', 'b')", ["SESSION_MUTATION", "conf"], id="session changed", marks=pytest.mark.slow
        ),
        pytest.param(
            "spark.sql(\"SELECT * FROM read_files('/Volumes/a/b/c', format => 'json')\")",
            ["read_files works in the function of a dataset only"],
            id="read_files outside of a dataset",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            "import dlt\n@dlt.table\ndef t():\n"
            "    return spark.readStream.format('cloudFiles').option('cloudFiles.format', 'json').load('/Volumes/a/b/c')",
            ["path '/Volumes/a/b/c' does not exist"],
            id="Auto Loader of no folder",
        ),
    ],
)
def test_what_cannot_be_done_is_said(plant: Plant, code: str, words: list[str]) -> None:
    ran = plant.update(f"refused_{plant.count}", {"a.py": code})
    assert not ran.result.success
    for word in words:
        assert word in ran.text, ran.text
    assert "medallion/runtime" not in ran.text


def test_sql_with_an_option_that_does_not_work_is_said(plant: Plant) -> None:
    sql = "\nCREATE OR REFRESH STREAMING TABLE t AS SELECT * FROM STREAM read_files('/Volumes/a/b/c', format => 'avro')"
    ran = plant.update(f"refused_{plant.count}", {"a.sql": sql})
    assert not ran.result.success
    assert "avro" in ran.text, ran.text
    assert "line 2" in ran.text, ran.text


@pytest.mark.slow
def test_an_unknown_dataset_is_said(plant: Plant) -> None:
    code = "import dlt\n@dlt.table\ndef numbers():\n    return spark.range(1)"
    ran = plant.update("unknown", {"a.py": code}, request={"refresh_selection": ["numbres"]})
    assert not ran.result.success
    assert "no dataset 'numbres'" in ran.text
    assert "plant.unknown.numbers" in ran.text


LONG = """
from pyspark import pipelines as dp

@dp.materialized_view
def endless():
    return spark.range(0, 2_000_000_000_000, 1, 2).selectExpr("sum(id % 7) AS total")

@dp.table
def flood():
    return spark.readStream.format("rate").load()
"""
THREADS = ("Topological Execution", "PipelineEventSender", "stream execution", "SparkConnectExecuteThread", "endless")


@pytest.mark.parametrize("end", ["cancel", pytest.param("time-out", marks=pytest.mark.slow)])
def test_an_update_that_is_ended_leaves_nothing_in_the_driver(plant: Plant, end: str) -> None:
    context = plant.context(f"long_{plant.count}", {"a.py": LONG}, development=False)  # so that flows are retried
    lines: list[str] = []
    process = TaskProcess(context, plant.settings, answers=NoAnswers(), on_output=lines.append)
    found: list[TaskResult] = []
    limit = 60 if end == "time-out" else 240
    thread = threading.Thread(target=lambda: found.append(process.run(timeout=limit)))
    thread.start()
    wait_for(lambda: found or {"job", "flood"} <= set(going_on(plant)))
    assert not found, lines
    if end == "cancel":
        process.terminate()
    thread.join(120)
    assert found[0].failure is not None
    assert found[0].failure.kind == ("Killed" if end == "cancel" else "Timeout")
    wait_for(lambda: not going_on(plant))


def going_on(plant: Plant) -> list[str]:
    """What runs in the driver: jobs of tasks, streams, threads of pipelines."""
    connection = Connection.load(plant.driver)
    with gateways.open_gateway(connection.port, connection.secret) as gateway:
        session = gateways.root_session(gateway)
        jobs = list(session.sparkContext().statusTracker().getActiveJobIds())
        streams = [query.name().rpartition(".")[2] for query in session.sharedState().activeStreamingQueries().values()]
        names = [thread.getName() for thread in gateways.java_class(gateway, "java.lang.Thread").getAllStackTraces()]
        return ["job"] * len(jobs) + streams + [name for name in names if name.startswith(THREADS)]


def wait_for(condition: Callable[[], object], seconds: float = 150) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.2)
