"""The Databricks REST API at the root of Airflow's API server, for the official clients. Runs in the API server."""
