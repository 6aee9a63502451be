# Databricks notebook source
# MAGIC %md
# MAGIC # build_dim_tables
# MAGIC The products and the days of the sales.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")

products = spark.sql(f"""
    SELECT DISTINCT product_id, format_string('Product %02d', product_id) AS product_name FROM {catalog}.fan_out.sales
""")
products.write.format("delta").mode("overwrite").saveAsTable(f"{catalog}.fan_out.dim_product")

days = spark.sql(f"""
    SELECT DISTINCT sale_date, year(sale_date) AS year, month(sale_date) AS month, weekday(sale_date) >= 5 AS is_weekend
    FROM {catalog}.fan_out.sales
""")
days.write.format("delta").mode("overwrite").saveAsTable(f"{catalog}.fan_out.dim_day")
