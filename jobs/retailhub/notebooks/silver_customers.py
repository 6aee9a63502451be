# Databricks notebook source
# MAGIC %md
# MAGIC # silver_customers
# MAGIC One row per customer: typed, trimmed, the latest version. Rows that cannot be used go to `quarantine_customers` with the reason.

# COMMAND ----------

from pyspark.sql import Window
from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "retailhub")
dbutils.widgets.text("schema_bronze", "bronze")
dbutils.widgets.text("schema_silver", "silver")

catalog = dbutils.widgets.get("catalog")
schema_bronze = dbutils.widgets.get("schema_bronze")
schema_silver = dbutils.widgets.get("schema_silver")
source = f"{catalog}.{schema_bronze}.bronze_customers"
target = f"{catalog}.{schema_silver}.silver_customers"
quarantine = f"{catalog}.{schema_silver}.quarantine_customers"

spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema_silver}")

# COMMAND ----------

# MAGIC %md
# MAGIC The first rule that a row breaks is its reason.

# COMMAND ----------

def clean(column):
    """Text with single blanks and none at its ends; empty text is null."""
    return F.nullif(F.trim(F.regexp_replace(column, r"\s+", " ")), F.lit(""))


bronze = spark.table(source)
typed = {
    "customer_id": clean("customer_id"),
    "name": clean("name"),
    "email": F.lower(clean("email")),
    "address": clean("address"),
    "country": F.upper(clean("country")),
    "signup_date": F.expr("try_cast(trim(signup_date) AS DATE)"),
    "updated_at": F.expr("try_cast(trim(updated_at) AS TIMESTAMP)"),
}
reason = (
    F.when(F.col("_corrupt_record").isNotNull(), "malformed_row")
    .when(typed["customer_id"].isNull(), "missing_customer_id")
    .when(~F.coalesce(typed["email"].rlike(r"^[^@ ]+@[^@ ]+\.[^@ ]+$"), F.lit(False)), "bad_email")
    .when(typed["signup_date"].isNull(), "bad_signup_date")
    .when(typed["updated_at"].isNull(), "bad_updated_at")
)

refused = bronze.withColumn("reason", reason).where("reason IS NOT NULL")
good = bronze.where(reason.isNull()).select(*[column.alias(name) for name, column in typed.items()], "ingest_time")



def latest(rows):
    """The newest version of each row; the rest of the order only makes a tie come out the same every time."""
    newest_first = Window.partitionBy("customer_id").orderBy(F.desc("updated_at"), F.desc("email"), F.desc("name"))
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
    latest(arrived).createOrReplaceTempView("arrived_customers")
    spark.sql(f"""
        MERGE INTO {target} AS t
        USING arrived_customers AS s
        ON t.customer_id = s.customer_id
        WHEN MATCHED AND s.updated_at > t.updated_at THEN UPDATE SET *
        WHEN NOT MATCHED THEN INSERT *
    """)
