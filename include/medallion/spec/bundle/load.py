"""The jobs of an asset bundle. Runs at parse, in the CLI and in tests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from medallion.spec.bundle.resolve import Resolved, resolve_bundle
from medallion.spec.definition import JobDefinition, Loaded
from medallion.spec.job import Job


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
    """The jobs of a bundle that was resolved."""
    jobs = []
    for key, settings in resolved.resources.get("jobs", {}).items():
        if isinstance(settings, dict):
            jobs.append(
                JobDefinition(Job.model_validate(settings), key, resolved.file, resolved.root, resolved.deployed)
            )
    others = {kind: found for kind, found in resolved.resources.items() if kind != "jobs"}
    return Loaded(tuple(jobs), resolved.problems, others, resolved.read)


def deployed_path_to_local(path: str, *, root: Path, deployed: str | None) -> Path | None:
    """The local place of a workspace path that a bundle was resolved to; None when the path is not below the bundle's files.

    :param path: such as /Workspace/Users/someone/.bundle/x/dev/files/src/report (a notebook is named without its extension).
    :param root: the definition's root: the folder that is deployed.
    :param deployed: the definition's deployed folder.
    """
    if not deployed:
        return None
    if path == deployed:
        return root
    prefix = deployed.rstrip("/") + "/"
    return root / path.removeprefix(prefix) if path.startswith(prefix) else None
