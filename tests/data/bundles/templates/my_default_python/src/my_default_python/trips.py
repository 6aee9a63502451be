"""Reads the sample trips."""

from databricks.sdk.runtime import spark
from pyspark.sql import DataFrame


def every_trip() -> DataFrame:
    """All sample trips."""
    return spark.read.table("samples.nyctaxi.trips")
