# Databricks notebook source
# MAGIC %md
# MAGIC # validation
# MAGIC Fails when an order has no positive quantity.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")

bad = spark.table(f"{catalog}.bronze.orders").where("quantity <= 0").count()
dbutils.jobs.taskValues.set("bad", bad)
if bad:
    raise ValueError(f"{bad} orders have no positive quantity")
