# Databricks notebook source
# MAGIC %md
# MAGIC # bronze_orders
# MAGIC The order files as they came, with their names and the time they were read.

# COMMAND ----------

from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "lab08")
dbutils.widgets.text("source_path", "/Volumes/lab08/default/datasets")

catalog = dbutils.widgets.get("catalog")
source_path = dbutils.widgets.get("source_path")
target = f"{catalog}.bronze.bronze_orders"

# COMMAND ----------

if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.bronze")

# COMMAND ----------

columns = "order_id STRING, customer_id STRING, order_date STRING, status STRING, channel STRING, amount STRING, updated_at STRING"

landed = (
    spark.read.schema(f"{columns}, _corrupt_record STRING")
    .json(f"{source_path}/orders")
    .select(
        "*",
        F.col("_metadata.file_path").alias("source_file"),
        F.col("_metadata.file_modification_time").alias("source_modified"),
        F.current_timestamp().alias("ingest_time"),
    )
)

# COMMAND ----------

if spark.catalog.tableExists(target):
    # rows of a file that did not change keep the time of their first ingest
    file = ["source_file", "source_modified"]
    before = spark.table(target).groupBy(file).agg(F.min("ingest_time").alias("first_time"))
    landed = (
        landed.join(F.broadcast(before), file, "left")
        .withColumn("ingest_time", F.coalesce("first_time", "ingest_time"))
        .select(landed.columns)
    )

landed.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(target)
