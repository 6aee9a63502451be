"""Which target a command means: one of an asset bundle, or one of the settings where Spark runs. In the user's shell."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from medallion.settings import Settings

ComputeOption = Annotated[
    str | None,
    typer.Option(
        "--compute",
        metavar="NAME",
        help="Run all tasks on this target of the settings, [targets.NAME], whatever the job says.",
    ),
]


def bundle_and_compute(
    settings: Settings, job: str, target: str | None, compute: str | None
) -> tuple[str | None, str | None]:
    """What `--target` and `--compute` mean: the bundle's target and the target of the settings.

    `--target` names a target of the job's bundle. A name that the bundle has not, or that is given for a job outside of
    bundles, is one of `[targets]` in the settings. `--compute` is always that.

    :raises TargetError: there is no such target.
    """
    from medallion.compute.targets import target_named
    from medallion.spec.bundle.resolve import target_names

    if compute is not None:
        target_named(settings, compute)
    if target is None:
        return None, compute
    bundle = bundle_of(settings, job)
    if bundle is not None and (target in target_names(bundle) or target not in settings.targets or compute is not None):
        return target, compute  # a name that neither has is told by the bundle, with the nearest of its own
    if compute is None:
        target_named(settings, target)
    return None, compute or target


def bundle_of(settings: Settings, job: str) -> Path | None:
    """The root file of the bundle that defines a job; None for a job outside of bundles, or one that is not known."""
    from medallion.components.jobs import choose, is_path
    from medallion.errors import MedallionError
    from medallion.spec.discovery import BUNDLE_FILES

    place = job.partition("::")[0]
    path = Path(place).expanduser().absolute()
    if not is_path(place, path):
        try:
            path = choose(settings, job, target=None, variables={}).source
        except MedallionError:
            return first_bundle(settings)
    roots = [path / name for name in BUNDLE_FILES] if path.is_dir() else [path]
    return next((root for root in roots if root.is_file() and root.name in BUNDLE_FILES), None)


def first_bundle(settings: Settings) -> Path | None:
    """A bundle of the jobs folder: the job can be one that exists in a target other than the default only."""
    from medallion.components.jobs import find
    from medallion.spec.discovery import BUNDLE_FILES

    return next((path for path in find(settings, []) if path.name in BUNDLE_FILES), None)
