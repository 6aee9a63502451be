"""Has the watchers follow the pause switch of Airflow's UI. Runs in the jobs service.

Airflow gives a job its watcher, or takes it away, when it parses the job's DAG file, and a file that does not change is
parsed once an hour here. So a parse is asked for when a watcher and the switch do not agree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion.triggers.assets import START_SCHEME

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from medallion.runs.changes import RunChange
    from medallion.settings import Settings

AGAIN_SECONDS = 30.0
"""A parse that was asked for may take so long."""


class WatchKeeper:
    """Looks at each tick for jobs whose watcher is missing or should not be there."""

    name = "watchers"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.asked: dict[tuple[str, bool], float] = {}

    def consume(self, change: RunChange) -> None:
        """Runs do not matter here."""

    def tick(self, now: float) -> None:
        """Ask for the parses that are due.

        :param now: seconds since the epoch.
        """
        from airflow.models.dagbag import DagPriorityParsingRequest
        from airflow.utils.session import create_session
        from sqlalchemy import exists, select

        with create_session() as session:
            for dag_id, paused, bundle, file in out_of_step(session):
                if now - self.asked.get((dag_id, paused), 0.0) < AGAIN_SECONDS:
                    continue
                self.asked = {**self.asked, (dag_id, paused): now, (dag_id, not paused): 0.0}
                request = DagPriorityParsingRequest
                same = exists().where(request.bundle_name == bundle, request.relative_fileloc == file)
                if not session.scalar(select(same)):
                    session.add(request(bundle_name=bundle, relative_fileloc=file))


def out_of_step(session: Session) -> list[tuple[str, bool, str, str]]:
    """Watched jobs whose pause switch and watcher do not agree: DAG, whether it is paused, bundle and file."""
    from airflow.models.asset import AssetModel, AssetWatcherModel, DagScheduleAssetReference
    from airflow.models.dag import DagModel
    from sqlalchemy import exists, select

    watched = exists().where(AssetWatcherModel.asset_id == AssetModel.id)
    query = (
        select(DagModel.dag_id, DagModel.is_paused, DagModel.bundle_name, DagModel.relative_fileloc)
        .join(DagScheduleAssetReference, DagScheduleAssetReference.dag_id == DagModel.dag_id)
        .join(AssetModel, AssetModel.id == DagScheduleAssetReference.asset_id)
        .where(AssetModel.uri.startswith(f"{START_SCHEME}://"), DagModel.is_stale.is_(False))
        .where(DagModel.is_paused == watched)
    )
    rows = session.execute(query)
    return [(str(dag_id), bool(paused), str(bundle), str(file)) for dag_id, paused, bundle, file in rows if file]
