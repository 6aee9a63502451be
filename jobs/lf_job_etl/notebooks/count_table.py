# Databricks notebook source
# MAGIC %md
# MAGIC # count_table
# MAGIC Counts one table: the body of the for-each task. Each iteration writes a table of its own.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")
table = dbutils.widgets.get("table")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.gold")

rows = spark.table(f"{catalog}.bronze.{table}").count()
spark.createDataFrame([(table, rows)], "table string, rows long").write.format("delta").mode("overwrite").saveAsTable(
    f"{catalog}.gold.counts_of_{table}"
)
print(f"{table}: {rows} rows")
