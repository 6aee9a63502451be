-- Fares by zip code.

CREATE MATERIALIZED VIEW sample_zones_my_pipelines_sql AS
SELECT pickup_zip, SUM(fare_amount) AS total_fare
FROM sample_trips_my_pipelines_sql
GROUP BY pickup_zip
