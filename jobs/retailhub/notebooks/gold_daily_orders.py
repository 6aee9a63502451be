# Databricks notebook source
# MAGIC %md
# MAGIC # gold_daily_orders
# MAGIC One row per day. Cancelled orders are counted and do not add to the amounts.

# COMMAND ----------

dbutils.widgets.text("catalog", "retailhub")
dbutils.widgets.text("schema_silver", "silver")
dbutils.widgets.text("schema_gold", "gold")

catalog = dbutils.widgets.get("catalog")
schema_silver = dbutils.widgets.get("schema_silver")
schema_gold = dbutils.widgets.get("schema_gold")

orders = f"{catalog}.{schema_silver}.silver_orders_cleaned"
target = f"{catalog}.{schema_gold}.gold_daily_orders"

spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema_gold}")

# COMMAND ----------

daily = spark.sql(f"""
    WITH days AS (
      SELECT
        order_date,
        count(*) AS orders,
        count_if(status = 'cancelled') AS cancelled_orders,
        count(DISTINCT customer_id) AS customers,
        sum(CASE WHEN status <> 'cancelled' THEN amount ELSE 0 END) AS total_amount
      FROM {orders}
      GROUP BY order_date
    )
    SELECT
      order_date,
      orders,
      cancelled_orders,
      customers,
      CAST(total_amount AS DECIMAL(18, 2)) AS total_amount,
      CAST(round(total_amount / nullif(orders - cancelled_orders, 0), 2) AS DECIMAL(18, 2)) AS average_amount
    FROM days
""")
daily.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(target)

# COMMAND ----------

display(spark.table(target).orderBy("order_date").limit(10))
