"""What a run on this machine would miss: clusters, files, queries, alerts, pipelines, jobs. For `medallion check`.

Runs in the user's shell; no Airflow, no Spark, no network. Each question is asked of the code that a run asks, so that
the words and the verdict are the run's own. An error is what settings or a file can mend; a warning what only Databricks
can do, or what an earlier task may still put there; a note what a default stands in for.
"""

from __future__ import annotations

from medallion.components.readiness.job import problems_of

__all__ = ["problems_of"]
