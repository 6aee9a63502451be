# Databricks notebook source
# MAGIC %md
# MAGIC # transform
# MAGIC Adds the length of each trip, its price per mile and the day of processing. Reads what `validate` left.

# COMMAND ----------

import json

from pyspark.sql import functions as F

dbutils.widgets.text("source_table", "samples.nyctaxi.trips")
dbutils.widgets.text("target_table", "main.demo_etl.trips_enriched")
dbutils.widgets.text("processing_date", "2025-01-01")

source_table = dbutils.widgets.get("source_table")
target_table = dbutils.widgets.get("target_table")
processing_date = dbutils.widgets.get("processing_date")

# COMMAND ----------

checked = json.loads(
    dbutils.jobs.taskValues.get(taskKey="validate", key="returnValue", default="{}", debugValue="{}")
)
print(f"validate found {checked.get('row_count', 'an unknown number of')} rows")

# COMMAND ----------

catalog, schema, _ = target_table.split(".")
if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema}")

# COMMAND ----------

seconds = F.unix_timestamp("tpep_dropoff_datetime") - F.unix_timestamp("tpep_pickup_datetime")

trips = (
    spark.table(source_table)
    .withColumn("trip_duration_minutes", seconds / 60)
    .withColumn("cost_per_mile", F.when(F.col("trip_distance") > 0, F.col("fare_amount") / F.col("trip_distance")))
    .withColumn("processing_date", F.lit(processing_date).cast("date"))
)
trips.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(target_table)

# COMMAND ----------

display(spark.table(target_table).limit(10))

dbutils.jobs.taskValues.set("target_table", target_table)
