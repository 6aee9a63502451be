"""What Databricks' Spark has and open Spark lacks, put into the session of a task: Auto Loader, COPY INTO, read_files,
Query Watchdog. Runs in the task process. `install` is all that a task's start pays for.
"""
