-- Databricks notebook source
-- MAGIC %md
-- MAGIC # gold_customer_order_summary
-- MAGIC One row per customer, also for those without an order. Cancelled orders are counted and do not add to the amounts.
-- MAGIC Orders of customers that do not exist go to `quarantine_customer_orders`.

-- COMMAND ----------

CREATE SCHEMA IF NOT EXISTS IDENTIFIER(:catalog || '.gold');

CREATE OR REPLACE TABLE IDENTIFIER(:catalog || '.gold.quarantine_customer_orders') USING DELTA AS
SELECT o.*, 'unknown_customer' AS reason
FROM IDENTIFIER(:catalog || '.silver.silver_orders_cleaned') o
LEFT ANTI JOIN IDENTIFIER(:catalog || '.silver.silver_customers') c ON o.customer_id = c.customer_id;

-- COMMAND ----------

CREATE OR REPLACE TABLE IDENTIFIER(:catalog || '.gold.gold_customer_order_summary') USING DELTA AS
WITH totals AS (
  SELECT
    customer_id,
    count(*) AS orders,
    count_if(status = 'cancelled') AS cancelled_orders,
    sum(CASE WHEN status <> 'cancelled' THEN amount ELSE 0 END) AS total_amount,
    min(order_date) AS first_order_date,
    max(order_date) AS last_order_date
  FROM IDENTIFIER(:catalog || '.silver.silver_orders_cleaned')
  GROUP BY customer_id
)
SELECT
  c.customer_id,
  c.name,
  c.email,
  c.country,
  coalesce(t.orders, 0) AS orders,
  coalesce(t.cancelled_orders, 0) AS cancelled_orders,
  CAST(coalesce(t.total_amount, 0) AS DECIMAL(18, 2)) AS total_amount,
  CAST(round(t.total_amount / nullif(t.orders - t.cancelled_orders, 0), 2) AS DECIMAL(18, 2)) AS average_amount,
  t.first_order_date,
  t.last_order_date
FROM IDENTIFIER(:catalog || '.silver.silver_customers') c
LEFT JOIN totals t ON t.customer_id = c.customer_id

-- COMMAND ----------

SELECT * FROM IDENTIFIER(:catalog || '.gold.gold_customer_order_summary') ORDER BY total_amount DESC, customer_id LIMIT 10
