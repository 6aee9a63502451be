# Databricks notebook source
# MAGIC %md
# MAGIC # audit
# MAGIC Always runs, and runs last: who ran what when, rows, seconds, into `ops.audit`.

# COMMAND ----------

import time

catalog = dbutils.widgets.get("catalog")
user = spark.sql("SELECT current_user()").first()[0]
seconds = time.time() - int(dbutils.widgets.get("started")) / 1000
rows = dbutils.jobs.taskValues.get(taskKey="bronze_ingest", key="rows", default=0, debugValue=0)

# COMMAND ----------

if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.ops")

# COMMAND ----------

line = (
    dbutils.widgets.get("run_id"),
    dbutils.widgets.get("job_name"),
    user,
    *(dbutils.widgets.get(f"state_{name}") for name in ("bronze_ingest", "validation", "report")),
    int(dbutils.widgets.get("attempts")),
    int(rows),
    float(seconds),
)
columns = "run_id string, job string, user string, bronze_ingest string, validation string, report string"
spark.createDataFrame([line], f"{columns}, attempts int, rows long, seconds double").selectExpr(
    "current_timestamp() AS at", "*"
).write.format("delta").mode("append").saveAsTable(f"{catalog}.ops.audit")
