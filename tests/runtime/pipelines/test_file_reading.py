"""Auto Loader, read_files and cloud_files in pipelines, in Python and SQL: schemas kept, grown, cleared; each file once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from runtime.pipelines.plant import PIPELINE_ID, Plant, Updated

from medallion.runtime.pipelines.file_reading import owner

pytestmark = [pytest.mark.spark]

CODE = """
from pyspark import pipelines as dp


@dp.table
@dp.expect("has an id", "id IS NOT NULL")
def orders():
    reader = spark.readStream.format("cloudFiles").option("cloudFiles.format", "json")
    rows = reader.option("cloudFiles.inferColumnTypes", True).load("/Volumes/plant/files/orders")
    return rows.select("*", "_metadata.file_name")


@dp.materialized_view
def prices():
    return spark.sql("SELECT * FROM read_files(:path, format => 'csv')", args={"path": "/Volumes/plant/files/prices"})
"""
SQL = """
CREATE OR REFRESH STREAMING TABLE rescued (CONSTRAINT known EXPECT (id IS NOT NULL) ON VIOLATION DROP ROW)
AS SELECT *, _metadata.file_name AS file
FROM STREAM read_files('/Volumes/plant/files/orders', format => 'json', schemaEvolutionMode => 'rescue');

CREATE OR REFRESH STREAMING TABLE priced
AS SELECT o.id, p.price FROM STREAM(read_files('/Volumes/plant/files/orders', schema => 'id INT')) o
JOIN LIVE.prices p ON p.id = o.id;

CREATE OR REFRESH STREAMING LIVE TABLE older
AS SELECT id FROM cloud_files('/Volumes/plant/files/orders', 'json', map('cloudFiles.schemaHints', 'id BIGINT'));

CREATE STREAMING TABLE flowing;
CREATE FLOW one AS INSERT INTO flowing BY NAME SELECT id FROM STREAM read_files('/Volumes/plant/files/orders');
"""
FILES = {"code.py": CODE, "more.sql": SQL}
ONE_FILE = {"spark.databricks.cloudFiles.schemaInference.sampleSize.numFiles": "1"}


class Landing:
    """The folder that the pipeline reads."""

    def __init__(self, plant: Plant) -> None:
        self.plant = plant
        self.folder = plant.settings.volumes / "plant" / "files"

    def put(self, name: str, *rows: dict[str, Any]) -> None:
        """Write a file of JSON lines."""
        file = self.folder / "orders" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def update(self, **options: Any) -> Updated:
        """An update of the pipeline."""
        return self.plant.update("files", FILES, **options)

    def orders(self, *columns: str) -> list[tuple[Any, ...]]:
        """The table of orders, by id."""
        rows = sorted(self.plant.rows("files.orders"), key=lambda row: int(row["id"]))
        return [tuple(row[column] for column in columns) for row in rows]

    def schemas(self, dataset: str) -> list[Path]:
        """The schemas that the pipeline keeps of a dataset's readers."""
        kept = self.plant.settings.home / "pipelines" / PIPELINE_ID / "auto_loader" / f"plant.files.{dataset}"
        return sorted(kept.glob("*/*/_schemas/[0-9]*"))


@pytest.fixture(scope="module")
def landing(plant: Plant) -> Landing:
    landing = Landing(plant)
    (landing.folder / "prices").mkdir(parents=True)
    (landing.folder / "prices" / "a.csv").write_text("id,price\n1,2.5\n2,3.5\n")
    landing.put("a.json", {"id": 1, "who": "Ann"}, {"id": 2, "who": "Bo"}, {"who": "nobody"})
    return landing


@pytest.fixture(scope="module")
def first(landing: Landing) -> Updated:
    return landing.update()


def test_files_are_read_by_each_way_and_schemas_are_kept_with_the_pipeline(first: Updated, landing: Landing) -> None:
    assert first.result.success, first.text
    plant = landing.plant
    assert {row["id"]: row["who"] for row in plant.rows("files.orders")} == {1: "Ann", 2: "Bo", None: "nobody"}
    assert {row["file_name"] for row in plant.rows("files.orders")} == {"a.json"}
    assert {row["id"]: row["price"] for row in plant.rows("files.prices")} == {1: 2.5, 2: 3.5}
    assert [(row["id"], row["_rescued_data"], row["file"]) for row in plant.rows("files.rescued")] == [
        (1, None, "a.json"),
        (2, None, "a.json"),
    ]
    assert [(row["id"], row["price"]) for row in plant.rows("files.priced")] == [(1, 2.5), (2, 3.5)]
    assert {row["id"] for row in plant.rows("files.older")} == {1, 2, None}
    assert {row["id"] for row in plant.rows("files.flowing")} == {1, 2, None}
    assert plant.quality("files", first.record["update_id"]) == {"orders.has an id": (2, 1), "rescued.known": (2, 1)}
    assert [len(landing.schemas(name)) for name in ("orders", "rescued", "priced", "older", "flowing")] == [
        1,
        1,
        0,
        1,
        1,
    ]
    assert "_read_files_" not in first.text


@pytest.fixture(scope="module")
def failed(first: Updated, landing: Landing) -> Updated:
    """A file with a new column, in development: the update fails."""
    assert first.result.success, first.text
    landing.put("b.json", {"id": 3, "who": "Cy", "city": "Oslo"})
    return landing.update(request={"refresh_selection": ["orders", "rescued"]})


def test_a_new_column_fails_an_update_in_development(failed: Updated, landing: Landing) -> None:
    assert failed.result.failure is not None, failed.text
    assert failed.result.failure.kind == "UnknownFieldException"
    assert "unknown fields during parsing: [city]" in failed.result.failure.message
    assert "new columns city; the next update has them" in failed.text
    assert len(landing.schemas("orders")) == 2
    rescued = {row["id"]: row["_rescued_data"] for row in landing.plant.rows("files.rescued")}
    assert json.loads(rescued[3])["city"] == "Oslo", "the other flow went on"


def test_the_next_update_has_the_new_column(failed: Updated, landing: Landing) -> None:
    assert failed.result.failure is not None, failed.text
    ran = landing.update(request={"refresh_selection": ["orders"]})
    assert ran.result.success, ran.text
    rows = [row for row in landing.plant.rows("files.orders") if row["id"] is not None]
    assert {row["id"]: row["city"] for row in rows} == {1: None, 2: None, 3: "Oslo"}
    assert len(landing.plant.rows("files.orders")) == 4


def test_a_full_refresh_finds_the_schema_anew_and_an_update_in_production_goes_on_with_new_columns(
    failed: Updated, landing: Landing
) -> None:
    """The sample is the first file, so the second brings columns that the schema lacks, in the middle of the update."""
    landing.put("c.json", {"id": 4, "who": "Di", "n": 7})
    (landing.folder / "orders" / "b.json").unlink()
    ran = landing.update(
        development=False,
        configuration={"spark.sql.pipelines.maxFlowRetryAttempts": "0", **ONE_FILE},
        request={"full_refresh_selection": ["orders"]},
    )
    assert ran.result.success, ran.text
    assert ran.record["state"] == "COMPLETED"
    assert "new columns n; the flows start again with them" in ran.text
    rows = landing.plant.rows("files.orders")
    assert {row["id"]: row["n"] for row in rows} == {1: None, 2: None, None: None, 4: 7}
    assert len(rows) == 4
    kept = [json.loads(file.read_text().splitlines()[1])["dataSchema"] for file in landing.schemas("orders")]
    assert [[field["name"] for field in schema["fields"]] for schema in kept] == [["id", "who"], ["id", "who", "n"]]
    assert landing.plant.quality("files", ran.record["update_id"]) == {"orders.has an id": (3, 1)}


def test_the_owner_of_a_reader_is_the_table_that_its_flow_writes_to() -> None:
    assert owner("CREATE STREAMING TABLE t AS SELECT 1", "t") == ("t", "t")
    assert owner("CREATE FLOW f AS INSERT INTO a.`b` BY NAME SELECT 1", "") == ("a.b", "f")
    assert owner("INSERT INTO t SELECT 1", "") == ("t", "t")
    assert owner("SET x = 1", "") == ("_shared", "_shared")
