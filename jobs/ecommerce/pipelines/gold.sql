-- Sales by day and by brand. A day without a date would be a fault of the pipeline itself: the update fails.
CREATE OR REFRESH MATERIALIZED VIEW gold_daily_sales (
  CONSTRAINT `every day has a date` EXPECT (day IS NOT NULL) ON VIOLATION FAIL UPDATE,
  CONSTRAINT `something was sold` EXPECT (revenue > 0)
)
COMMENT 'Purchases by day'
AS SELECT CAST(event_time AS DATE) AS day, count(*) AS purchases, sum(price) AS revenue
FROM purchases
GROUP BY CAST(event_time AS DATE);

CREATE OR REFRESH MATERIALIZED VIEW gold_brands
AS SELECT coalesce(brand, 'none') AS brand, count(*) AS purchases, sum(price) AS revenue
FROM purchases
GROUP BY coalesce(brand, 'none');
