"""Alerts of SQL and alert tasks: where their definition is, and what it says. Runs in the Airflow task process.

Two forms of the Alerts API are read: `query_text` with `evaluation` (also as the lines of a `.dbalert.json` file), and
the legacy one with `query_id` and `condition`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.factory.equipment import beside
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from medallion.settings import Settings
    from medallion.spec.definition import JobDefinition

RESOURCE = re.compile(r"\$\{resources\.alerts\.([^.}]+)\.id\}")
VALUES = ("double_value", "string_value", "bool_value")


class AlertError(MedallionError):
    """An alert or a query cannot be found, or its definition is incomplete."""


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is evaluated.

    :param sql: its query.
    :param rule: `op`, `column`, `aggregation`, `value` or `threshold_column`, `empty`; see `runtime.alerts`.
    """

    name: str
    sql: str
    rule: Mapping[str, Any]


def query_text(settings: Settings, query_id: str) -> str:
    """The text of a saved query.

    :raises AlertError: settings do not name it, or the file is missing.
    """
    file = settings.queries.get(query_id)
    if file is None:
        near = did_you_mean(query_id, settings.queries)
        add = f'add to medallion.toml:  [queries]  "{query_id}" = "path/of/its.sql"'
        raise AlertError(f"no file is set for query_id {query_id!r}", hint=f"{near} Or {add}" if near else add)
    return read(file)


def find_alert(definition: JobDefinition, settings: Settings, alert_id: str) -> Alert:
    """An alert by its id: a resource of the bundle, else a file that settings name.

    :raises AlertError: there is none, or it is incomplete.
    """
    resources = beside(definition, settings).resources if RESOURCE.fullmatch(alert_id.strip()) else {}
    return alert_named(alert_id, resources, definition.root, settings)


def alert_named(alert_id: str, resources: Mapping[str, Any], root: Path, settings: Settings) -> Alert:
    """An alert of a bundle's resources, else of the settings. Raises as `find_alert` does."""
    if found := RESOURCE.fullmatch(alert_id.strip()):
        known = resources.get("alerts") or {}
        if found[1] in known:
            return alert_of(found[1], known[found[1]], settings, root)
        raise AlertError(f"the bundle has no alert {found[1]!r}", hint=did_you_mean(found[1], known))
    file = settings.alerts.get(alert_id)
    if file is None:
        near = did_you_mean(alert_id, settings.alerts)
        add = f'add to medallion.toml:  [alerts]  "{alert_id}" = "path/of/alert.json"'
        raise AlertError(f"no alert is set for alert_id {alert_id!r}", hint=f"{near} Or {add}" if near else add)
    return alert_in(file, settings)


def alert_in(file: Path, settings: Settings) -> Alert:
    """The alert of a JSON file."""
    try:
        told = json.loads(read(file))
    except ValueError as error:
        raise AlertError(f"{file} is no JSON: {error}") from None
    return alert_of(file.name.partition(".")[0], told, settings, file.parent)


def alert_of(key: str, told: Mapping[str, Any], settings: Settings, folder: Path) -> Alert:
    """The alert that a definition states."""
    if told.get("file_path"):
        return alert_in(folder / str(told["file_path"]), settings)
    name = str(told.get("display_name") or told.get("name") or key)
    evaluation = told.get("evaluation")
    rule = new_rule(evaluation) if evaluation else legacy_rule(told.get("condition") or {})
    missing = [part for part in ("op", "column") if not rule[part]]
    if missing:
        raise AlertError(f"alert {name!r} does not say its {' and '.join(missing)}", hint="see the Alerts API")
    lines = told.get("query_lines")
    sql = told.get("query_text") or ("".join(lines) if lines else None)
    return Alert(name, str(sql) if sql else query_text(settings, str(told.get("query_id"))), rule)


def new_rule(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The rule of an `evaluation`."""
    source, threshold = evaluation.get("source") or {}, evaluation.get("threshold") or {}
    return {
        "op": evaluation.get("comparison_operator"),
        "column": source.get("name"),
        "aggregation": source.get("aggregation"),
        "value": value_of(threshold.get("value") or {}),
        "threshold_column": (threshold.get("column") or {}).get("name"),
        "empty": evaluation.get("empty_result_state"),
    }


def legacy_rule(condition: Mapping[str, Any]) -> dict[str, Any]:
    """The rule of a legacy `condition`."""
    column = (condition.get("operand") or {}).get("column") or {}
    return {
        "op": condition.get("op"),
        "column": column.get("name"),
        "aggregation": None,
        "value": value_of((condition.get("threshold") or {}).get("value") or {}),
        "threshold_column": None,
        "empty": condition.get("empty_result_state"),
    }


def value_of(told: Mapping[str, Any]) -> Any:
    """The one value of a threshold."""
    return next((told[name] for name in VALUES if told.get(name) is not None), None)


def read(file: Path) -> str:
    """The text of a file that settings or a bundle name."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        there = [entry.name for entry in file.parent.iterdir()] if file.parent.is_dir() else []
        raise AlertError(
            f"cannot read {file}: {error.strerror or error}", hint=did_you_mean(file.name, there)
        ) from None
