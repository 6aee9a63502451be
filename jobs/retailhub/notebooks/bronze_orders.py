# Databricks notebook source
# MAGIC %md
# MAGIC # bronze_orders
# MAGIC Orders as they came: every column as text, every row kept, with the file it came from and the time it was read.
# MAGIC A file that was read before is not read again; a file that changed replaces its own rows.

# COMMAND ----------

from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "retailhub")
dbutils.widgets.text("schema", "bronze")
dbutils.widgets.text("source_path", "/Volumes/retailhub/default/datasets/orders")

catalog = dbutils.widgets.get("catalog")
schema = dbutils.widgets.get("schema")
source_path = dbutils.widgets.get("source_path")
target = f"{catalog}.{schema}.bronze_orders"

# COMMAND ----------

if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema}")

# COMMAND ----------

# MAGIC %md
# MAGIC A line that is not JSON is kept whole in `_corrupt_record`.

# COMMAND ----------

columns = "order_id STRING, customer_id STRING, order_date STRING, status STRING, channel STRING, amount STRING, updated_at STRING"

landed = (
    spark.read.schema(f"{columns}, _corrupt_record STRING")
    .json(source_path)
    .select(
        "*",
        F.col("_metadata.file_path").alias("source_file"),
        F.col("_metadata.file_modification_time").alias("source_modified"),
        F.current_timestamp().alias("ingest_time"),
    )
)

# COMMAND ----------

if not spark.catalog.tableExists(target):
    landed.write.format("delta").saveAsTable(target)
else:
    files = spark.read.format("binaryFile").load(source_path)
    known = spark.table(target).select("source_file", "source_modified").distinct()
    fresh = files.select(
        F.col("_metadata.file_path").alias("source_file"), F.col("modificationTime").alias("source_modified")
    ).join(known, ["source_file", "source_modified"], "left_anti")
    names = [row.source_file for row in fresh.collect()]
    print(f"{len(names)} new or changed files")
    if names:
        # one commit: the former rows of these files go, the new ones come
        of_these_files = F.col("source_file").isin(names)
        landed.where(of_these_files).writeTo(target).overwrite(of_these_files)
