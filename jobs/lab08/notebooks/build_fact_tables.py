# Databricks notebook source
# MAGIC %md
# MAGIC # build_fact_tables
# MAGIC Sales per product and day. With `fail_fact_tables` = `true` it fails before it writes anything; a repair with `false` mends the run.

# COMMAND ----------

dbutils.widgets.text("catalog", "lab08")
dbutils.widgets.dropdown("fail_fact_tables", "false", ["false", "true"])

catalog = dbutils.widgets.get("catalog")

if dbutils.widgets.get("fail_fact_tables") == "true":
    raise RuntimeError("build_fact_tables was told to fail (job parameter fail_fact_tables)")

# COMMAND ----------

facts = spark.sql(f"""
    SELECT product_id, sale_date, count(*) AS sales, sum(amount) AS amount
    FROM {catalog}.fan_out.sales
    GROUP BY product_id, sale_date
""")
facts.write.format("delta").mode("overwrite").saveAsTable(f"{catalog}.fan_out.fact_sales")
