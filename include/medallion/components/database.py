"""Airflow's database: made and migrated when needed, and cleared of runs whose process died. In the user's shell.

Importing Airflow takes 3 s, so a stamp beside the database tells that there is nothing to do. The work is done by
`python -m medallion.components.database` in a child with the project's environment.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.components.airflow_options import database_url
from medallion.components.configuration import environment
from medallion.components.deployment import require_own_database
from medallion.components.places import Places, places_of
from medallion.compute.folder import is_held
from medallion.compute.processes import Identity
from medallion.errors import TargetError

if TYPE_CHECKING:
    from medallion.settings import Settings

MIGRATE_SECONDS = 600


def stamp_of(places: Places) -> Path:
    """The file that tells for which version of Airflow the database was migrated."""
    return places.database.with_suffix(".migrated")


def is_ready(places: Places) -> bool:
    """Whether the database needs no migration."""
    try:
        return places.database.stat().st_size > 0 and stamp_of(places).read_text() == metadata.version("apache-airflow")
    except OSError:
        return False


LONGEST_PID = 10


def local_runs_folder(places: Places) -> Path:
    """Holds a file per run that goes in a process of its own, outside the scheduler: `<pid>_<start>_<host>`."""
    return places.airflow_home / "local_runs"


def local_runs(places: Places) -> dict[Path, Identity]:
    """The files of runs outside the scheduler and their processes, which may be gone."""
    found = {}
    for file in local_runs_folder(places).glob("*_*_*"):
        pid, started, host = file.name.split("_", 2)
        if pid.isascii() and pid.isdigit() and len(pid) < LONGEST_PID and file.is_file():
            found[file] = Identity(int(pid), started, host)
    return found


def marker_of(identity: Identity) -> str:
    """The name of the file of a run outside the scheduler."""
    return f"{identity.pid}_{identity.started}_{identity.host}"


def goes_on(marker: Path, identity: Identity) -> bool:
    """Whether a run outside the scheduler goes on. That of another host holds a lock on its file for as long as it lives."""
    return identity.alive if identity.here else is_held(marker)


def aside(settings: Settings) -> Places:
    """Places with a second database, for runs beside a scheduler that does not know their job."""
    places = places_of(settings)
    return replace(places, database=places.airflow_home / "aside.db")


def connection(places: Places) -> dict[str, str]:
    """The variable that names a database."""
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url(places.database)}


def ensure_database(settings: Settings, places: Places | None = None) -> bool:
    """Migrate the database and end the runs of dead processes, when needed.

    :param places: where the database is, when it is not the usual one.
    :returns: whether there was something to do.
    :raises OtherDeploymentError: the environment names a database that is not ours.
    :raises TargetError: the migration failed; carries its last lines.
    """
    from filelock import FileLock

    require_own_database(settings)
    variables = connection(places) if places else {}
    places = places or places_of(settings)
    if is_ready(places) and not dead_runs(places):
        return False
    places.airflow_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Airflow's migrations do not bear a second one beside them: of several commands one migrates, the others wait.
    with FileLock(places.database.with_suffix(".lock"), timeout=MIGRATE_SECONDS):
        dead = dead_runs(places)
        if is_ready(places) and not dead:
            return False
        make_ready(settings, places, variables, dead)
    return True


def dead_runs(places: Places) -> list[Path]:
    """The files of runs outside the scheduler whose process is gone."""
    return [file for file, identity in local_runs(places).items() if not goes_on(file, identity)]


def make_ready(settings: Settings, places: Places, variables: dict[str, str], dead: list[Path]) -> None:
    """Migrate the database and end the runs of dead processes, in a process that may import Airflow.

    :param variables: what names the database to that process.
    :raises TargetError: see `ensure_database`.
    """
    command = [sys.executable, "-P", "-m", "medallion.components.database"]
    names = [file.read_text(encoding="utf-8", errors="replace") for file in dead]
    try:
        done = subprocess.run(
            command,
            env=environment(settings) | variables,
            input="\n".join(names),
            capture_output=True,
            text=True,
            timeout=MIGRATE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TargetError(
            f"Airflow's database {places.database} was not ready after {MIGRATE_SECONDS} s",
            hint="the machine is busy, or another program holds the file; ask again",
        ) from None
    if done.returncode:
        tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-5:])
        raise TargetError(
            f"Airflow's database {places.database} could not be made ready:\n{tail}",
            hint="free the file if another program holds it, or move it away: runs are lost, tables are not",
        )
    stamp_of(places).write_text(metadata.version("apache-airflow"), encoding="utf-8")
    for file in dead:
        file.unlink(missing_ok=True)


def migrate() -> None:
    """Bring the database of this process's configuration up to date."""
    from airflow.utils import db

    if db.need_initialization() if hasattr(db, "need_initialization") else True:
        db.initdb()
    db.upgradedb()


def abandon(names: list[str]) -> None:
    """Mark runs as failed whose process died: a scheduler would take them up otherwise, long after.

    :param names: `dag_id` and `run_id` of each, with a tab between.
    """
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState

    with create_session() as session:
        for name in names:
            dag_id, _, run_id = name.partition("\t")
            run = session.query(DagRun).filter_by(dag_id=dag_id, run_id=run_id).one_or_none()
            if run is None or run.state in {DagRunState.SUCCESS, DagRunState.FAILED}:
                continue
            for instance in run.get_task_instances(session=session):
                if instance.state is None or instance.state not in {"success", "failed", "skipped", "upstream_failed"}:
                    running = instance.state in {TaskInstanceState.RUNNING, TaskInstanceState.DEFERRED}
                    instance.state = TaskInstanceState.FAILED if running else TaskInstanceState.SKIPPED
            run.set_state(DagRunState.FAILED)


if __name__ == "__main__":
    migrate()
    if given := [line for line in sys.stdin.read().splitlines() if line.strip()]:
        abandon(given)
