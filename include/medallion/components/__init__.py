"""Airflow's components on this machine: configuration, database, processes, runs in this process or through them."""
