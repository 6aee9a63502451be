# Databricks notebook source
# MAGIC %md
# MAGIC # Bronze, silver, gold
# MAGIC One notebook for three tasks: the widget `layer` says which. A second run over the same month changes nothing.

# COMMAND ----------

from pyspark.sql import Window
from pyspark.sql import functions as F

dbutils.widgets.text("catalog", "workspace")
dbutils.widgets.text("schema", "ecommerce")
dbutils.widgets.text("source_path", "/Volumes/workspace/ecommerce/ecommerce_data")
dbutils.widgets.dropdown("layer", "bronze", ["bronze", "silver", "gold"])
dbutils.widgets.dropdown("month", "Oct", ["Oct", "Nov"])

source_path = dbutils.widgets.get("source_path")
layer = dbutils.widgets.get("layer")
month = f"2019-{dbutils.widgets.get('month')}"
catalog, schema = dbutils.widgets.get("catalog"), dbutils.widgets.get("schema")

COLUMNS = [
    *("event_time", "event_type", "product_id", "category_id", "category_code", "brand", "price", "user_id"),
    "user_session",
]
TYPES = ("view", "cart", "remove_from_cart", "purchase")


def name(table: str) -> str:
    """A table of this job."""
    return f"{catalog}.{schema}.{table}"


def replace_month(frame, table: str) -> None:
    """Put this month's rows in place of those of an earlier run, in one commit."""
    if not spark.catalog.tableExists(name(table)):
        frame.write.partitionBy("month").saveAsTable(name(table))
    else:
        frame.write.mode("overwrite").option("replaceWhere", f"month = '{month}'").saveAsTable(name(table))
    print(f"{name(table)}: {frame.count()} rows of {month}")


# COMMAND ----------

# MAGIC %md
# MAGIC ## Bronze: every row as it came, all columns as text

# COMMAND ----------


def bronze() -> None:
    if not any(row.catalog == catalog for row in spark.sql("SHOW CATALOGS").collect()):
        spark.sql(f"CREATE CATALOG IF NOT EXISTS {catalog}")
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {catalog}.{schema}")
    file = f"{source_path}/{month}.csv"
    spark.read.csv(file, header=True, inferSchema=True).printSchema()
    rows = spark.read.csv(file, header=True, schema=", ".join(f"{column} STRING" for column in COLUMNS))
    replace_month(
        rows.select("*", F.lit(month).alias("month"), F.col("_metadata.file_path").alias("source_file")),
        "bronze_events",
    )
    users = spark.read.csv(f"{source_path}/users.csv", header=True, schema="user_id BIGINT, country STRING")
    users.write.mode("overwrite").saveAsTable(name("users"))


# COMMAND ----------

# MAGIC %md
# MAGIC ## Silver: typed, without repetitions; what is refused goes to `rejected_events` with its reason

# COMMAND ----------


def silver() -> None:
    events = spark.table(name("bronze_events")).where(F.col("month") == month)
    typed = events.select(
        F.expr("try_to_timestamp(event_time, \"yyyy-MM-dd HH:mm:ss 'UTC'\")").alias("event_time"),
        F.lower(F.trim("event_type")).alias("event_type"),
        F.expr("try_cast(product_id AS BIGINT)").alias("product_id"),
        F.expr("try_cast(category_id AS BIGINT)").alias("category_id"),
        "category_code",
        F.coalesce("brand", F.lit("unknown")).alias("brand"),
        F.expr("try_cast(price AS DECIMAL(12, 2))").alias("price"),
        F.expr("try_cast(user_id AS BIGINT)").alias("user_id"),
        "user_session",
        "month",
    )
    judged = typed.withColumn(
        "reason",
        F.when(F.col("event_time").isNull(), "bad_event_time")
        .when(F.col("event_type").isNull() | ~F.col("event_type").isin(*TYPES), "bad_event_type")
        .when(F.col("product_id").isNull(), "bad_product_id")
        .when(F.col("price").isNull() | (F.col("price") < 0), "bad_price")
        .when(F.col("user_id").isNull(), "bad_user_id"),
    )
    replace_month(judged.where("reason IS NULL").drop("reason").distinct(), "silver_events")
    replace_month(judged.where("reason IS NOT NULL"), "rejected_events")


# COMMAND ----------

# MAGIC %md
# MAGIC ## Gold: per day, and the brands that sold most

# COMMAND ----------


def gold() -> None:
    events = spark.table(name("silver_events")).where(F.col("month") == month)
    sold = F.when(F.col("event_type") == "purchase", F.col("price"))
    replace_month(
        events.groupBy("month", F.to_date("event_time").alias("event_date")).agg(
            F.count_if(F.col("event_type") == "view").alias("views"),
            F.count_if(F.col("event_type") == "cart").alias("carts"),
            F.count_if(F.col("event_type") == "purchase").alias("purchases"),
            F.coalesce(F.sum(sold), F.lit(0)).alias("revenue"),
        ),
        "gold_daily_events",
    )
    brands = (
        events.where("event_type = 'purchase'")
        .groupBy("month", "brand")
        .agg(F.count("*").alias("purchases"), F.sum("price").alias("revenue"))
    )
    order = Window.orderBy(F.desc("revenue"), "brand")
    replace_month(brands.withColumn("place", F.row_number().over(order)).where("place <= 20"), "gold_brands")
    # Ten reports of countries start at once: two that both make the table would conflict.
    spark.sql(
        f"CREATE TABLE IF NOT EXISTS {name('country_reports')} "
        "(country STRING, month STRING, buyers BIGINT, purchases BIGINT, revenue DECIMAL(22, 2)) "
        "PARTITIONED BY (country, month)"
    )


# COMMAND ----------

{"bronze": bronze, "silver": silver, "gold": gold}[layer]()
dbutils.notebook.exit(f"{layer} of {month} done")
