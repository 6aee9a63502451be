"""Which jobs there are and which one a command means. In the user's shell; no Airflow, no Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import RunError, SpecError
from medallion.spec.problems import Problem, Severity, did_you_mean

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition, Loaded


@dataclass(frozen=True, slots=True)
class Found:
    """A job file or bundle and what reading it gave."""

    path: Path
    loaded: Loaded


@dataclass(frozen=True, slots=True)
class Chosen:
    """The job that a command means.

    :param source: the file or bundle that it was read from.
    :param served: True when the jobs folder holds it, so that the scheduler knows it too.
    """

    definition: JobDefinition
    source: Path
    dag_id: str
    served: bool


def find(settings: Settings, paths: Sequence[Path]) -> list[Path]:
    """Job files and bundles below the given paths; below the jobs folder when none is given.

    :raises SpecError: a path does not exist; names them all.
    """
    from medallion.spec.loading import discover

    missing = [missing_path(path) for path in paths if not path.exists()]
    if missing:
        raise SpecError(missing)
    if not paths:
        return list(discover(settings.jobs_folder)) if settings.jobs_folder.is_dir() else []
    places: list[Path] = []
    for path in paths:
        places += list(discover(path)) if path.is_dir() else [path]
    return list(dict.fromkeys(places))


def missing_path(path: Path) -> Problem:
    """The problem of a path that is not there, with its nearest neighbour."""
    folder = path.parent
    hint = did_you_mean(path.name, [item.name for item in folder.iterdir()]) if folder.is_dir() else None
    return Problem(Severity.ERROR, "no such file or folder", file=path, hint=hint)


@dataclass(frozen=True, slots=True)
class Resources:
    """What one path resolves to: resources by kind and key, and what is wrong with it."""

    resources: Mapping[str, Any]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop it."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


def resolve(
    settings: Settings, place: Path, *, target: str | None, variables: Mapping[str, str], user: str | None
) -> Resources:
    """The resources of a bundle, just as Databricks' CLI resolves it, or those of a job file."""
    from medallion.spec.bundle import resolve_bundle
    from medallion.spec.discovery import BUNDLE_FILES

    if place.is_dir() or place.name in BUNDLE_FILES:
        found = resolve_bundle(
            place,
            target=target or settings.bundle_target,
            variables=variables,
            user=user or settings.user,
            lookups=settings.lookups,
        )
        return Resources(found.resources, found.problems)
    (entry,) = read(settings, [place], target=target, variables=variables, user=user)
    jobs = {definition.key: definition.job.to_json() for definition in entry.loaded.jobs}
    return Resources({**entry.loaded.resources, "jobs": jobs}, entry.loaded.problems)


def read(
    settings: Settings,
    places: Iterable[Path],
    *,
    target: str | None,
    variables: Mapping[str, str],
    user: str | None = None,
) -> list[Found]:
    """Everything that the places say. Problems are kept, never raised."""
    from medallion.spec.loading import load

    given: dict[str, Any] = {
        "target": target or settings.bundle_target,
        "variables": dict(variables),
        "user": user or settings.user,
        "lookups": settings.lookups,
    }
    return [Found(place, load(place, **given)) for place in places]


def duplicates(found: Iterable[Found]) -> list[Problem]:
    """A problem for each job whose DAG id another job has already; both files are named."""
    from medallion.factory.naming import dag_id

    first: dict[str, JobDefinition] = {}
    problems = []
    for definition in (item for entry in found for item in entry.loaded.jobs):
        name = dag_id(definition.job.name or definition.key)
        other = first.setdefault(name, definition)
        if other is not definition:
            message = (
                f"the job {definition.job.name!r} has the DAG id {name}, and so has {other.job.name!r} of {other.file}"
            )
            problems.append(
                Problem(Severity.ERROR, message, file=definition.file, path="$.name", hint="give one another name")
            )
    return problems


def circles(found: Iterable[Found]) -> list[Problem]:
    """A problem for each circle of jobs that start each other by run-job tasks."""
    from medallion.factory.calls import circles

    return circles(item for entry in found for item in entry.loaded.jobs)


def choose(
    settings: Settings, wanted: str, *, target: str | None, variables: Mapping[str, str], user: str | None = None
) -> Chosen:
    """The job that `wanted` names: a path to a job file or bundle, `path::key`, a name, a DAG id or a bundle's key.

    :raises RunError: there is no such job, or several.
    :raises SpecError: its definition has errors.
    """
    place, _, key = wanted.partition("::")
    path = Path(place).expanduser().absolute()
    if is_path(place, path):
        return from_path(settings, path, key, target=target, variables=variables, user=user)
    entries = read(settings, find(settings, []), target=target, variables=variables, user=user)
    return from_name(settings, entries, wanted)


def is_path(text: str, path: Path) -> bool:
    """Whether a text means a file. A name that happens to be a folder here does not, unless it holds a bundle."""
    if path.is_file() or (path.is_dir() and (path / "databricks.yml").is_file()):
        return True
    return text.endswith((".json", ".yml", ".yaml")) or (("/" in text or text in {".", ".."}) and path.exists())


def from_path(
    settings: Settings, path: Path, key: str, *, target: str | None, variables: Mapping[str, str], user: str | None
) -> Chosen:
    """The one job of a path; of several, the one with the key or name."""
    entries = read(settings, find(settings, [path]), target=target, variables=variables, user=user)
    pairs = [(item, entry.path) for entry in entries for item in entry.loaded.require()]
    if key:
        pairs = [(item, source) for item, source in pairs if key in names_of(item)]
    if len(pairs) != 1:
        names = [item.key for entry in entries for item in entry.loaded.jobs]
        text = f"{path} has {'no job' if not pairs else f'{len(pairs)} jobs'}" + (f" named {key}" if key else "")
        raise RunError(text, hint=f"choose one: {path}::KEY with KEY of {', '.join(names)}" if names else None)
    return chosen(settings, *pairs[0])


def from_name(settings: Settings, entries: Sequence[Found], wanted: str) -> Chosen:
    """The job of the jobs folder with that name, DAG id or key. A name wins over a DAG id, a DAG id over a key."""
    pairs = [(item, entry) for entry in entries for item in entry.loaded.jobs]
    for position in range(3):
        hits = [(item, entry) for item, entry in pairs if names_of(item)[position] == wanted]
        if len(hits) == 1:
            definition, entry = hits[0]
            entry.loaded.require()
            return chosen(settings, definition, entry.path)
        if hits:
            files = ", ".join(str(item.file) for item, _ in hits)
            raise RunError(f"{len(hits)} jobs are named {wanted}: {files}", hint="name the file instead")
    known = [name for item, _ in pairs for name in names_of(item)]
    broken = [problem for entry in entries if not entry.loaded.jobs for problem in entry.loaded.errors]
    hint = did_you_mean(wanted, known) or (
        "`medallion list` shows the jobs" if known else f"put it into {settings.jobs_folder}"
    )
    if broken:
        hint += f"; {len(broken)} errors keep other files from loading: `medallion check` shows them"
    raise RunError(f"there is no job {wanted!r} below {settings.jobs_folder}", hint=hint)


def names_of(definition: JobDefinition) -> tuple[str, str, str]:
    """What a job may be called by: its name, its DAG id, its key."""
    from medallion.factory.naming import dag_id

    name = definition.job.name or definition.key
    return name, dag_id(name), definition.key


def chosen(settings: Settings, definition: JobDefinition, source: Path) -> Chosen:
    """The choice, and whether the scheduler serves that file."""
    served = settings.jobs_folder.resolve() in source.resolve().parents
    return Chosen(definition, source, names_of(definition)[1], served)


def rows(found: Iterable[Found]) -> list[dict[str, Any]]:
    """A JSON row per job for `medallion list`; a file without a job that loads is a row as well."""
    table = []
    for entry in found:
        problems = [item.as_json() for item in entry.loaded.errors]
        table += [row(item, problems) for item in entry.loaded.jobs]
        if not entry.loaded.jobs and problems:
            empty = {"name": "", "dag_id": "", "tasks": [], "starts": "", "status": "does not load"}
            table.append({**empty, "key": "", "file": str(entry.path), "problems": problems})
    return table


def row(definition: JobDefinition, problems: list[dict[str, object]]) -> dict[str, Any]:
    """One job, as `medallion list` shows it."""
    name, identifier, key = names_of(definition)
    settings = definition.job.to_json()
    starts, status = trigger_words(settings)
    return {
        "name": name,
        "dag_id": identifier,
        "key": key,
        "file": str(definition.file),
        "tasks": [str(task.get("task_key")) for task in settings.get("tasks") or []],
        "starts": starts,
        "status": status,
        "problems": problems,
    }


def trigger_words(job: Mapping[str, Any]) -> tuple[str, str]:
    """What starts a job, in words, and its pause status (empty for a job that only people start)."""
    for kind, tell in TRIGGERS.items():
        block = job.get(kind)
        if isinstance(block, Mapping):
            return tell(block), str(block.get("pause_status") or "UNPAUSED")
    return "by hand", ""


def schedule_words(block: Mapping[str, Any]) -> str:
    """`schedule`: a Quartz expression and its zone."""
    return f"{block.get('quartz_cron_expression')} {block.get('timezone_id') or ''}".strip()


def event_words(block: Mapping[str, Any]) -> str:
    """`trigger`: a period, new files, or changed tables."""
    if periodic := block.get("periodic"):
        unit = str(periodic.get("unit", "")).lower()
        return f"every {periodic.get('interval')} {unit}"
    if arrival := block.get("file_arrival"):
        return f"files in {arrival.get('url')}"
    tables = (block.get("table_update") or block.get("table") or {}).get("table_names") or []
    return f"tables {', '.join(tables)}" if tables else ", ".join(key for key in block if key != "pause_status")


TRIGGERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "schedule": schedule_words,
    "trigger": event_words,
    "continuous": lambda _: "continuously",
}
