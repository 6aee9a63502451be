# Databricks notebook source
# MAGIC %md
# MAGIC # Monthly files as they come
# MAGIC Auto Loader takes each CSV file of the volume once, finds the columns by the files' headers and keeps what does not fit
# MAGIC in `_rescued_data`. A new column fails the task once; its retry goes on with the column in the table.

# COMMAND ----------

from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "workspace")
dbutils.widgets.text("schema", "ecommerce")
dbutils.widgets.text("source_path", "/Volumes/workspace/ecommerce/ecommerce_data")
dbutils.widgets.text("state_path", "/Volumes/workspace/ecommerce/ingest_state")

source_path, state_path = dbutils.widgets.get("source_path"), dbutils.widgets.get("state_path")
schema = f"{dbutils.widgets.get('catalog')}.{dbutils.widgets.get('schema')}"
table = f"{schema}.raw_events"

# COMMAND ----------

if not any(row.catalog == dbutils.widgets.get("catalog") for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {dbutils.widgets.get('catalog')}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {schema}")
before = spark.table(table).count() if spark.catalog.tableExists(table) else 0

events = (
    spark.readStream.format("cloudFiles")
    .option("cloudFiles.format", "csv")
    .option("cloudFiles.schemaLocation", state_path)
    .option("cloudFiles.inferColumnTypes", "true")
    .option("cloudFiles.schemaHints", "event_time STRING, category_id STRING, user_session STRING, price DOUBLE")
    .option("cloudFiles.maxFilesPerTrigger", 1)
    .option("pathGlobFilter", "20*.csv")
    .option("header", "true")
    .load(source_path)
    .select("*", F.col("_metadata.file_name").alias("source_file"))
)
query = (
    events.writeStream.option("checkpointLocation", state_path)
    .option("mergeSchema", "true")
    .trigger(availableNow=True)
    .toTable(table)
)
query.awaitTermination()

# COMMAND ----------

display(
    spark.table(table)
    .groupBy("source_file")
    .agg(F.count("*").alias("events"), F.count("_rescued_data").alias("with_rescued_data"))
    .orderBy("source_file")
)
added = spark.table(table).count() - before
dbutils.jobs.taskValues.set("events_added", added)
dbutils.notebook.exit(f"{added} events added to {table}")
