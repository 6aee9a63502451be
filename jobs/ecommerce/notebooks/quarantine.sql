-- Databricks notebook source
-- MAGIC %md
-- MAGIC # Quarantine
-- MAGIC Too many rows of the month were refused: they are kept for people to look at, and gold stays as it was.

-- COMMAND ----------

CREATE TABLE IF NOT EXISTS IDENTIFIER(:catalog || '.' || :schema || '.quarantine_events')
AS SELECT *, current_timestamp() AS quarantined_at FROM $catalog.$schema.rejected_events WHERE false;

-- COMMAND ----------

DELETE FROM $catalog.$schema.quarantine_events WHERE month = '2019-' || :month;

INSERT INTO $catalog.$schema.quarantine_events
SELECT *, current_timestamp() FROM $catalog.$schema.rejected_events WHERE month = '2019-' || :month;

-- COMMAND ----------

SELECT reason, count(*) AS rows FROM IDENTIFIER(:catalog || '.' || :schema || '.quarantine_events')
WHERE month = '2019-' || :month GROUP BY reason ORDER BY rows DESC
