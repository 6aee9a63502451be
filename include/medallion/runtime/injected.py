"""The names that Databricks puts into every notebook and script. Runs in the task process."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

from medallion.runtime.dbutils.facade import DBUtils

if TYPE_CHECKING:
    from medallion.runtime.task import Task

RUNTIME = "databricks.sdk.runtime"


def inject(task: Task) -> None:
    """Make `spark`, `dbutils`, `display` and the rest, in the notebook's names and as importable modules."""
    dbutils = DBUtils(task)
    task.injected = {
        "dbutils": dbutils,
        "getArgument": dbutils.widgets.getArgument,
        "display": task.display.show_all,
        "displayHTML": task.display.show_html,
        **spark_names(task.spark),
    }
    offer_modules(task, dbutils)
    if task.spark is not None:
        add_display_method(task)
    if task.shell is not None:
        from medallion.runtime.magics.lines import register

        task.on_restart = lambda: restart(task)
        task.shell.names.update(task.injected)
        register(task)


def spark_names(spark: Any) -> dict[str, Any]:
    """The names that come from a Spark session; none without one."""
    if spark is None:
        return {}
    from pyspark.sql import SQLContext
    from pyspark.sql.functions import udf

    if type(spark).__module__.startswith("pyspark.sql.connect"):  # has no context
        return {"spark": spark, "sql": spark.sql, "table": spark.table, "udf": udf}

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # SQLContext is deprecated and still there on Databricks
        context = SQLContext(spark.sparkContext, spark)
    return {
        "spark": spark,
        "sc": spark.sparkContext,
        "sqlContext": context,
        "sql": spark.sql,
        "table": spark.table,
        "udf": udf,
    }


def offer_modules(task: Task, dbutils: DBUtils) -> None:
    """`databricks.sdk.runtime` with the same names, and `pyspark.dbutils.DBUtils`, both common in shared code."""
    runtime = ModuleType(RUNTIME, "The names of Databricks' notebooks.")
    vars(runtime).update(task.injected, __all__=sorted(task.injected))
    sys.modules[RUNTIME] = runtime
    if importlib.util.find_spec("databricks") is None:
        sys.modules["databricks"] = package("databricks")
    if importlib.util.find_spec("databricks.sdk") is None:
        sys.modules["databricks.sdk"] = package("databricks.sdk")

    def attribute(name: str) -> ModuleType:
        """`databricks.sdk` as an attribute. The real SDK takes a second to import, so only when asked for."""
        if name != "sdk":
            raise AttributeError(name)
        sdk = importlib.import_module("databricks.sdk")
        vars(sdk)["runtime"] = runtime
        return sdk

    vars(importlib.import_module("databricks"))["__getattr__"] = attribute
    shim = ModuleType("pyspark.dbutils", "DBUtils of this task.")
    shim.DBUtils = lambda _spark=None: dbutils  # type: ignore[attr-defined]
    sys.modules["pyspark.dbutils"] = shim


def package(name: str) -> ModuleType:
    """An empty package."""
    made = ModuleType(name)
    made.__path__ = []
    return made


def add_display_method(task: Task) -> None:
    """`df.display()`, which Databricks adds to Spark's and pandas-on-Spark's frames."""
    from pyspark.sql.classic.dataframe import DataFrame

    DataFrame.display = lambda frame, *_args, **_options: task.display.show(frame)  # type: ignore[attr-defined]


def restart(task: Task) -> None:
    """A Python that restarted: the user's variables are gone, the given names are back."""
    if task.shell is not None:
        task.shell.clear()
        task.shell.names.update(task.injected)
