"""Monthly event files to bronze and silver, with expectations on each row."""

from pyspark import pipelines as dp
from pyspark.sql import functions as F

TYPES = "'view', 'cart', 'remove_from_cart', 'purchase'"
COLUMNS = (
    "event_time STRING, event_type STRING, product_id STRING, category_id STRING, category_code STRING, brand STRING, "
    "price STRING, user_id STRING, user_session STRING"
)


@dp.table(comment="Every row as it came, all columns as text")
def bronze_events():
    files = spark.readStream.schema(COLUMNS).option("header", True).option("pathGlobFilter", "2019-*.csv")
    return files.csv(spark.conf.get("ecommerce.source_path")).withColumn("source_file", F.col("_metadata.file_name"))


@dp.table(comment="Rows of the right types; wrong ones are dropped and counted")
@dp.expect("has a brand", "brand IS NOT NULL")
@dp.expect_or_drop("event_type is known", f"event_type IN ({TYPES})")
@dp.expect_all_or_drop(
    {
        "event_time is a time": "event_time IS NOT NULL",
        "product_id is a number": "product_id IS NOT NULL",
        "user_id is a number": "user_id IS NOT NULL",
        "price is not negative": "price >= 0",
    }
)
def silver_events():
    rows = spark.readStream.table("bronze_events")
    return rows.select(
        F.expr("try_to_timestamp(replace(event_time, ' UTC', ''))").alias("event_time"),
        "event_type",
        F.expr("try_cast(product_id AS BIGINT)").alias("product_id"),
        "category_code",
        "brand",
        F.expr("try_cast(price AS DECIMAL(12, 2))").alias("price"),
        F.expr("try_cast(user_id AS BIGINT)").alias("user_id"),
        "user_session",
    )


@dp.temporary_view
def purchases():
    # In SQL: dropDuplicates asks Spark at once for the columns of a table that the first update has yet to make.
    return spark.sql("SELECT DISTINCT * FROM silver_events WHERE event_type = 'purchase'")
