# Databricks notebook source
# MAGIC %md
# MAGIC # gold_summary
# MAGIC One row: the span of days, the totals and the best day. It is also the notebook's exit value.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")
target = f"{catalog}.gold.gold_summary"

summary = spark.sql(f"""
    SELECT
      min(order_date) AS first_day,
      max(order_date) AS last_day,
      sum(orders) AS orders,
      sum(total_amount) AS total_amount,
      max_by(order_date, struct(total_amount, order_date)) AS best_day
    FROM {catalog}.gold.gold_daily_orders
""")
summary.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(target)

# COMMAND ----------

import json

written = spark.table(target)
written.display()

dbutils.notebook.exit(json.dumps(written.first().asDict(), default=str))
