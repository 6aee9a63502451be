"""Whether the components are well, as the API server and the jobs service tell. In the user's shell."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from medallion.runs import service

API_SERVER = "api-server"
"""The component that tells of the others."""
REPORTS = {"scheduler": "scheduler", "triggerer": "triggerer", "dag-processor": "dag_processor"}
"""Component and its name in the health report, where it also has `latest_<name>_heartbeat`."""


def health_report(url: str, timeout: float = 2.0) -> Mapping[str, Any] | None:
    """Airflow's health report, or None when the server does not answer."""
    try:
        with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=timeout) as answer:  # noqa: S310  http only, our own address
            report: Mapping[str, Any] = json.load(answer)
    except (OSError, ValueError):
        return None
    return report


def healthy_components(url: str, home: Path, since: float = 0.0, *, timeout: float = 2.0) -> frozenset[str]:
    """The components that are well.

    :param timeout: seconds that the API server may take to answer.
    :param home: where the jobs service leaves its sign of life.
    :param since: seconds since the epoch; an older heartbeat is that of an earlier process and does not count.
    """
    well = {service.NAME} if service.is_well(home, since) else set()
    report = health_report(url, timeout)
    if report is None:
        return frozenset(well)
    well.add(API_SERVER)
    for component, name in REPORTS.items():
        part = report.get(name) or {}
        if part.get("status") == "healthy" and heartbeat(part.get(f"latest_{name}_heartbeat")) >= since:
            well.add(component)
    return frozenset(well)


def heartbeat(text: str | None) -> float:
    """A time of the report in seconds since the epoch; 0 for none."""
    return datetime.fromisoformat(text).timestamp() if text else 0.0
