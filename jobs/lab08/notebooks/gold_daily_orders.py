# Databricks notebook source
# MAGIC %md
# MAGIC # gold_daily_orders
# MAGIC Orders and amounts per day; cancelled orders are left out.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.gold")

daily = spark.sql(f"""
    SELECT order_date, count(*) AS orders, count(DISTINCT customer_id) AS customers, sum(amount) AS total_amount
    FROM {catalog}.silver.silver_orders
    WHERE status <> 'cancelled'
    GROUP BY order_date
""")
daily.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
    f"{catalog}.gold.gold_daily_orders"
)

# COMMAND ----------

display(spark.table(f"{catalog}.gold.gold_daily_orders").orderBy("order_date").limit(10))
