"""Which jobs there are and which one a command means. In the user's shell; no Airflow, no Spark."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import RunError, SpecError
from medallion.project.naming import dag_id as plain_dag_id
from medallion.project.naming import folded, job_name
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


def ids_of(settings: Settings, found: Iterable[Found], *, varied: bool = False) -> dict[str, JobDefinition]:
    """The jobs by the DAG ids that they have or would get. Nothing is written.

    :param varied: whether they were read with variables or for a user that the settings do not have.
    """
    from medallion.project.registry import JobRegistry

    jobs = [item for entry in found for item in entry.loaded.jobs]
    return JobRegistry(settings).by_ids(jobs, with_variables=varied, keep=False)


def namesakes(jobs: Mapping[str, JobDefinition]) -> dict[str, list[str]]:
    """For each DAG id whose job has the name of another: the DAG ids of those others.

    A name that differs in letters that a DAG id cannot hold is another name, but one DAG id has a suffix then.
    """
    groups: dict[str, list[str]] = {}
    for dag_id, definition in jobs.items():
        groups.setdefault(folded(plain_dag_id(job_name(definition.job.name))), []).append(dag_id)
    return {
        dag_id: [other for other in group if other != dag_id]
        for group in groups.values()
        for dag_id in group
        if len(group) > 1
    }


def duplicates(jobs: Mapping[str, JobDefinition]) -> list[Problem]:
    """A note for each job whose name, or a `job_id` that it states, another job has as well."""
    problems = []
    for dag_id, others in namesakes(jobs).items():
        if dag_id == plain_dag_id(job_name(jobs[dag_id].job.name)):
            continue
        other = jobs[others[0]]
        same = "is also" if other.job.name == jobs[dag_id].job.name else f"is like {other.job.name!r},"
        message = f"the name {jobs[dag_id].job.name!r} {same} the name of {other.file}; this job is the DAG {dag_id}"
        problems.append(Problem(Severity.NOTE, message, file=jobs[dag_id].file, path="$.name"))
    return problems


def circles(jobs: Mapping[str, JobDefinition]) -> list[Problem]:
    """A problem for each circle of jobs that start each other by run-job tasks."""
    from medallion.factory.calls import circles

    return circles(jobs)


class AmbiguousJobError(RunError):
    """A name that several jobs have; tells their DAG ids and paths."""

    exit_code = 2


def missing_here(settings: Settings, found: Sequence[Found]) -> list[Problem]:
    """What a run of each job on this machine would miss: see `components.readiness`."""
    from medallion.components.readiness import problems_of

    @cache
    def children() -> dict[str, JobDefinition]:
        places = [place for place in find(settings, []) if place not in {entry.path for entry in found}]
        others = read(settings, places, target=None, variables={})
        return ids_of(settings, [*found, *others])

    return [problem for entry in found for problem in problems_of(settings, entry.loaded, children)]


def choose(
    settings: Settings, wanted: str, *, target: str | None, variables: Mapping[str, str], user: str | None = None
) -> Chosen:
    """The job that `wanted` names: a path to a job file or bundle, `path::key`, a name, a DAG id or a bundle's key.

    A folder that is no path to the eye (`hello`) counts when no job has that name.

    :raises RunError: there is no such job, or several.
    :raises SpecError: its definition has errors.
    """
    place, _, key = wanted.partition("::")
    path = Path(place).expanduser().absolute()
    if is_path(place, path):
        entries = read(settings, find(settings, [path]), target=target, variables=variables, user=user)
        return from_path(settings, path, key, entries, candidates(settings, entries, varied=bool(variables or user)))
    entries = read(settings, find(settings, []), target=target, variables=variables, user=user)
    known = candidates(settings, entries, varied=bool(variables or user))
    if path.is_dir() and not any(wanted in item.names for item in known):
        entries = read(settings, find(settings, [path]), target=target, variables=variables, user=user)
        return from_path(settings, path, key, entries, candidates(settings, entries, varied=bool(variables or user)))
    return from_name(settings, entries, known, wanted)


def choose_dag(settings: Settings, dag_id: str, *, target: str | None, variables: Mapping[str, str]) -> Chosen:
    """The job that has a DAG id, wherever it is defined. Raises as `choose` does."""
    from medallion.project.registry import JobRegistry

    source = JobRegistry(settings).path_of_dag(dag_id)
    places = [source] if source is not None and source.exists() else find(settings, [])
    entries = read(settings, places, target=target, variables=variables)
    for item in candidates(settings, entries, varied=bool(variables)):
        if item.dag_id == dag_id:
            item.entry.loaded.require()
            return item.chosen(settings)
    return choose(settings, dag_id, target=target, variables=variables)


def candidates(settings: Settings, entries: Sequence[Found], *, varied: bool) -> list[Candidate]:
    """The jobs of what was read, each with the DAG id that it has or would get."""
    jobs = ids_of(settings, entries, varied=varied)
    sources = {id(item.job): entry for entry in entries for item in entry.loaded.jobs}
    return [Candidate(item, sources[id(item.job)], dag_id) for dag_id, item in jobs.items()]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A job that may be meant, and where it was read."""

    definition: JobDefinition
    entry: Found
    dag_id: str

    @property
    def names(self) -> tuple[str, str, str]:
        """What it may be called by: its name, its DAG id, its key."""
        return job_name(self.definition.job.name), self.dag_id, self.definition.key

    def chosen(self, settings: Settings) -> Chosen:
        """The choice, and whether the scheduler serves that file."""
        served = settings.jobs_folder.resolve() in self.entry.path.resolve().parents
        return Chosen(self.definition, self.entry.path, self.dag_id, served)


def places_named(settings: Settings, wanted: Sequence[str]) -> list[Path]:
    """The files and bundles of what a command is given, each a path or a job as `choose` takes it; for none, all.

    :raises SpecError: one is neither.
    """
    places: list[Path] = []
    for text in wanted:
        path = Path(text.partition("::")[0]).expanduser().absolute()
        places += find(settings, [path]) if is_path(text, path) else named_places(settings, text, path)
    return list(dict.fromkeys(places)) if wanted else find(settings, [])


def named_places(settings: Settings, name: str, path: Path) -> list[Path]:
    """The files of the jobs of that name; without one what the folder of that name holds.

    :raises SpecError: there is neither.
    """
    entries = read(settings, find(settings, []), target=None, variables={})
    known = candidates(settings, entries, varied=False)
    if named := [item.entry.path for item in known if name in item.names]:
        return named
    if path.is_dir():
        return find(settings, [path])
    missing = missing_path(path)
    hint = missing.hint or did_you_mean(name, [text for item in known for text in item.names])
    raise SpecError([replace(missing, message="no such file or folder, and no job of that name", hint=hint)])


def is_path(text: str, path: Path) -> bool:
    """Whether a text means a file. A name that happens to be a folder here does not, unless it holds a bundle."""
    from medallion.spec.discovery import bundle_file

    if path.is_file() or (path.is_dir() and bundle_file(path) is not None):
        return True
    return text.endswith((".json", ".yml", ".yaml")) or (("/" in text or text in {".", ".."}) and path.exists())


def from_path(settings: Settings, path: Path, key: str, entries: Sequence[Found], known: Sequence[Candidate]) -> Chosen:
    """The one job of a path; of several, the one with the key or name."""
    for entry in entries:
        entry.loaded.require()
    hits = [item for item in known if not key or key in item.names]
    # A key is a bundle's own word: it means that job, though another of the bundle has it for a name.
    hits = [item for item in hits if item.definition.key == key] or hits
    if len(hits) != 1:
        names = [item.definition.key for item in known]
        text = f"{path} has {'no job' if not hits else f'{len(hits)} jobs'}" + (f" named {key}" if key else "")
        raise RunError(text, hint=f"choose one: {path}::KEY with KEY of {', '.join(names)}" if names else None)
    return hits[0].chosen(settings)


def from_name(settings: Settings, entries: Sequence[Found], known: Sequence[Candidate], wanted: str) -> Chosen:
    """The job of the jobs folder with that name, DAG id or key. A name wins over a DAG id, a DAG id over a key.

    A name that several jobs have means none of them, though it is the DAG id of one as well.
    """
    for position in range(3):
        hits = [item for item in known if item.names[position] == wanted]
        if len(hits) == 1:
            hits[0].entry.loaded.require()
            return hits[0].chosen(settings)
        if hits:
            choices = "; ".join(f"{item.dag_id} ({item.definition.file}::{item.definition.key})" for item in hits)
            raise AmbiguousJobError(f"{len(hits)} jobs are named {wanted}: {choices}", hint="name one by its path")
    names = [name for item in known for name in item.names]
    broken = [problem for entry in entries if not entry.loaded.jobs for problem in entry.loaded.errors]
    hint = did_you_mean(wanted, names) or (
        "`medallion list` shows the jobs" if names else f"put it into {settings.jobs_folder}"
    )
    if broken:
        first = f"{broken[0].file or settings.jobs_folder}: {broken[0].message}"
        more = " (`medallion check` shows all)" if len(broken) > 1 else ""
        hint += f"; {counted(len(broken))} other files from loading: {first}{more}"
    raise RunError(f"there is no job {wanted!r} below {settings.jobs_folder}", hint=hint)


def counted(errors: int) -> str:
    """How many errors keep something from being, as a sentence's begin."""
    return "1 error keeps" if errors == 1 else f"{errors} errors keep"


def rows(settings: Settings, found: Sequence[Found]) -> list[dict[str, Any]]:
    """A JSON row per job for `medallion list`; a file without a job that loads is a row as well."""
    jobs = ids_of(settings, found)
    clashes = namesakes(jobs)
    known = {id(definition.job): dag_id for dag_id, definition in jobs.items()}
    table = []
    for entry in found:
        problems = [item.as_json() for item in entry.loaded.errors]
        for item in entry.loaded.jobs:
            dag_id = known[id(item.job)]
            table.append({**row(item, dag_id, problems), "clashes": clashes.get(dag_id, [])})
        if not entry.loaded.jobs and problems:
            empty = {"name": "", "dag_id": "", "tasks": [], "starts": "", "status": "does not load", "clashes": []}
            table.append({**empty, "key": "", "file": str(entry.path), "problems": problems})
    return table


def row(definition: JobDefinition, dag_id: str, problems: list[dict[str, object]]) -> dict[str, Any]:
    """One job, as `medallion list` shows it."""
    settings = definition.job.to_json()
    starts, status = trigger_words(settings)
    return {
        "name": job_name(definition.job.name),
        "dag_id": dag_id,
        "key": definition.key,
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
