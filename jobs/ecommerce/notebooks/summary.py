# Databricks notebook source
# MAGIC %md
# MAGIC # Summary
# MAGIC A template: do the work, note what goes wrong, end with a message. A notebook that catches its error ends as a success with that
# MAGIC message; whoever runs next sees it as the task value `returnValue`.

# COMMAND ----------

import json
import traceback

dbutils.widgets.text("catalog", "workspace")
dbutils.widgets.text("schema", "ecommerce")
dbutils.widgets.text("month", "Oct")
catalog, schema, month = (dbutils.widgets.get(name) for name in ("catalog", "schema", "month"))


def summarize() -> dict[str, object]:
    """Totals of the month's gold tables."""
    row = spark.sql(
        f"SELECT count(*) AS days, sum(purchases) AS purchases, CAST(sum(revenue) AS STRING) AS revenue "
        f"FROM {catalog}.{schema}.gold_daily_events WHERE month = '2019-{month}'"
    ).first()
    if not row.days:
        raise ValueError(f"gold has no day of 2019-{month}")
    return row.asDict()


# COMMAND ----------

try:
    message = {"status": "SUCCESS", **summarize()}
except Exception as error:
    traceback.print_exc()
    message = {"status": "FAILED", "error": str(error).splitlines()[0]}

dbutils.notebook.exit(json.dumps(message))
