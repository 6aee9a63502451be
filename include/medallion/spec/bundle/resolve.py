"""Resolves an asset bundle: the order of the stages. Runs at parse, in the CLI and in tests.

The order is that of Databricks' CLI (reference §17.6), since it decides what wins. Unlike there, an error does not end
the work: later stages go on with what there is, so that all problems come at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from medallion.spec.bundle import (
    artifacts,
    checks,
    compute_checks,
    defaults,
    modes,
    paths,
    permissions,
    presets,
    sync,
    targets,
    variables,
    workspace,
)
from medallion.spec.bundle.catalogs import refer_to_catalogs
from medallion.spec.bundle.fields import root
from medallion.spec.bundle.includes import Files, read_files
from medallion.spec.bundle.normalize import drop_empty_texts
from medallion.spec.bundle.python_resources import add_python_resources
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import ANY, EMPTY, Node, TreePositions, matches, plain, put
from medallion.spec.bundle.variables import Sources
from medallion.spec.bundle.workspace import User
from medallion.spec.problems import Problem, Severity

INTERNAL = ("deployment", "edit_mode", "format")


@dataclass(frozen=True, slots=True)
class Resolved:
    """A bundle resolved for one target.

    :param resources: what `databricks bundle validate -o json` gives under `resources`, but for `deployment`,
        `edit_mode` and `format`, which only a deployment needs.
    :param positions: places of everything in the files, by path from the bundle's root.
    :param root: the folder that is deployed: the bundle's own, unless sync.paths leaves it.
    :param file: the bundle's root file.
    :param deployed: the workspace folder that stands for `root` after a deployment (workspace.file_path).
    :param read: every file and searched folder that the answer depends on.
    :param target: the target's name; None when none could be chosen.
    :param variables: values of the bundle's variables.
    :param artifacts: what the bundle builds, by name; each `path` is absolute.
    """

    resources: Mapping[str, Any]
    problems: tuple[Problem, ...]
    positions: TreePositions
    file: Path
    root: Path
    deployed: str
    read: tuple[Path, ...] = ()
    target: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop the bundle."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


@dataclass(frozen=True, slots=True)
class Request:
    """What a bundle is resolved for."""

    target: str | None
    user: User
    sources: Sources


def resolve_bundle(
    path: Path | str,
    *,
    target: str | None = None,
    variables: Mapping[str, str] | None = None,
    user: str = "someone",
    environ: Mapping[str, str] | None = None,
    lookups: Mapping[str, Mapping[str, str]] | None = None,
) -> Resolved:
    """An asset bundle with everything filled in for a target.

    :param path: the bundle's folder, or its root file.
    :param target: the target's name; None takes DATABRICKS_BUNDLE_TARGET, then the bundle's default.
    :param variables: values as `--var` gives them.
    :param user: the user name that the bundle would be deployed by.
    :param environ: environment with BUNDLE_VAR_…; None is the process's.
    :param lookups: ids by kind and name for variables with a lookup.
    """
    environ = os.environ if environ is None else environ
    given = Path(os.path.abspath(path))  # noqa: PTH100 - normalised without following links, as the CLI does
    asked = target or environ.get("DATABRICKS_BUNDLE_TARGET") or None
    request = Request(asked, User(user), Sources(variables or {}, environ, lookups or {}))
    report = Report()
    files = read_files(given, report)
    if files is None:
        return Resolved({}, tuple(report.problems), TreePositions(EMPTY), given, given, "")
    return resolve_files(files, request, report)


def target_names(path: Path) -> tuple[str, ...]:
    """The targets that a bundle defines, in its root file or in one that it includes; nothing where it cannot be read."""
    report = Report()
    files = read_files(path, report)
    if files is None:
        return ()
    found = targets.rename_old_keys(files.tree, report).get("targets")
    return tuple(name for name, _ in found.items()) if found is not None else ()


def resolve_files(files: Files, request: Request, report: Report) -> Resolved:
    """A bundle whose files were read."""
    folder, read = files.file.parent, list(files.read)
    tree = targets.rename_old_keys(files.tree, report)
    checks.check_keys(tree, report)
    name = targets.choose_target(tree, request.target, report)
    if name is None:
        return Resolved({}, tuple(report.problems), TreePositions(tree), files.file, folder, "", tuple(read))
    selected = targets.select_target(tree, name, report)
    tree = workspace.set_sync_paths(selected.tree, folder)
    checks.check_settings(tree, report)
    deployed_folder = workspace.sync_root(tree, folder, report)
    tree = modes.refuse_source_links(tree, report)
    tree = workspace.set_workspace(tree, request.user, folder, name, report)
    read += workspace.git_files(tree, folder)
    tree = workspace.drop_doubled_prefixes(tree, report)
    tree = variables.set_values(tree, request.sources, folder, name, report, read)
    tree = variables.resolve_lookups(tree, request.sources, report)
    tree = variables.resolve_outside_resources(tree, report)
    workspace.check_volumes(tree, report)
    tree = modes.apply_mode(tree, request.user)
    tree = initialize_resources(tree, folder, request, report, read)
    environ = request.sources.environ
    stages = (
        partial(initialize, folder=folder, request=request, report=report, read=read),
        partial(tidy, report=report),
    )
    tree = add_python_resources(tree, folder, environ, report, read, stages)
    tree = finish(tree, report)
    modes.check_mode(tree, selected.target, request.user, report)
    workspace.check_shared_root(tree, report)
    deployed = tree.text("workspace", "file_path")
    tree = paths.Translator(folder, deployed_folder, deployed, report, read).translate(tree)
    compute_checks.check_wheel_runtimes(tree, report)
    artifacts.check_artifacts(tree, folder, report, read)
    compute_checks.check_job_compute(tree, report)
    sync.check_patterns(tree, folder, report)
    return Resolved(
        resources_json(tree),
        tuple(report.problems),
        TreePositions(tree),
        files.file,
        deployed_folder,
        deployed,
        tuple(dict.fromkeys(read)),
        name,
        {key: plain(node) for (_, key, _), node in matches(tree, ("variables", ANY, "value"))},  # type: ignore[misc]
        dict(artifacts.artifacts_json(tree, folder)),
    )


def initialize_resources(tree: Node, folder: Path, request: Request, report: Report, read: list[Path]) -> Node:
    """Resources of YAML files with references resolved and paths made relative (step 7), then initialized."""
    tree = variables.resolve_in_resources(tree, report)
    tree = paths.make_relative(tree, folder)
    return initialize(tree, folder=folder, request=request, report=report, read=read)


def initialize(tree: Node, *, folder: Path, request: Request, report: Report, read: list[Path]) -> Node:
    """Resources merged by key, with presets and defaults (step 8)."""
    compute_checks.check_single_node(tree, report)
    tree = paths.expand_pipeline_globs(tree, folder, read)
    tree = tidy(tree, report=report)
    tree = presets.set_run_as(tree, request.user, report)
    tree = presets.override_compute(tree, request.sources.environ, report)
    tree = presets.apply_presets(tree, report)
    tree = defaults.set_defaults(tree)
    return permissions.apply_permissions(tree, request.user, report)


def tidy(tree: Node, *, report: Report) -> Node:
    """Resources merged by key and with clusters as the API wants them."""
    tree = defaults.merge_by_key(variables.resolve_in_resources(tree, report), report)
    return defaults.serve_entities(defaults.fix_clusters(refer_to_catalogs(tree)), report)


def finish(tree: Node, report: Report) -> Node:
    """Resources with the paths of volumes and without empty texts, checked field by field (step 10)."""
    tree = defaults.drop_unset_lifecycle(defaults.set_volume_paths(tree, report))
    resources = tree.get("resources")
    if resources is not None:
        tree = put(tree, ("resources",), drop_empty_texts(root().fields["resources"], resources))
    checks.check_grants(tree, report)
    checks.check_deployment(tree, report)
    checks.check_other_kinds(tree, report)
    checks.check_fields(tree, report)
    return tree


def resources_json(tree: Node) -> dict[str, Any]:
    """The resources as JSON data."""
    resources = tree.get("resources")
    data = plain(resources) if resources is not None else None
    return data if isinstance(data, dict) else {}
