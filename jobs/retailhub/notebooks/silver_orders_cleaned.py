# Databricks notebook source
# MAGIC %md
# MAGIC # silver_orders_cleaned
# MAGIC One row per order: typed, trimmed, the latest version. Rows that cannot be used go to `quarantine_orders` with the reason.

# COMMAND ----------

from pyspark.sql import Window
from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "retailhub")
dbutils.widgets.text("schema_bronze", "bronze")
dbutils.widgets.text("schema_silver", "silver")

catalog = dbutils.widgets.get("catalog")
schema_bronze = dbutils.widgets.get("schema_bronze")
schema_silver = dbutils.widgets.get("schema_silver")
source = f"{catalog}.{schema_bronze}.bronze_orders"
target = f"{catalog}.{schema_silver}.silver_orders_cleaned"
quarantine = f"{catalog}.{schema_silver}.quarantine_orders"

spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema_silver}")

# COMMAND ----------

# MAGIC %md
# MAGIC The first rule that a row breaks is its reason. Whether the customer exists is asked in gold: this task does not wait for the customers.

# COMMAND ----------

def clean(name):
    """Text without blanks at its ends; empty text is null."""
    return F.nullif(F.trim(F.col(name)), F.lit(""))


bronze = spark.table(source)
typed = {
    "order_id": clean("order_id"),
    "customer_id": clean("customer_id"),
    "order_date": F.expr("try_cast(trim(order_date) AS DATE)"),
    "status": F.lower(clean("status")),
    "channel": F.lower(clean("channel")),
    "amount": F.expr("try_cast(trim(amount) AS DECIMAL(12, 2))"),
    "updated_at": F.expr("try_cast(trim(updated_at) AS TIMESTAMP)"),
}
reason = (
    F.when(F.col("_corrupt_record").isNotNull(), "malformed_json")
    .when(typed["order_id"].isNull(), "missing_order_id")
    .when(typed["customer_id"].isNull(), "missing_customer_id")
    .when(typed["order_date"].isNull(), "bad_order_date")
    .when(typed["amount"].isNull(), "bad_amount")
    .when(typed["amount"] < 0, "negative_amount")
    .when(typed["updated_at"].isNull(), "bad_updated_at")
)

refused = bronze.withColumn("reason", reason).where("reason IS NOT NULL")
good = bronze.where(reason.isNull()).select(*[column.alias(name) for name, column in typed.items()], "ingest_time")



def latest(rows):
    """The newest version of each row; the rest of the order only makes a tie come out the same every time."""
    newest_first = Window.partitionBy("order_id").orderBy(F.desc("updated_at"), F.desc("amount"), F.desc("status"))
    return rows.withColumn("rank", F.row_number().over(newest_first)).where("rank = 1").drop("rank")

# COMMAND ----------

refused.write.format("delta").mode("overwrite").option("overwriteSchema", True).saveAsTable(quarantine)

# COMMAND ----------

# MAGIC %md
# MAGIC The first load creates the table. Later ones merge only what bronze took in since: a newer version wins.

# COMMAND ----------

if not spark.catalog.tableExists(target):
    latest(good).write.format("delta").saveAsTable(target)
else:
    arrived = good.where(f"ingest_time > (SELECT max(ingest_time) FROM {target})")
    latest(arrived).createOrReplaceTempView("arrived_orders")
    spark.sql(f"""
        MERGE INTO {target} AS t
        USING arrived_orders AS s
        ON t.order_id = s.order_id
        WHEN MATCHED AND s.updated_at > t.updated_at THEN UPDATE SET *
        WHEN NOT MATCHED THEN INSERT *
    """)
