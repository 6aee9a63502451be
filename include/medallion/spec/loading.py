"""Loads definitions: a JSON or YAML file in any of its shapes, or an asset bundle. Runs at parse, in the CLI and in tests.

Shapes of a JSON file: the bare settings of a job; what the Jobs API's GET answers, `{"job_id": 1, "settings": {…}}`;
`{"resources": {"jobs": {…}}}`, which is also what `databricks bundle validate -o json` prints. A YAML file has the last
shape, as Databricks' page of a job shows it under "View as YAML"; below a bundle it is a part of the bundle.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.spec.check import read_job
from medallion.spec.definition import JobDefinition, Loaded
from medallion.spec.discovery import BUNDLE_FILES, bundle_file, discover
from medallion.spec.findings import Findings, shown
from medallion.spec.job import Job
from medallion.spec.positions import JsonPath, Positions, format_path
from medallion.spec.problems import Problem, Severity, did_you_mean
from medallion.spec.source import JsonDocument, SourceError, read_json

if TYPE_CHECKING:
    from medallion.spec.bundle.tree import Node

__all__ = ["discover", "load"]

ENVELOPE = frozenset(
    {
        *("job_id", "creator_user_name", "run_as_user_name", "created_time", "settings", "next_page_token", "has_more"),
        *("effective_budget_policy_id", "effective_usage_policy_id", "run_as_owner", "trigger_details"),
        *("trigger_state", "new_settings"),
    }
)
"""What stands around a job's settings in an answer of the Jobs API (databricks-sdk, Job) or a reset request."""


log = logging.getLogger(__name__)

OF_BUNDLES = re.compile(r"\$\{(?:var|variables|bundle|workspace|artifacts)\.[^}]*\}")

Lookups = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Request:
    """What to load. All but the path is for bundles."""

    path: Path
    target: str | None = None
    variables: Mapping[str, str] | None = None
    user: str | None = None
    lookups: Lookups | None = None


def load(
    path: Path | str,
    *,
    target: str | None = None,
    variables: Mapping[str, str] | None = None,
    user: str | None = None,
    lookups: Lookups | None = None,
) -> Loaded:
    """The jobs of a definition and every problem of it. Never raises for what the user wrote.

    :param path: a JSON file, a bundle's folder or its root file.
    :param target: target of a bundle; none is the bundle's default.
    :param variables: values of a bundle's variables.
    :param user: the user name that a bundle's current_user resolves to.
    :param lookups: ids by kind and name, for a bundle's variables with a lookup.
    """
    request = Request(Path(path).expanduser().absolute(), target, variables, user, lookups)
    try:
        if request.path.is_dir():
            return load_folder(request)
        if request.path.name in BUNDLE_FILES:
            return load_as_bundle(request)
        if request.path.suffix.lower() in {".yml", ".yaml"}:
            return load_yaml(request.path)
        return load_json(request.path)
    except OSError as error:
        return loaded_problem(request.path, f"cannot read it: {error.strerror or error}")
    except Exception as error:
        # A fault of ours in one definition must hurt no other: whoever reads many goes on with the rest.
        log.exception("%s cannot be read", ascii(str(request.path)))
        what = f"{type(error).__name__}: {error}"
        return loaded_problem(request.path, f"reading it fails, which is a fault of Medallion itself: {what}")


def loaded_problem(path: Path, message: str, hint: str | None = None) -> Loaded:
    """Nothing but one error."""
    return Loaded(problems=(Problem(Severity.ERROR, message, path, hint=hint),), read=(path,))


def load_yaml(file: Path) -> Loaded:
    """A YAML file that holds `resources` with jobs and belongs to no bundle."""
    if not file.exists():
        return missing_file(file)
    if above := next((root for folder in file.parents if (root := bundle_file(folder))), None):
        return loaded_problem(file, "a YAML file is read as part of its bundle", f"load {above}")
    from medallion.spec.bundle.tree import TreePositions, plain
    from medallion.spec.bundle.yaml import read_yaml

    try:
        tree, problems = read_yaml(file)
    except SourceError as error:
        return Loaded(problems=(error.problem,), read=(file,))
    if tree.get("resources") is None or tree.at("resources", "jobs") is None:
        message = "a YAML file of its own holds jobs under resources.jobs, and this one has none"
        hint = f"under resources: jobs: <key>: stand a job's settings; for more, {as_bundle(file)}"
        return Loaded(problems=(*problems, Problem(Severity.ERROR, message, file, hint=hint)), read=(file,))
    document = YamlDocument({"resources": plain(tree)["resources"]}, TreePositions(tree))
    for name in tree.value:
        if name != "resources":
            _, line, column = (tree.keys or {})[name][0]
            text = f"{name} counts in a bundle only; in a file of its own it is not read"
            problems.append(Problem(Severity.WARNING, text, file, line, column, f"$.{name}", as_bundle(file)))
    loaded = load_resources(document, file, problems, lenient=True)
    return replace(loaded, problems=(*loaded.problems, *bundle_references(tree.get("resources") or tree, file)))


def bundle_references(tree: Node, file: Path) -> Iterator[Problem]:
    """An error for each reference that only a bundle can answer."""
    from medallion.spec.bundle.tree import walk

    for path, node in walk(tree, ("resources",)):
        if isinstance(node.value, str) and (found := OF_BUNDLES.search(node.value)):
            _, line, column = node.places[0]
            text = f"{found[0]} counts in a bundle only"
            yield Problem(Severity.ERROR, text, file, line, column, format_path(path), as_bundle(file))


def as_bundle(file: Path) -> str:
    """How to make a bundle of a YAML file."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", file.stem) or "jobs"
    text = f"{{bundle: {{name: {name}}}, include: [{file.name!r}]}}"
    return f"to make a bundle of it, put {BUNDLE_FILES[0]} beside it:  {text}"


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """A YAML file, as `load_resources` takes it."""

    value: Mapping[str, Any]
    positions: Positions


def missing_file(file: Path) -> Loaded:
    """The error of a file that is not there, with its nearest neighbour."""
    names = [item.name for item in file.parent.iterdir()] if file.parent.is_dir() else []
    return loaded_problem(file, "there is no such file", did_you_mean(file.name, names))


def load_folder(request: Request) -> Loaded:
    """A bundle's folder."""
    if bundle_file(request.path):
        return load_as_bundle(request)
    inside = discover(request.path)
    hint = f"it holds {len(inside)} definitions, such as {inside[0]}" if inside else None
    return loaded_problem(request.path, f"the folder has no {BUNDLE_FILES[0]}", hint)


def load_as_bundle(request: Request) -> Loaded:
    """An asset bundle."""
    from medallion.spec.bundle import load_bundle

    given: dict[str, Any] = {name: getattr(request, name) for name in ("target", "variables", "user", "lookups")}
    loaded = load_bundle(request.path, **{name: value for name, value in given.items() if value is not None})
    if loaded.jobs or loaded.errors:
        return loaded
    return replace(loaded, problems=(*loaded.problems, Problem(Severity.NOTE, "the bundle has no jobs", request.path)))


def load_json(file: Path) -> Loaded:
    """A JSON file."""
    if not file.exists():
        return missing_file(file)
    document, problems = read_json(file)
    if document is None:
        return Loaded(problems=tuple(problems), read=(file,))
    return load_document(document, file, problems)


def load_document(document: JsonDocument, file: Path, problems: list[Problem]) -> Loaded:
    """The jobs of a JSON document, by its shape."""
    value = document.value
    if not isinstance(value, dict):
        message = f"a definition is a JSON object, not {shown(value)}"
        return Loaded(problems=(*problems, Problem(Severity.ERROR, message, file, 1, 1, "$")), read=(file,))
    if "resources" in value and "tasks" not in value:
        return load_resources(document, file, problems)
    findings = Findings(file, document.positions)
    settings: object = value
    at: JsonPath = ()
    if holder := next((name for name in ("settings", "new_settings") if name in value and "tasks" not in value), None):
        settings, at = value[holder], (holder,)
        check_envelope(value, findings)
    elif Job.model_fields.keys().isdisjoint(value):
        findings.error((), "this is no job: it has neither tasks nor settings nor resources")
    job, found = read_job(settings, file=file, positions=document.positions, at=at)
    definition = job and JobDefinition(job, file.stem, file, file.parent, job_id=number(value.get("job_id")), at=at)
    told = (*problems, *findings.problems(), *found)
    return Loaded((definition,) if definition else (), told, read=(file,), positions=document.positions)


def check_envelope(value: Mapping[str, Any], findings: Findings) -> None:
    """Keys beside the settings, and whether the answer was the first page of more."""
    for name in value:
        if name not in ENVELOPE:
            findings.warning((name,), f"unknown key {shown(name)}", did_you_mean(name, ENVELOPE), key=True)
    if value.get("has_more") or value.get("next_page_token"):
        message = "this is one page of the job; the API has more tasks or clusters"
        findings.warning(("has_more",), message, "fetch the next pages with page_token")


def number(value: object) -> int | None:
    """A job's id, which the API also takes as text."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def load_resources(
    document: JsonDocument | YamlDocument, file: Path, problems: list[Problem], *, lenient: bool = False
) -> Loaded:
    """The jobs of `{"resources": …}`. With the keys of a bundle around it, it is what the bundle's tool printed.

    :param lenient: what Databricks' own tool warns of is a warning.
    """
    value: Mapping[str, Any] = document.value
    findings = Findings(file, document.positions)
    workspace = value["workspace"] if isinstance(value.get("workspace"), dict) else {}
    deployed = workspace.get("file_path") if isinstance(workspace.get("file_path"), str) else None
    root = bundle_folder(file) if deployed else file.parent
    jobs: list[JobDefinition] = []
    found: list[Problem] = []
    options: dict[str, Any] = {
        "file": file,
        "positions": document.positions,
        "lenient": lenient or "bundle" in value,
        "resources": names_of(value["resources"]),
    }
    for key, settings, at in jobs_of(value["resources"], findings):
        job, more = read_job(settings, at=at, **options)
        found += more
        if job:
            job_id = number(settings.get("id"))
            jobs.append(JobDefinition(job, key, file, root, deployed, job_id, at=at))
    resources = value["resources"] if isinstance(value["resources"], dict) else {}
    others = {kind: items for kind, items in resources.items() if kind != "jobs"}
    return Loaded(tuple(jobs), (*problems, *findings.problems(), *found), others, (file,), positions=document.positions)


def names_of(resources: object) -> frozenset[str]:
    """Every resource of the document, as references name it: `resources.jobs.child`."""
    kinds = resources.items() if isinstance(resources, dict) else ()
    return frozenset(f"resources.{kind}.{key}" for kind, items in kinds if isinstance(items, dict) for key in items)


def bundle_folder(file: Path) -> Path:
    """The folder of the bundle that a resolved file was saved in or below, else the file's own folder."""
    return next((folder for folder in file.parents if bundle_file(folder)), file.parent)


def jobs_of(resources: object, findings: Findings) -> Iterator[tuple[str, Any, JsonPath]]:
    """Key, settings and path of each job."""
    jobs = resources.get("jobs") if isinstance(resources, dict) else None
    if not isinstance(jobs, dict):
        message = "resources holds no jobs" if isinstance(resources, dict) else "resources is no object"
        findings.error(("resources",), message)
        return
    for key, settings in jobs.items():
        yield key, settings, ("resources", "jobs", key)
