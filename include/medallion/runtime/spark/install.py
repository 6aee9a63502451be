"""Puts everything of this package into a task's session. Runs in the task process, at its start: cheap.

What is put in place are names only; each imports what it needs when it is used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from medallion.runtime.spark import outside, streams, watchdog

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

# A look that costs microseconds decides whether a statement is Spark's own.
OURS = re.compile(
    r"\bcopy\s+into\b|\bread_files\s*\(|\bcloud_files\s*\(|querywatchdog|\binformation_schema\s*\.|\bcluster\s+by\s+auto\b"
    r"|^\s*(list|cache\s+select|undrop)\b",
    re.IGNORECASE,
)

_installed = False


def install(spark: SparkSession) -> None:
    """Teach pyspark's classes what Databricks' know. A second call does nothing."""
    global _installed
    if _installed:
        return
    _installed = True
    streams.install_reader()
    streams.install_queries()
    outside.install_refusals()
    install_sql(spark)
    watchdog.look(spark)


def install_sql(spark: SparkSession) -> None:
    """`spark.sql` and settings: a statement of ours is recognised before Spark's parser sees it."""
    from pyspark.sql import SparkSession as Session
    from pyspark.sql.conf import RuntimeConfig

    run, set_conf = Session.sql, RuntimeConfig.set

    def sql(self: SparkSession, sqlQuery: str, args: Any = None, **kwargs: Any) -> DataFrame:  # noqa: N803
        if "/.." in sqlQuery:
            outside.refuse_in_statement(sqlQuery)
        if not OURS.search(sqlQuery):
            return run(self, sqlQuery, args, **kwargs)
        from medallion.runtime.spark.statements import run_statement

        frame = run_statement(self, sqlQuery, args, kwargs, run)
        if "watchdog" in sqlQuery.lower():
            watchdog.look(self)
        return frame

    def set_(self: RuntimeConfig, key: str, value: Any) -> None:
        set_conf(self, key, value)
        if key == watchdog.ENABLED:
            watchdog.look(spark)

    sql.__doc__, set_.__doc__ = run.__doc__, set_conf.__doc__
    Session.sql = sql  # type: ignore[method-assign]
    RuntimeConfig.set = set_  # type: ignore[method-assign, unused-ignore]
