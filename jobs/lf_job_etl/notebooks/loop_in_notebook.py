# Databricks notebook source
# MAGIC %md
# MAGIC # loop_in_notebook
# MAGIC Counts the three tables one after the other, in one notebook.

# COMMAND ----------

import json

catalog = dbutils.widgets.get("catalog")
tables = json.loads(dbutils.widgets.get("tables"))
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.gold")

# COMMAND ----------

counts = [(table, spark.table(f"{catalog}.bronze.{table}").count()) for table in tables]
spark.createDataFrame(counts, "table string, rows long").write.format("delta").mode("overwrite").saveAsTable(
    f"{catalog}.gold.counts_of_loop"
)
