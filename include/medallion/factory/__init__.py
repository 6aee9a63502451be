"""Job definitions to Airflow DAGs. Runs at parse time and, for operators, on the worker."""
