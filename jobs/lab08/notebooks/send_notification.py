# Databricks notebook source
# MAGIC %md
# MAGIC # send_notification
# MAGIC Says what the report holds. A mail or a message would be sent here.

# COMMAND ----------

import json

summary = dbutils.jobs.taskValues.get(taskKey="generate_report", key="summary", default={}, debugValue={})
message = f"Report ready: {summary.get('sales', 0)} sales of {summary.get('products', 0)} products"
print(message)

dbutils.notebook.exit(json.dumps({"message": message, **summary}))
