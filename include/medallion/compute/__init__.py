"""Spark drivers: Java, JARs, the driver pool, catalogs and paths. Runs on the worker and in task processes."""
