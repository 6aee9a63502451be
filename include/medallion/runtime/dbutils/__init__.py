"""`dbutils` of notebooks and scripts. Runs in the task process."""
