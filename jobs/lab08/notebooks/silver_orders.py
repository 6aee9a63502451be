# Databricks notebook source
# MAGIC %md
# MAGIC # silver_orders
# MAGIC The latest usable version of each order of a known customer; everything else goes to `quarantine_orders` with the reason.

# COMMAND ----------

from pyspark.sql import Window
from pyspark.sql import functions as F

catalog = dbutils.widgets.get("catalog")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.silver")

# COMMAND ----------

judged = spark.sql(f"""
    WITH typed AS (
      SELECT
        nullif(trim(order_id), '') AS order_id,
        nullif(trim(customer_id), '') AS customer_id,
        try_cast(trim(order_date) AS DATE) AS order_date,
        lower(trim(status)) AS status,
        try_cast(trim(amount) AS DECIMAL(12, 2)) AS amount,
        try_cast(trim(updated_at) AS TIMESTAMP) AS updated_at,
        _corrupt_record,
        source_file
      FROM {catalog}.bronze.bronze_orders
    )
    SELECT
      o.*,
      CASE
        WHEN o._corrupt_record IS NOT NULL THEN 'malformed_json'
        WHEN o.order_id IS NULL THEN 'missing_order_id'
        WHEN o.customer_id IS NULL THEN 'missing_customer_id'
        WHEN o.order_date IS NULL THEN 'bad_order_date'
        WHEN o.amount IS NULL THEN 'bad_amount'
        WHEN o.amount < 0 THEN 'negative_amount'
        WHEN c.customer_id IS NULL THEN 'unknown_customer'
      END AS reason
    FROM typed o
    LEFT JOIN {catalog}.silver.silver_customer c ON c.customer_id = o.customer_id
""")

# COMMAND ----------

refused = judged.where("reason IS NOT NULL")
refused.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
    f"{catalog}.silver.quarantine_orders"
)

# COMMAND ----------

newest_first = Window.partitionBy("order_id").orderBy(F.desc("updated_at"), F.desc("amount"), F.desc("status"))
latest = (
    judged.where("reason IS NULL")
    .withColumn("rank", F.row_number().over(newest_first))
    .where("rank = 1")
    .drop("rank", "reason", "_corrupt_record", "source_file")
)
latest.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
    f"{catalog}.silver.silver_orders"
)
