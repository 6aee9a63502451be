from pyspark import pipelines as dp
from pyspark.sql.functions import col, sum


@dp.table
def sample_zones_my_classic_python():
    trips = spark.read.table("sample_trips_my_classic_python")
    return trips.groupBy(col("pickup_zip")).agg(sum("fare_amount").alias("total_fare"))
