# Databricks notebook source
# MAGIC %md
# MAGIC # silver_orders_cleaned
# MAGIC A SQL cell types and judges the rows; `_sqldf`, its result, is split into the clean table and the quarantine.

# COMMAND ----------

from pyspark.sql import Window
from pyspark.sql import functions as F

catalog = dbutils.widgets.get("catalog")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.silver")

# COMMAND ----------

# MAGIC %sql
# MAGIC WITH typed AS (
# MAGIC   SELECT
# MAGIC     nullif(trim(order_id), '') AS order_id,
# MAGIC     nullif(trim(customer_id), '') AS customer_id,
# MAGIC     try_cast(trim(order_date) AS DATE) AS order_date,
# MAGIC     lower(trim(status)) AS status,
# MAGIC     lower(trim(channel)) AS channel,
# MAGIC     try_cast(trim(amount) AS DECIMAL(12, 2)) AS amount,
# MAGIC     try_cast(trim(updated_at) AS TIMESTAMP) AS updated_at,
# MAGIC     struct(*) AS raw
# MAGIC   FROM IDENTIFIER(:catalog || '.bronze.bronze_orders')
# MAGIC )
# MAGIC SELECT
# MAGIC   *,
# MAGIC   CASE
# MAGIC     WHEN raw._corrupt_record IS NOT NULL THEN 'malformed_json'
# MAGIC     WHEN order_id IS NULL THEN 'missing_order_id'
# MAGIC     WHEN customer_id IS NULL THEN 'missing_customer_id'
# MAGIC     WHEN order_date IS NULL THEN 'bad_order_date'
# MAGIC     WHEN amount IS NULL THEN 'bad_amount'
# MAGIC     WHEN amount < 0 THEN 'negative_amount'
# MAGIC     WHEN updated_at IS NULL THEN 'bad_updated_at'
# MAGIC   END AS reason
# MAGIC FROM typed

# COMMAND ----------

judged = _sqldf

refused = judged.where("reason IS NOT NULL").select("raw.*", "reason")
refused.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
    f"{catalog}.silver.quarantine_orders"
)

# COMMAND ----------

newest_first = Window.partitionBy("order_id").orderBy(F.desc("updated_at"), F.desc("amount"), F.desc("status"))
cleaned = (
    judged.where("reason IS NULL")
    .withColumn("rank", F.row_number().over(newest_first))
    .where("rank = 1")
    .drop("rank", "raw", "reason")
)
cleaned.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
    f"{catalog}.silver.silver_orders_cleaned"
)
