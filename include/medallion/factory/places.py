"""The folders that Databricks' paths stand for in the tasks of a definition. Runs in the task process and in the CLI."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion.runtime.protocol import Places

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition


def places_of(settings: Settings, definition: JobDefinition) -> Places:
    """The settings' folders, and the definition's root for the workspace folder that its bundle is deployed to."""
    workspace = {prefix: str(folder) for prefix, folder in settings.workspace.items()}
    if definition.deployed:
        workspace[definition.deployed.rstrip("/")] = str(definition.root)
    return Places(lake=str(settings.lake), volumes=str(settings.volumes), dbfs=str(settings.dbfs), workspace=workspace)
