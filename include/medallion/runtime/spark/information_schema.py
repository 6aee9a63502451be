"""`information_schema`: a catalog's schemas, tables, columns and volumes as tables, made when they are asked for.

Runs in the task process. The columns are the first ones of Databricks' views of these names; `system.information_schema`
covers every catalog.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from medallion.core.sql_names import quoted
from medallion.errors import UnsupportedError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Rows = Iterator[tuple[Any, ...]]
NAME = "information_schema"


def catalogs_of(spark: SparkSession, catalog: str) -> list[str]:
    """The catalogs that a catalog's information schema covers."""
    if catalog.lower() != "system":
        return [catalog]
    return sorted(str(row[0]) for row in spark.sql("SHOW CATALOGS").collect() if row[0] != "spark_catalog")


def schemas(spark: SparkSession, catalog: str) -> list[str]:
    """Names of a catalog's schemas."""
    return [str(row[0]) for row in spark.sql(f"SHOW SCHEMAS IN {quoted(catalog)}").collect()]


def each_table(spark: SparkSession, catalog: str) -> Iterator[tuple[str, str, str]]:
    """Schema, name and type of each table and view."""
    for schema in schemas(spark, catalog):
        views = {row.viewName for row in views_of(spark, catalog, schema)}
        shown = [row for row in spark.sql(f"SHOW TABLES IN {quoted(catalog, schema)}").collect() if not row.isTemporary]
        for name in sorted({row.tableName for row in shown} | views):
            yield schema, name, "VIEW" if name in views else "MANAGED"


def views_of(spark: SparkSession, catalog: str, schema: str) -> list[Any]:
    """Rows of the views that are no temporary ones."""
    found = spark.sql(f"SHOW VIEWS IN {quoted(catalog, schema)}").collect()
    return [row for row in found if not row.isTemporary]


def catalog_rows(_spark: SparkSession, catalog: str) -> Rows:
    """The catalog itself."""
    yield (catalog,)


def schema_rows(spark: SparkSession, catalog: str) -> Rows:
    """One row for each schema."""
    for schema in schemas(spark, catalog):
        yield catalog, schema


def table_rows(spark: SparkSession, catalog: str) -> Rows:
    """One row for each table and view."""
    for schema, name, kind in each_table(spark, catalog):
        yield catalog, schema, name, kind


def view_rows(spark: SparkSession, catalog: str) -> Rows:
    """One row for each view."""
    for schema, name, kind in each_table(spark, catalog):
        if kind == "VIEW":
            yield catalog, schema, name


def column_rows(spark: SparkSession, catalog: str) -> Rows:
    """One row for each column."""
    for schema, table, _ in each_table(spark, catalog):
        for place, field in enumerate(spark.table(quoted(catalog, schema, table)).schema.fields):
            nullable = "YES" if field.nullable else "NO"
            comment = field.metadata.get("comment")
            kind = field.dataType.simpleString()
            yield catalog, schema, table, field.name, place, nullable, kind.upper(), kind, comment


def volume_rows(spark: SparkSession, catalog: str) -> Rows:
    """One row for each volume."""
    for schema in schemas(spark, catalog):
        for row in spark.sql(f"SHOW VOLUMES IN {quoted(catalog, schema)}").collect():
            yield catalog, schema, row[1]


TABLE = "table_catalog STRING, table_schema STRING, table_name STRING"
VIEWS: dict[str, tuple[str, Callable[[SparkSession, str], Rows]]] = {
    "catalogs": ("catalog_name STRING", catalog_rows),
    "schemata": ("catalog_name STRING, schema_name STRING", schema_rows),
    "tables": (f"{TABLE}, table_type STRING", table_rows),
    "views": (TABLE, view_rows),
    "columns": (
        f"{TABLE}, column_name STRING, ordinal_position INT, is_nullable STRING, full_data_type STRING, "
        "data_type STRING, comment STRING",
        column_rows,
    ),
    "volumes": ("volume_catalog STRING, volume_schema STRING, volume_name STRING", volume_rows),
}


def information(spark: SparkSession, catalog: str, name: str) -> DataFrame:
    """The rows of a table of the information schema, as they are now.

    :raises UnsupportedError: there is none of that name here.
    """
    if name.lower() not in VIEWS:
        raise UnsupportedError(f"{NAME}.{name} is not there", hint=f"there are {', '.join(VIEWS)}")
    columns, rows = VIEWS[name.lower()]
    found = [row for each in catalogs_of(spark, catalog) for row in rows(spark, each)]
    return spark.createDataFrame(found, columns)
