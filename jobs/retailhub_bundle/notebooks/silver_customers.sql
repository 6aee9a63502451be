-- Databricks notebook source
-- MAGIC %md
-- MAGIC # silver_customers
-- MAGIC One row per customer: typed, trimmed, the latest version. Rows that cannot be used go to `quarantine_customers` with
-- MAGIC the first rule that they break.

-- COMMAND ----------

CREATE SCHEMA IF NOT EXISTS IDENTIFIER(:catalog || '.silver')

-- COMMAND ----------

CREATE OR REPLACE TABLE IDENTIFIER(:catalog || '.silver.quarantine_customers') USING DELTA AS
SELECT *
FROM (
  SELECT
    *,
    CASE
      WHEN _corrupt_record IS NOT NULL THEN 'malformed_row'
      WHEN coalesce(trim(customer_id), '') = '' THEN 'missing_customer_id'
      WHEN coalesce(trim(email), '') NOT RLIKE '^[^@ ]+@[^@ ]+[.][^@ ]+$' THEN 'bad_email'
      WHEN try_cast(trim(signup_date) AS DATE) IS NULL THEN 'bad_signup_date'
      WHEN try_cast(trim(updated_at) AS TIMESTAMP) IS NULL THEN 'bad_updated_at'
    END AS reason
  FROM IDENTIFIER(:catalog || '.bronze.bronze_customer')
)
WHERE reason IS NOT NULL

-- COMMAND ----------

-- MAGIC %md
-- MAGIC What was not refused is typed; of several versions of a customer the latest stays.

-- COMMAND ----------

CREATE OR REPLACE TABLE IDENTIFIER(:catalog || '.silver.silver_customers') USING DELTA AS
WITH typed AS (
  SELECT
    nullif(trim(customer_id), '') AS customer_id,
    nullif(trim(regexp_replace(name, '[ \n]+', ' ')), '') AS name,
    lower(trim(email)) AS email,
    nullif(trim(regexp_replace(address, '[ \n]+', ' ')), '') AS address,
    upper(nullif(trim(country), '')) AS country,
    try_cast(trim(signup_date) AS DATE) AS signup_date,
    try_cast(trim(updated_at) AS TIMESTAMP) AS updated_at
  FROM IDENTIFIER(:catalog || '.bronze.bronze_customer')
  WHERE _corrupt_record IS NULL
),
ranked AS (
  SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY updated_at DESC, email DESC, name DESC) AS rank
  FROM typed
  WHERE customer_id IS NOT NULL
    AND email RLIKE '^[^@ ]+@[^@ ]+[.][^@ ]+$'
    AND signup_date IS NOT NULL
    AND updated_at IS NOT NULL
)
SELECT customer_id, name, email, address, country, signup_date, updated_at
FROM ranked
WHERE rank = 1
