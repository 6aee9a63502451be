"""Pages in the Airflow UI. Runs in the API server."""
