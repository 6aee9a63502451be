# Databricks notebook source
# MAGIC %md
# MAGIC # gold_customer_orders_summary
# MAGIC One row per customer, also for those without an order. Cancelled orders are counted and do not add to the amounts.
# MAGIC Orders of customers that do not exist go to `quarantine_customer_orders`.

# COMMAND ----------

dbutils.widgets.text("catalog", "retailhub")
dbutils.widgets.text("schema_silver", "silver")
dbutils.widgets.text("schema_gold", "gold")

catalog = dbutils.widgets.get("catalog")
schema_silver = dbutils.widgets.get("schema_silver")
schema_gold = dbutils.widgets.get("schema_gold")

customers = f"{catalog}.{schema_silver}.silver_customers"
orders = f"{catalog}.{schema_silver}.silver_orders_cleaned"
target = f"{catalog}.{schema_gold}.gold_customer_orders_summary"
quarantine = f"{catalog}.{schema_gold}.quarantine_customer_orders"

spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema_gold}")

# COMMAND ----------

unknown = spark.sql(f"""
    SELECT o.*, 'unknown_customer' AS reason
    FROM {orders} o
    LEFT ANTI JOIN {customers} c ON o.customer_id = c.customer_id
""")
unknown.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(quarantine)

# COMMAND ----------

summary = spark.sql(f"""
    WITH totals AS (
      SELECT
        customer_id,
        count(*) AS orders,
        count_if(status = 'cancelled') AS cancelled_orders,
        sum(CASE WHEN status <> 'cancelled' THEN amount ELSE 0 END) AS total_amount,
        min(order_date) AS first_order_date,
        max(order_date) AS last_order_date
      FROM {orders}
      GROUP BY customer_id
    )
    SELECT
      c.customer_id,
      c.name,
      c.email,
      c.country,
      coalesce(t.orders, 0) AS orders,
      coalesce(t.cancelled_orders, 0) AS cancelled_orders,
      CAST(coalesce(t.total_amount, 0) AS DECIMAL(18, 2)) AS total_amount,
      CAST(round(t.total_amount / nullif(t.orders - t.cancelled_orders, 0), 2) AS DECIMAL(18, 2)) AS average_amount,
      t.first_order_date,
      t.last_order_date
    FROM {customers} c
    LEFT JOIN totals t ON t.customer_id = c.customer_id
""")
summary.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(target)

# COMMAND ----------

display(spark.table(target).orderBy("total_amount", ascending=False).limit(10))
