"""Which project each DAG belongs to: several may share one Airflow. Runs in every process of Airflow; no Airflow, no Spark.

The environment decides where it names a project (`medallion up`, containers). Else the project that a DAG file gave when
it was read: known in that process, and to the others by `<AIRFLOW_HOME>/lakeflow_projects.json`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from medallion.errors import SettingsError
from medallion.project.ledger import replace_file, state_of
from medallion.settings import FILE_NAME, PROJECT_VARIABLE, Settings, find_project

FILE = "lakeflow_projects.json"
LOCK_SECONDS = 60
HINT = (
    f"set {PROJECT_VARIABLE} to the project's folder for all processes of Airflow, or see whether its DAG file is read"
)

_here: dict[str, Path] = {}
"""Projects of the DAGs that this process has built."""


class Note(NamedTuple):
    """Whose a DAG is.

    :param file: the DAG file that said so.
    """

    project: Path
    file: str

    def is_beside(self, file: str) -> bool:
        """Whether another DAG file is read by the same Airflow at the same time: both lie in one folder."""
        return self.file != file and Path(self.file).parent == Path(file).parent and Path(self.file).is_file()


def is_named(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the environment names the project."""
    return bool(environ.get(PROJECT_VARIABLE))


def settings_of_dag(dag_id: str) -> Settings:
    """The settings of a DAG's project.

    :raises SettingsError: no project is known for it, or a setting is wrong.
    """
    if is_named():
        return Settings.load()
    project = project_of(dag_id)
    if project is None:
        raise SettingsError(f"no project is known for the DAG {dag_id}", hint=HINT)
    return Settings.load(project)


def project_of(dag_id: str) -> Path | None:
    """The project of a DAG; None when it is none of ours."""
    if is_named():
        return find_project(os.environ)
    note = noted().get(dag_id)
    return _here.get(dag_id) or (note and note.project)


def projects() -> list[Path]:
    """Every project that this Airflow has DAGs of."""
    if is_named():
        return [find_project(os.environ)]
    return sorted({*_here.values(), *known().values()})


def project_here(file: str | None = None) -> Path:
    """The project that a process or a DAG file is for when nobody names one: the nearest above it.

    :param file: the DAG file; where it has no project above, that of the working directory counts.
    :raises SettingsError: there is none.
    """
    if is_named():
        return find_project(os.environ)
    starts = [*([Path(file).absolute().parent] if file else []), Path.cwd()]
    for start in starts:
        for folder in (start, *start.parents):
            if (folder / FILE_NAME).is_file():
                return folder
    if (starts[-1] / "jobs").is_dir():
        return starts[-1]
    raise SettingsError(
        f"{starts[0]} is no project", hint=f"name one with {PROJECT_VARIABLE}, or make a {FILE_NAME} there"
    )


def taken(dag_ids: Iterable[str], project: Path, file: str) -> dict[str, Path]:
    """DAGs that another project has by a DAG file beside this one, and still defines.

    A DAG file elsewhere may have been read last in another time of this Airflow; then the DAGs are the later project's.
    """
    from medallion.project.registry import JobRegistry

    found = {}
    for dag_id in () if is_named() else dag_ids:
        other = noted().get(dag_id)
        if other is None or other.project == project or not other.is_beside(file) or not other.project.is_dir():
            continue
        if dag_id in JobRegistry(Settings.load(other.project)).by_dag_id(dag_id)[0]:
            found[dag_id] = other.project
    return found


def keep(dag_ids: Iterable[str], project: Path, file: str) -> None:
    """Note that DAGs are this project's.

    :param file: the DAG file that says so.
    :raises OSError: Airflow's home folder cannot be written.
    """
    from filelock import FileLock

    if is_named():
        return
    new = dict.fromkeys(dag_ids, Note(project, file))
    _here.update(dict.fromkeys(new, project))
    if new.items() <= noted().items():
        return
    target = place()
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(target.with_suffix(".lock"), timeout=LOCK_SECONDS):
        lines = {dag_id: [str(note.project), note.file] for dag_id, note in sorted((dict(noted()) | new).items())}
        replace_file(target, json.dumps(lines, indent=0) + "\n")


def known() -> Mapping[str, Path]:
    """Projects by DAG id, as the file says."""
    return {dag_id: note.project for dag_id, note in noted().items()}


def noted() -> Mapping[str, Note]:
    """What the file says."""
    file = place()
    return parsed(str(file), state_of(file))


def place() -> Path:
    """Where the file is, as Airflow finds its home folder."""
    return Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser() / FILE


@lru_cache(maxsize=8)
def parsed(file: str, state: object) -> Mapping[str, Note]:
    """The file's text, read once for each state of it. A damaged file counts as empty: the next parse writes it again."""
    try:
        told = json.loads(Path(file).read_bytes()) if state is not None else {}
        return {dag_id: Note(Path(folder), str(dag_file)) for dag_id, (folder, dag_file) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
