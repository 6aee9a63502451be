"""SQL functions of Databricks that this Spark lacks: what to do instead. Runs in the task process, after a failure.

Those that give rows are refused in the JVM (`DatabricksFunctions`): Spark's error does not name them.
"""

from __future__ import annotations

import re

UNRESOLVED = re.compile(r"\[UNRESOLVED_ROUTINE\] Cannot resolve routine (`[^ ]+`)")
SECRET = "read secrets by dbutils.secrets.get(scope, key) in Python, and give the value to spark.sql as a parameter"  # noqa: S105
MODEL = "it calls a model that Databricks serves; call a model of your own in a Python UDF"
GEOMETRY = "install shapely by %pip and call it in a Python UDF, or add Apache Sedona's JAR to the cluster"
FAMILIES = {"h3_": "install h3 by %pip and call it in a Python UDF", "st_": GEOMETRY, "ai_": MODEL}
INSTEAD = {
    "to_geography": GEOMETRY,
    "to_geometry": GEOMETRY,
    "try_to_geography": GEOMETRY,
    "try_to_geometry": GEOMETRY,
    "secret": SECRET,
    "try_secret": SECRET,
    "current_metastore": "there is no metastore, the lake is a folder; current_catalog() and current_schema() work",
    "current_version": "there is no Databricks Runtime; version() gives Spark's version",
    "http_request": "call the service in a Python UDF",
    "schema_of_json_agg": "schema_of_json(text) finds the schema of one value",
}


def instead(message: str) -> str | None:
    """What to do when Spark did not find a function that Databricks has; None for any other message."""
    found = UNRESOLVED.search(message)
    if found is None:
        return None
    name = found[1].rpartition(".")[2].strip("`").lower()
    reason = INSTEAD.get(name) or next((FAMILIES[start] for start in FAMILIES if name.startswith(start)), None)
    return None if reason is None else f"Databricks' function {name} does not work here: {reason}"
