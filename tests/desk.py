"""Airflow's database in this process with jobs in it, and the parts of its scheduler that make and start runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from medallion.settings import Settings

BUNDLE = "dags-folder"
ASK = {"task_key": "ask", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}


@dataclass
class Desk:
    """A project in a folder whose jobs Airflow knows.

    :param parsed: by DAG id, how often the dag processor's part was played.
    """

    project: Path
    settings: Settings = field(init=False)

    def __post_init__(self) -> None:
        (self.project / "jobs").mkdir(parents=True, exist_ok=True)
        (self.project / "medallion.toml").write_text("")
        self.settings = Settings.load(self.project, environ={})

    def put(self, name: str, **job: Any) -> str:
        """Write a job and have Airflow read it, as the dag processor does; gives its DAG id."""
        path = self.project / "jobs" / f"{name}.json"
        path.write_text(json.dumps({"name": name, "tasks": [ASK], **job}))
        self.parse(path)
        return name

    def parse(self, path: Path) -> None:
        """The dag processor's look at one definition."""
        from airflow.dag_processing.bundles.manager import DagBundlesManager
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.serialization.definitions.dag import SerializedDAG
        from airflow.serialization.serialized_objects import LazyDeserializedDAG
        from airflow.utils.session import create_session

        from medallion.factory.dag import build_dag
        from medallion.project.versions import VersionStore, version_of
        from medallion.spec.loading import load

        (definition,) = load(path).require()
        version = version_of(path.stem, definition)
        VersionStore(self.settings.home).put(version)
        read = LazyDeserializedDAG.from_dag(build_dag(version))
        with create_session() as session:
            DagBundlesManager().sync_bundles_to_db(session=session)
        with create_session() as session:
            SerializedDAG.bulk_write_to_db(BUNDLE, None, [read], session=session)
            SerializedDagModel.write_dag(read, bundle_name=BUNDLE, session=session)

    def scheduler(self) -> Any:
        """Airflow's own scheduler, which does one thing when it is told to."""
        from airflow.executors.local_executor import LocalExecutor
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

        return SchedulerJobRunner(Job(), executors=[LocalExecutor()])

    def start_waiting(self) -> None:
        """What the scheduler does with runs that wait."""
        from airflow.utils.session import create_session

        with create_session() as session:
            self.scheduler()._start_queued_dagruns(session)

    def create_due(self, dag_id: str) -> None:
        """What the scheduler does when a job's next run is due."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        with create_session() as session:
            model = session.get(DagModel, dag_id)
            if model is not None and not model.is_paused and not model.exceeds_max_non_backfill:
                self.scheduler()._create_dag_runs([model], session)

    def plan(self, dag_id: str, moment: datetime) -> None:
        """Have the job's next run due at a moment, as the scheduler writes it."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        from medallion.triggers.continuous import run_info
        from medallion.triggers.timetables import plan

        with create_session() as session:
            model = session.get(DagModel, dag_id)
            assert model is not None
            plan(model, run_info(moment))

    def end(self, dag_id: str, run_id: str, state: str = "success") -> None:
        """A run ends, as the scheduler ends it: its listeners are told within the transaction."""
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from sqlalchemy import select, update

        with create_session() as session:
            of_run = (TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
            session.execute(update(TaskInstance).where(*of_run).values(state=state))
            run = session.scalar(select(DagRun).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id))
            assert run is not None
            run.dag = self.scheduler().scheduler_dag_bag.get_dag_for_run(run, session=session)
            run.update_state(session=session, execute_callbacks=False)

    def runs(self, dag_id: str) -> list[Any]:
        """The job's runs, the first first."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            found = list(session.scalars(select(DagRun).where(DagRun.dag_id == dag_id).order_by(DagRun.id)))
            session.expunge_all()
        return found

    def states(self, dag_id: str) -> list[str]:
        """Airflow's state of each run."""
        return [str(run.state) for run in self.runs(dag_id)]

    def model(self, dag_id: str) -> Any:
        """Airflow's row of the job."""
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session

        with create_session() as session:
            model = session.get(DagModel, dag_id)
            session.expunge_all()
        return model

    def notes(self, dag_id: str, run_id: str) -> Mapping[str, Any]:
        """What is noted of a run."""
        from medallion.runs.notes import read_notes

        return read_notes(self.settings.home, dag_id, run_id)
