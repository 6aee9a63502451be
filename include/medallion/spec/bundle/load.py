"""The jobs of an asset bundle. Runs at parse, in the CLI and in tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from medallion.spec.bundle.references import resolve_tree
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.resolve import Resolved, resolve_bundle
from medallion.spec.bundle.tree import EMPTY, Node, plain
from medallion.spec.check import read_job
from medallion.spec.definition import JobDefinition, Loaded
from medallion.spec.positions import JsonPath
from medallion.spec.problems import Problem


def load_bundle(
    path: Path | str,
    *,
    target: str | None = None,
    variables: Mapping[str, str] | None = None,
    user: str = "someone",
    environ: Mapping[str, str] | None = None,
    lookups: Mapping[str, Mapping[str, str]] | None = None,
) -> Loaded:
    """The jobs of a bundle, resolved for a target and checked. Arguments as for `resolve_bundle`."""
    resolved = resolve_bundle(path, target=target, variables=variables, user=user, environ=environ, lookups=lookups)
    return load_resolved(resolved)


def load_resolved(resolved: Resolved) -> Loaded:
    """The jobs of a bundle that was resolved, with the problems that the check of each job adds."""
    report = Report()
    resources = follow_references(resolved, report)
    jobs = []
    problems = [*resolved.problems, *report.problems]
    known = {key for problem in problems for key in marks(problem)}
    for key, settings in (resources.get("jobs") or {}).items():
        if settings is None:
            continue
        at = ("resources", "jobs", key)
        job, found = read_job(settings, file=resolved.file, positions=resolved.positions, at=at, lenient=True)
        problems += [problem for problem in found if known.isdisjoint(marks(problem))]
        if job is not None:
            jobs.append(
                JobDefinition(job, key, resolved.file, resolved.root, resolved.deployed, target=resolved.target, at=at)
            )
    others = {kind: found for kind, found in resources.items() if kind != "jobs"}
    return Loaded(tuple(jobs), tuple(problems), others, resolved.read, resolved.artifacts, resolved.positions)


def follow_references(resolved: Resolved, report: Report) -> dict[str, Any]:
    """The resources with references to each other's fields replaced, as a deployment does; only ids stay."""
    tree = resolved.positions.root
    resources = tree.get("resources") or EMPTY

    def find(steps: JsonPath, _name: str) -> Node | None:
        is_field = steps[0] == "resources" and len(steps) > len(("resources", "kind", "key")) and steps[3] != "id"
        return tree.at(*steps) if is_field else None

    followed = plain(resolve_tree(resources, ("resources",), find, report, lambda node: node))
    return followed if isinstance(followed, dict) and resolved.target is not None else {}


def marks(problem: Problem) -> list[object]:
    """What tells that two problems are about one thing: the path, and the place."""
    place = (problem.file, problem.line, problem.column) if problem.line is not None else None
    return [mark for mark in (problem.path, place) if mark is not None]


def deployed_path_to_local(path: str, *, root: Path, deployed: str | None) -> Path | None:
    """The local place of a workspace path of a resolved bundle; None when it is not below the bundle's files.

    :param path: such as /Workspace/Users/someone/.bundle/x/dev/files/src/report (notebooks lack their extension).
    :param root: the definition's root: the folder that is deployed.
    :param deployed: the definition's deployed folder.
    """
    if not deployed:
        return None
    if path == deployed:
        return root
    prefix = deployed.rstrip("/") + "/"
    return root / path.removeprefix(prefix) if path.startswith(prefix) else None
