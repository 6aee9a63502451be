"""Puts everything of this package into a task's session. Runs in the task process, at its start: cheap.

What is put in place are names only; each imports what it needs when it is used.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from medallion.runtime.spark import batches, functions, outside, streams, watchdog

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from medallion.runtime.masks import Masks

# A look that costs microseconds decides whether a statement is Spark's own.
OURS = re.compile(
    r"\bcopy\s+into\b|\bread_files\s*\(|\bcloud_files\s*\(|querywatchdog|\binformation_schema\s*\.|\bcluster\s+by\s+auto\b"
    r"|\b(create|refresh|drop)\s+(or\s+re(place|fresh)\s+)?(streaming\s+table|materialized\s+view)\b"
    r"|^\s*(list|cache\s+select|undrop)\b",
    re.IGNORECASE,
)

_installed = False


def install(spark: SparkSession, masks: Masks | None = None) -> None:
    """Teach pyspark's classes what Databricks' know. A second call does nothing.

    :param masks: the task's secrets.
    """
    global _installed
    if _installed:
        return
    _installed = True
    streams.install_reader()
    streams.install_queries()
    outside.install_refusals()
    functions.install()
    batches.install_place()
    if masks is not None:
        batches.install_masks(masks)
    install_sql(spark)
    watchdog.look(spark)


def install_sql(spark: SparkSession) -> None:
    """`spark.sql` and settings: a statement of ours is recognised before Spark's parser sees it."""
    from pyspark.errors import AnalysisException
    from pyspark.sql import SparkSession as Session
    from pyspark.sql.conf import RuntimeConfig

    run, set_conf = Session.sql, RuntimeConfig.set

    def sql(self: SparkSession, sqlQuery: str, args: Any = None, **kwargs: Any) -> DataFrame:  # noqa: N803
        if "/.." in sqlQuery:
            outside.refuse_in_statement(sqlQuery)
        if not OURS.search(sqlQuery):
            try:
                return run(self, sqlQuery, args, **kwargs)
            except AnalysisException as error:
                tell_column(self, sqlQuery, error)
                raise
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


def tell_column(session: SparkSession, text: str, error: Exception) -> None:
    """Add to Spark's words about an unknown column of a system table what the column is called."""
    from medallion.runtime.spark.column_hints import column_hint

    words = str(vars(error).get("_desc") or "")
    if "UNRESOLVED_COLUMN" in words and (hint := column_hint(words, text, lambda name: session.table(name).columns)):
        vars(error)["_desc"] = f"{words.split(';', 1)[0]}\n{hint}"
