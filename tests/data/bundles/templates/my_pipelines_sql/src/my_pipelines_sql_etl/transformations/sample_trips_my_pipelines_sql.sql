-- Some columns of the sample trips.

CREATE MATERIALIZED VIEW sample_trips_my_pipelines_sql AS
SELECT pickup_zip, fare_amount, trip_distance
FROM samples.nyctaxi.trips
