"""Job JSON, asset bundles, references and Quartz expressions. Pure: neither Airflow nor Spark."""
