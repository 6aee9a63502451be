"""What runs inside a task's own process. Knows nothing of Airflow and works without it."""
