"""A pipeline of a bundle and what one update of it is asked for. Runs in the task process; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from medallion.errors import MedallionError, UnsupportedError

REFUSED: Mapping[str, str] = {
    "continuous": "only triggered updates run here; set continuous: false",
    "ingestion_definition": "managed ingestion needs Databricks' connectors",
    "gateway_definition": "ingestion gateways need Databricks",
    "restart_window": "it belongs to continuous pipelines",
}
"""Settings of a pipeline that cannot be met, with the reason; false and empty ones are no demand."""
REFUSED_REQUESTS: Mapping[str, str] = {
    "refresh_flow_selection": "name the datasets in refresh_selection",
    "reset_checkpoint_selection": "Spark's pipelines reset a checkpoint by a full refresh only: full_refresh_selection",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline, as the Pipelines API states it.

    :param libraries: `{"notebook": {"path": …}}`, `{"file": {"path": …}}`, `{"glob": {"include": …}}`.
    :param event_log: name of the event log's table in three parts.
    """

    id: str
    name: str
    catalog: str
    schema: str
    libraries: tuple[Mapping[str, Any], ...]
    event_log: str
    configuration: Mapping[str, str] = field(default_factory=dict)
    root_path: str | None = None
    development: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, pipeline_id: str, raw: Mapping[str, Any]) -> Pipeline:
        """The pipeline of a bundle's resource.

        :raises UnsupportedError: it asks for what cannot be met here; names the setting.
        """
        name = str(raw.get("name") or pipeline_id)
        for key, reason in REFUSED.items():
            if raw.get(key):
                raise UnsupportedError(f"pipeline {name!r}: {key} is not available here", hint=reason)
        catalog = str(raw.get("catalog") or "main")
        schema = str(raw.get("schema") or raw.get("target") or "default")
        log = raw.get("event_log") or {}
        own = f"event_log_{pipeline_id.replace('-', '_')}"
        return cls(
            id=pipeline_id,
            name=name,
            catalog=catalog,
            schema=schema,
            libraries=tuple(raw.get("libraries") or ()),
            event_log=f"{log.get('catalog') or catalog}.{log.get('schema') or schema}.{log.get('name') or own}",
            configuration={key: plain(value) for key, value in (raw.get("configuration") or {}).items()},
            root_path=raw.get("root_path"),
            development=bool(raw.get("development")),
            settings={key: value for key, value in raw.items() if key not in {"libraries", "configuration"}},
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What an update is asked for: all datasets, or a selection, with or without starting over."""

    full_refresh: bool = False
    refresh: tuple[str, ...] = ()
    full_refresh_selection: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Request:
        """The request of a `pipeline_task`.

        :raises MedallionError: selections contradict each other, or one cannot be met.
        """
        for key, hint in REFUSED_REQUESTS.items():
            if payload.get(key):
                raise UnsupportedError(f"pipeline_task: {key} is not available here", hint=hint)
        found = cls(
            full_refresh=bool(payload.get("full_refresh")),
            refresh=tuple(payload.get("refresh_selection") or ()),
            full_refresh_selection=tuple(payload.get("full_refresh_selection") or ()),
            parameters={key: plain(value) for key, value in (payload.get("parameters") or {}).items()},
        )
        if found.full_refresh and (found.refresh or found.full_refresh_selection):
            raise MedallionError(
                "pipeline_task: full_refresh starts all datasets over, so no selection may stand beside it",
                hint="leave out full_refresh, or refresh_selection and full_refresh_selection",
            )
        return found

    @property
    def update_type(self) -> str:
        """The word of `system.lakeflow.pipeline_update_timeline` for it."""
        if self.full_refresh or self.full_refresh_selection:
            return "FULL_REFRESH"
        return "REFRESH"


def plain(value: object) -> str:
    """A setting's value as text, spelled as JSON spells it: YAML may have made a boolean of it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
