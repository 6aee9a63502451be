# Databricks notebook source
# MAGIC %md
# MAGIC # silver_customer
# MAGIC The latest usable version of each customer. The table is written at every run, so every run starts `orders_pipeline`.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")
spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.silver")

judged = spark.sql(f"""
    SELECT
      *,
      CASE
        WHEN _corrupt_record IS NOT NULL THEN 'malformed_row'
        WHEN coalesce(trim(customer_id), '') = '' THEN 'missing_customer_id'
        WHEN coalesce(trim(email), '') NOT LIKE '%_@_%._%' THEN 'bad_email'
        WHEN try_cast(trim(signup_date) AS DATE) IS NULL THEN 'bad_signup_date'
      END AS reason
    FROM {catalog}.bronze.bronze_customer
""")

# COMMAND ----------

refused = judged.where("reason IS NOT NULL")
refused.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
    f"{catalog}.silver.quarantine_customer"
)

# COMMAND ----------

from pyspark.sql import Window
from pyspark.sql import functions as F

newest_first = Window.partitionBy("customer_id").orderBy(F.desc("updated_at"), F.desc("email"), F.desc("name"))
latest = (
    judged.where("reason IS NULL")
    .selectExpr(
        "trim(customer_id) AS customer_id",
        "trim(regexp_replace(name, ' +', ' ')) AS name",
        "lower(trim(email)) AS email",
        "upper(trim(country)) AS country",
        "CAST(trim(signup_date) AS DATE) AS signup_date",
        "try_cast(trim(updated_at) AS TIMESTAMP) AS updated_at",
    )
    .withColumn("rank", F.row_number().over(newest_first))
    .where("rank = 1")
    .drop("rank")
)
latest.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(
    f"{catalog}.silver.silver_customer"
)
