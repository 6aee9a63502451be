-- Databricks notebook source
-- MAGIC %md
-- MAGIC # gold_daily_orders
-- MAGIC One row per day. Cancelled orders are counted and do not add to the amounts.

-- COMMAND ----------

CREATE SCHEMA IF NOT EXISTS IDENTIFIER(:catalog || '.gold')

-- COMMAND ----------

CREATE OR REPLACE TABLE IDENTIFIER(:catalog || '.gold.gold_daily_orders') USING DELTA AS
WITH days AS (
  SELECT
    order_date,
    count(*) AS orders,
    count_if(status = 'cancelled') AS cancelled_orders,
    count(DISTINCT customer_id) AS customers,
    sum(CASE WHEN status <> 'cancelled' THEN amount ELSE 0 END) AS total_amount
  FROM IDENTIFIER(:catalog || '.silver.silver_orders_cleaned')
  GROUP BY order_date
)
SELECT
  order_date,
  orders,
  cancelled_orders,
  customers,
  CAST(total_amount AS DECIMAL(18, 2)) AS total_amount,
  CAST(round(total_amount / nullif(orders - cancelled_orders, 0), 2) AS DECIMAL(18, 2)) AS average_amount
FROM days

-- COMMAND ----------

SELECT * FROM IDENTIFIER(:catalog || '.gold.gold_daily_orders') ORDER BY order_date LIMIT 10
