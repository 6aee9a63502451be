"""dbt tasks. Runs in the Airflow task process; dbt itself runs in the task's own."""

from __future__ import annotations

from typing import ClassVar

from medallion.factory.operators.process import ProcessOperator

DBT = ("dbt-core>=1.8,<1.12", "dbt-spark>=1.8")
"""dbt 1.12 fetches a program from elsewhere while it is installed."""


class DbtOperator(ProcessOperator):
    """Gives the task dbt and the adapter for Spark sessions, in place of the one for warehouses."""

    packages: ClassVar[tuple[str, ...]] = DBT
    instead_of: ClassVar[frozenset[str]] = frozenset({"dbt-databricks"})
