# Databricks notebook source
# MAGIC %md
# MAGIC # ingest
# MAGIC Makes a small table of sales and leaves its number of rows as a task value.

# COMMAND ----------

from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "lab08")
dbutils.widgets.text("rows", "1000")

catalog = dbutils.widgets.get("catalog")
rows = int(dbutils.widgets.get("rows"))

if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.fan_out")

# COMMAND ----------

sales = spark.range(rows).select(
    F.col("id").alias("sale_id"),
    (F.col("id") % 17).alias("product_id"),
    F.date_add(F.lit("2025-01-01").cast("date"), (F.col("id") % 31).cast("int")).alias("sale_date"),
    ((F.col("id") * 7 % 100 + 1) / 4).cast("decimal(10, 2)").alias("amount"),
)
sales.write.format("delta").mode("overwrite").saveAsTable(f"{catalog}.fan_out.sales")

# COMMAND ----------

dbutils.jobs.taskValues.set("row_count", rows)
