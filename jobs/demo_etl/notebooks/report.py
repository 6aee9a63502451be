# Databricks notebook source
# MAGIC %md
# MAGIC # report
# MAGIC One row of totals and averages. Shows the four kinds of widgets, and the run's references that the job hands over.

# COMMAND ----------

dbutils.widgets.text("source_table", "main.demo_etl.trips_enriched", "Source table")
dbutils.widgets.text("report_table", "main.demo_etl.trips_report", "Report table")
dbutils.widgets.dropdown("decimals", "2", ["0", "1", "2", "3"], "Decimals shown")
dbutils.widgets.combobox("currency", "USD", ["USD", "EUR", "PLN"], "Currency")
dbutils.widgets.multiselect("sections", "totals", ["totals", "averages", "run"], "Sections printed")

source_table = dbutils.widgets.get("source_table")
report_table = dbutils.widgets.get("report_table")

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT
# MAGIC   count(*) AS trips,
# MAGIC   sum(fare_amount) AS total_fare,
# MAGIC   sum(trip_distance) AS total_miles,
# MAGIC   avg(fare_amount) AS average_fare,
# MAGIC   avg(trip_duration_minutes) AS average_minutes,
# MAGIC   avg(cost_per_mile) AS average_cost_per_mile,
# MAGIC   max(processing_date) AS processing_date
# MAGIC FROM IDENTIFIER(:source_table)

# COMMAND ----------

report = _sqldf
report.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(report_table)

# COMMAND ----------

row = spark.table(report_table).first()
digits = int(dbutils.widgets.get("decimals"))
currency = dbutils.widgets.get("currency")
sections = dbutils.widgets.get("sections").split(",")

print(f"{row.trips} trips, {row.total_miles:.{digits}f} miles, {row.total_fare:.{digits}f} {currency}")
if "averages" in sections:
    print(f"average: {row.average_fare:.{digits}f} {currency}, {row.average_minutes:.{digits}f} minutes")

# COMMAND ----------

# MAGIC %md
# MAGIC The job sets these by `{{…}}`. A reference that Databricks does not know stays as it was written.

# COMMAND ----------

given = dbutils.widgets.getAll()
for name in ("run_date", "started", "job_id", "run_id", "task_name"):
    print(f"{name}: {given.get(name, 'not in a job')}")

# COMMAND ----------

dbutils.widgets.removeAll()
