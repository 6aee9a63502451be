# Databricks notebook source
# MAGIC %md
# MAGIC # monitoring
# MAGIC How long do runs take? From the system tables: the average of each day and job over 14 days, the latest 20 rows.

# COMMAND ----------

averages = spark.sql("""
    SELECT
        date(period_start_time) AS day,
        job_id,
        count(DISTINCT run_id) AS runs,
        avg(unix_timestamp(period_end_time) - unix_timestamp(period_start_time)) AS average_seconds
    FROM system.lakeflow.job_run_timeline
    WHERE period_start_time >= current_date() - INTERVAL 14 DAYS
    GROUP BY date(period_start_time), job_id
    ORDER BY day DESC, job_id
""")
averages.display()

# COMMAND ----------

latest = spark.sql("""
    SELECT job_id, run_id, run_name, result_state, period_start_time, period_end_time
    FROM system.lakeflow.job_run_timeline
    ORDER BY period_start_time DESC
    LIMIT 20
""")
latest.display()

# COMMAND ----------

import json

dbutils.notebook.exit(json.dumps({"days": averages.count(), "latest": [row.run_id for row in latest.collect()]}))
