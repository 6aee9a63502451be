"""The catalog `system`: what happened to jobs and runs, as Delta tables in the lake. Runs in the jobs service; no Spark."""
