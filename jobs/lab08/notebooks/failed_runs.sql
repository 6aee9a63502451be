-- Databricks notebook source
-- MAGIC %md
-- MAGIC # failed_runs
-- MAGIC Practice: which runs failed in the last 7 days? Run it by hand or as a task; it reads the system tables alone.

-- COMMAND ----------

SELECT job_id, run_id, run_name, result_state, termination_code, period_start_time, period_end_time
FROM system.lakeflow.job_run_timeline
WHERE result_state = 'FAILED'
  AND period_start_time >= current_date() - INTERVAL 7 DAYS
ORDER BY period_start_time DESC
