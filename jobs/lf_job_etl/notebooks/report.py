# Databricks notebook source
# MAGIC %md
# MAGIC # report
# MAGIC Revenue per customer. Runs only when `validation` succeeded.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.gold")

revenue = spark.sql(f"""
    SELECT c.customer_id, c.name, count(*) AS orders, sum(o.quantity * p.price) AS revenue
    FROM {catalog}.bronze.orders o
    JOIN {catalog}.bronze.customers c ON c.customer_id = o.customer_id
    JOIN {catalog}.bronze.products p ON p.product_id = o.product_id
    GROUP BY c.customer_id, c.name
""")
revenue.write.format("delta").mode("overwrite").saveAsTable(f"{catalog}.gold.revenue")
