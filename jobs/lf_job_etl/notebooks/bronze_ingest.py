# Databricks notebook source
# MAGIC %md
# MAGIC # bronze_ingest
# MAGIC Makes three bronze tables. `fail` = `always` fails every attempt, a number fails that many attempts, `never` none.

# COMMAND ----------

from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "lf_etl")
dbutils.widgets.text("rows", "300")
dbutils.widgets.text("bad_rows", "0")
dbutils.widgets.text("fail", "never")
dbutils.widgets.text("execution_count", "1")

catalog = dbutils.widgets.get("catalog")
rows = int(dbutils.widgets.get("rows"))
bad_rows = int(dbutils.widgets.get("bad_rows"))
fail = dbutils.widgets.get("fail")
attempt = int(dbutils.widgets.get("execution_count"))

# COMMAND ----------

if fail == "always" or (fail.isdigit() and attempt <= int(fail)):
    raise RuntimeError(f"bronze_ingest was told to fail (job parameter fail = {fail}), attempt {attempt}")

# COMMAND ----------

if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.bronze")

# COMMAND ----------

customers = spark.range(rows // 10).select(
    F.col("id").alias("customer_id"), F.concat(F.lit("Customer "), F.col("id")).alias("name")
)
products = spark.range(rows // 20).select(
    F.col("id").alias("product_id"), ((F.col("id") * 37 % 90 + 10) / 2).cast("decimal(10, 2)").alias("price")
)
orders = spark.range(rows).select(
    F.col("id").alias("order_id"),
    (F.col("id") % (rows // 10)).alias("customer_id"),
    (F.col("id") % (rows // 20)).alias("product_id"),
    F.when(F.col("id") < bad_rows, F.lit(-1)).otherwise(F.col("id") % 5 + 1).alias("quantity"),
)
for name, frame in {"customers": customers, "products": products, "orders": orders}.items():
    frame.write.format("delta").mode("overwrite").saveAsTable(f"{catalog}.bronze.{name}")

# COMMAND ----------

dbutils.jobs.taskValues.set("rows", rows)
