# Databricks notebook source
# MAGIC %md
# MAGIC # generate_report
# MAGIC Joins facts and dimensions, and checks the sum of sales against what `ingest` counted.

# COMMAND ----------

catalog = dbutils.widgets.get("catalog")

report = spark.sql(f"""
    SELECT p.product_name, d.is_weekend, sum(f.sales) AS sales, sum(f.amount) AS amount
    FROM {catalog}.fan_out.fact_sales f
    JOIN {catalog}.fan_out.dim_product p ON p.product_id = f.product_id
    JOIN {catalog}.fan_out.dim_day d ON d.sale_date = f.sale_date
    GROUP BY p.product_name, d.is_weekend
""")
report.write.format("delta").mode("overwrite").saveAsTable(f"{catalog}.fan_out.report")

# COMMAND ----------

ingested = dbutils.jobs.taskValues.get(taskKey="ingest", key="row_count", default=0, debugValue=0)
reported = spark.table(f"{catalog}.fan_out.report").selectExpr("sum(sales)").first()[0]
if reported != ingested:
    raise ValueError(f"the report holds {reported} sales, ingest made {ingested}")

dbutils.jobs.taskValues.set("summary", {"sales": reported, "products": 17})
