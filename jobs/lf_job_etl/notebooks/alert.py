# Databricks notebook source
# MAGIC %md
# MAGIC # alert
# MAGIC Runs only when one of the tasks before it failed. Writes what failed into `ops.alerts`.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")
run_id = dbutils.widgets.get("run_id")
names = ("bronze_ingest", "validation", "report")
states = {name: dbutils.widgets.get(f"state_{name}") for name in names}
failed = [name for name in names if states[name] in ("failed", "timedout")]

# COMMAND ----------

if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.ops")

# COMMAND ----------

message = f"run {run_id}: {', '.join(failed)} failed"
spark.createDataFrame([(run_id, ",".join(failed))], "run_id string, failed string").write.format("delta").mode(
    "append"
).saveAsTable(f"{catalog}.ops.alerts")
print(message)
