"""Every Lakeflow job below the jobs folder as an Airflow DAG. Read by the dag processor and by each task process."""

from pathlib import Path

from airflow.sdk import get_parsing_context

from medallion.factory.dagfile import load_into

load_into(globals(), project=Path(__file__).parent.parent, only=get_parsing_context().dag_id)
