"""Which jobs this project defines: their places, names and ids. Runs everywhere; no Airflow, no Spark."""
