# Databricks notebook source
# MAGIC %md
# MAGIC # bronze_customer
# MAGIC Takes the job's parameters `catalog` and `source_path`. The table is written whole; rows of a file that did not
# MAGIC change keep the time of their first ingest.

# COMMAND ----------

from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "retailhub_trainer")
dbutils.widgets.text("source_path", "/Volumes/retailhub_trainer/default/datasets")

catalog = dbutils.widgets.get("catalog")
source_path = dbutils.widgets.get("source_path")
target = f"{catalog}.bronze.bronze_customer"

# COMMAND ----------

if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.bronze")

# COMMAND ----------

columns = "customer_id STRING, name STRING, email STRING, address STRING, country STRING, signup_date STRING, updated_at STRING"

landed = (
    spark.read.schema(f"{columns}, _corrupt_record STRING")
    .options(header=True, multiLine=True, escape='"')
    .csv(f"{source_path}/customers")
    .select(
        "*",
        F.col("_metadata.file_path").alias("source_file"),
        F.col("_metadata.file_modification_time").alias("source_modified"),
        F.current_timestamp().alias("ingest_time"),
    )
)

# COMMAND ----------

if spark.catalog.tableExists(target):
    file = ["source_file", "source_modified"]
    before = spark.table(target).groupBy(file).agg(F.min("ingest_time").alias("first_time"))
    landed = (
        landed.join(F.broadcast(before), file, "left")
        .withColumn("ingest_time", F.coalesce("first_time", "ingest_time"))
        .select(landed.columns)
    )

landed.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(target)
