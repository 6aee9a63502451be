"""Hands Airflow what Medallion adds. Loaded by the scheduler, the dag processor, the API server and the triggerer.

Airflow keeps what a plugin imports in memory and its workers inherit it, so this imports timetables and listeners only.
"""

from airflow.plugins_manager import AirflowPlugin

from medallion.components import preload, succession
from medallion.runs import listener
from medallion.triggers import listener as trigger_listener
from medallion.triggers import missed
from medallion.triggers.continuous import ContinuousTimetable
from medallion.triggers.timetables import PeriodicTimetable, QuartzTimetable, UnfiredTimetable
from medallion.triggers.watched import EarliestTimetable, WatchedTimetable
from medallion.web.app import LazyApp
from medallion.web.jobs_api import app as jobs_api


class MedallionPlugin(AirflowPlugin):
    """What Medallion adds to Airflow."""

    name = "medallion"
    timetables = [
        *(QuartzTimetable, PeriodicTimetable, ContinuousTimetable),
        *(EarliestTimetable, WatchedTimetable, UnfiredTimetable),
    ]
    listeners = [listener, preload, succession, trigger_listener, missed]
    fastapi_apps = [{"app": LazyApp(), "url_prefix": "/lakeflow", "name": "lakeflow"}, *jobs_api.mounts()]
    external_views = [
        {
            "name": "Triggers",
            "href": "/lakeflow/triggers/{DAG_ID}",
            "destination": "dag",
            "url_route": "lakeflow_triggers",
        },
        {
            "name": "Lakeflow run",
            "href": "/lakeflow/runs/{DAG_ID}/{RUN_ID}",
            "destination": "dag_run",
            "url_route": "lakeflow_run",
        },
    ]
