"""Medallion: Databricks Lakeflow Jobs, as they are written, on Apache Airflow 3, Spark and Delta Lake."""

__version__ = "0.1.0"
