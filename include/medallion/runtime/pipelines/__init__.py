"""Declarative pipelines: Spark's own engine, with Databricks' expectations, names and event log around it."""
