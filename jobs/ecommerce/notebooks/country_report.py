# Databricks notebook source
# MAGIC %md
# MAGIC # Report of one country
# MAGIC `:name` is a value, `$name` is put into the text.

# COMMAND ----------

dbutils.widgets.text("catalog", "workspace")
dbutils.widgets.text("schema", "ecommerce")
dbutils.widgets.dropdown("month", "Oct", ["Oct", "Nov"])
dbutils.widgets.text("country", "PL")

# COMMAND ----------

# MAGIC %sql
# MAGIC INSERT INTO $catalog.$schema.country_reports
# MAGIC REPLACE WHERE country = '$country' AND month = '2019-$month'
# MAGIC SELECT :country AS country, '2019-' || :month AS month, count(DISTINCT e.user_id) AS buyers, count(e.user_id) AS purchases,
# MAGIC   coalesce(sum(e.price), 0) AS revenue
# MAGIC FROM IDENTIFIER(:catalog || '.' || :schema || '.silver_events') e
# MAGIC JOIN IDENTIFIER(:catalog || '.' || :schema || '.users') u ON u.user_id = e.user_id
# MAGIC WHERE u.country = :country AND e.month = '2019-' || :month AND e.event_type = 'purchase'

# COMMAND ----------

# MAGIC %sql
# MAGIC SELECT * FROM $catalog.$schema.country_reports WHERE country = :country ORDER BY month
