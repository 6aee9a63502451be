"""What the wheel task runs."""

import argparse

from databricks.sdk.runtime import spark

from my_default_python import trips


def main() -> None:
    """Show some trips from the catalog and schema that the job names."""
    parser = argparse.ArgumentParser(description="trips")
    parser.add_argument("--catalog", required=True)
    parser.add_argument("--schema", required=True)
    given = parser.parse_args()
    spark.sql(f"USE CATALOG `{given.catalog}`")
    spark.sql(f"USE SCHEMA `{given.schema}`")
    trips.every_trip().show(5)
    print("wheel in", given.catalog, given.schema)


if __name__ == "__main__":
    main()
