# Databricks notebook source
# MAGIC %md
# MAGIC # validate
# MAGIC Fails when the source table holds too few rows. Leaves what it found as the notebook's exit value.

# COMMAND ----------

import json

dbutils.widgets.text("source_table", "samples.nyctaxi.trips", "Source table")
dbutils.widgets.text("min_rows", "1000", "Fewest rows")

source_table = dbutils.widgets.get("source_table")
min_rows = int(dbutils.widgets.get("min_rows"))

# COMMAND ----------

row_count = spark.table(source_table).count()
print(f"{source_table}: {row_count} rows, at least {min_rows} wanted")

if row_count < min_rows:
    raise ValueError(f"{source_table} holds {row_count} rows, fewer than {min_rows}")

# COMMAND ----------

dbutils.notebook.exit(json.dumps({"source_table": source_table, "row_count": row_count, "status": "valid"}))
