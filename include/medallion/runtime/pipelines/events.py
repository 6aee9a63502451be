"""The event log of a pipeline: a Delta table in the shape of Databricks', and the record of one update.

Runs in the task process. It is written with `deltalake`, without Spark: a few rows at the end of an update.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError
from medallion.runtime.pipelines.expectations import DROP, FAIL, Counted, Expectation
from medallion.runtime.protocol import write_whole

if TYPE_CHECKING:
    from medallion.runtime.pipelines.registry import Book
    from medallion.runtime.pipelines.spec import Pipeline, Request

UPDATE_FILE = "pipeline_update.json"
FLOW = re.compile(r"Flow (\S+) (?:is|has) ([A-Z]+)", re.DOTALL)
RUN = re.compile(r"Run (?:is|has) ([A-Z]+)")
RULE_COLUMNS = ("expectation", "passed", "failed", "on violation")
LEVELS = {"FAILED": "ERROR", "SKIPPED": "WARN", "EXCLUDED": "WARN"}


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the event log.

    :param at: seconds since the epoch.
    :param details: what the column `details` holds as JSON.
    """

    at: float
    event_type: str
    message: str
    details: Mapping[str, Any]
    level: str = "INFO"
    flow: str | None = None
    dataset: str | None = None
    error: str | None = None


@dataclass
class Update:
    """One update of a pipeline as it goes on.

    :param start: seconds since the epoch; `end` likewise, None while it runs.
    :param state: RUNNING, COMPLETED, FAILED or CANCELED.
    :param run_from: the place in `events` where the present run of the graph begins.
    """

    pipeline: Pipeline
    request: Request
    id: str
    start: float
    end: float | None = None
    state: str = "RUNNING"
    events: list[Event] = field(default_factory=list)
    run_from: int = 0

    def note(self, at: float, message: str, book: Book) -> Event:
        """The event of a message that Spark's engine sent."""
        if found := FLOW.match(message):
            name = found[1].strip("'").replace("`", "")
            status = {"name": name, "flow_progress": {"status": found[2]}}
            error = message.partition("Error: ")[2] or None
            level = LEVELS.get(found[2], "INFO")
            dataset = book.flows.get(name, name)
            event = Event(at, "flow_progress", message, status, level, name, dataset, error)
        else:
            state = found[1] if (found := RUN.match(message)) else "RUNNING"
            event = Event(
                at, "update_progress", message, {"update_progress": {"state": state}}, LEVELS.get(state, "INFO")
            )
        self.events.append(event)
        return event

    def write(self, folder: Path) -> None:
        """Leave the record of the update in the attempt's folder."""
        record = {
            "pipeline_id": self.pipeline.id,
            "update_id": self.id,
            "name": self.pipeline.name,
            "start": self.start,
            "end": self.end,
            "state": self.state,
            "update_type": self.request.update_type,
            "request_type": "FULL_REFRESH" if self.request.full_refresh else "SELECTION" if self.selected else "ALL",
            "refresh_selection": list(self.request.refresh),
            "full_refresh_selection": list(self.request.full_refresh_selection),
            "settings": dict(self.pipeline.settings),
            "configuration": dict(self.pipeline.configuration),
        }
        write_whole(folder / UPDATE_FILE, json.dumps(record, default=str))

    def told(self, error: BaseException) -> str:
        """What is known of a failure of the present run: the error, and what the engine said of flows."""
        failed = [event for event in self.events[self.run_from :] if event.level == "ERROR"]
        return "\n".join([str(error), *(event.error or event.message for event in failed)])

    def flow_states(self) -> dict[str, tuple[str | None, str]]:
        """The dataset and the last state of each flow. Spark calls a stream that failed completed too, after it."""
        last: dict[str, tuple[str | None, str]] = {}
        for event in self.events:
            status = (event.details.get("flow_progress") or {}).get("status")
            failed = event.flow is not None and last.get(event.flow, ("", ""))[1] == "FAILED"
            if event.flow and status and status != "EXCLUDED" and not (failed and status == "COMPLETED"):
                last[event.flow] = event.dataset, status
        return last

    def completed_flows(self) -> set[str]:
        """Flows that ended well."""
        return {flow for flow, (_, status) in self.flow_states().items() if status == "COMPLETED"}

    def completed(self) -> set[str | None]:
        """Datasets whose flows ended well."""
        states = self.flow_states().values()
        return {dataset for dataset, _ in states} - {dataset for dataset, status in states if status != "COMPLETED"}

    @property
    def selected(self) -> bool:
        """Whether only some datasets were asked for."""
        return bool(self.request.refresh or self.request.full_refresh_selection)


def quality(book: Book, counts: Mapping[str, tuple[int, ...]]) -> dict[str, list[tuple[str, Counted]]]:
    """What came of the expectations, by dataset: flows and their counts."""
    found: dict[str, list[tuple[str, Counted]]] = {}
    for key, watched in book.watched.items():
        if key in counts:
            found.setdefault(watched.dataset, []).append((key, Counted.of(counts[key], watched.rules)))
    return found


def changes(book: Book, counts: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, int]]:
    """Changes that upsert and changes that delete, as the update took them, by target."""
    found: dict[str, tuple[int, int]] = {}
    for key, target in book.changed.items():
        upserts, deletes = counts.get(key, (0, 0))
        before = found.get(target, (0, 0))
        found[target] = (before[0] + upserts, before[1] + deletes)
    return found


def closing_events(
    update: Update,
    counted: Mapping[str, list[tuple[str, Counted]]],
    rows: Mapping[str, int],
    changed: Mapping[str, tuple[int, int]],
) -> list[Event]:
    """An event for each dataset with what it wrote: rows and expectations, as `details:flow_progress`."""
    events = []
    for dataset in sorted({*rows, *counted}):
        flows = counted.get(dataset, [])
        progress: dict[str, Any] = {"status": "COMPLETED"}
        metrics = {"num_output_rows": rows[dataset]} if dataset in rows else {}
        if dataset in changed:
            metrics |= dict(zip(("num_upserted_rows", "num_deleted_rows"), changed[dataset], strict=True))
        if metrics:
            progress["metrics"] = metrics
        if flows:
            progress["data_quality"] = {
                "dropped_records": sum(counts.rows - counts.kept for _, counts in flows),
                "expectations": [
                    {
                        "name": name,
                        "dataset": dataset,
                        "passed_records": passed,
                        "failed_records": counts.rows - passed,
                    }
                    for _, counts in flows
                    for name, passed in counts.passed.items()
                ],
            }
        message = f"Flow {dataset} has COMPLETED with its metrics."
        events.append(
            Event(
                update.end or update.start,
                "flow_progress",
                message,
                {"flow_progress": progress},
                "INFO",
                dataset,
                dataset,
            )
        )
    return events


def table_rows(
    book: Book, counted: Mapping[str, list[tuple[str, Counted]]], rows: Mapping[str, int]
) -> list[dict[str, Any]]:
    """What the log shows: a row for each dataset and for each of its expectations."""
    shown = []
    for dataset, kind in book.kinds.items():
        flows = counted.get(dataset, [])
        first = {"dataset": dataset, "kind": kind.lower().replace("_", " "), "rows": rows.get(dataset, "")}
        rules = [rule_row(rule, counts) for key, counts in flows for rule in book.watched[key].rules]
        blank: dict[str, Any] = dict.fromkeys(first, "")
        for index, rule in enumerate(rules or [dict.fromkeys(RULE_COLUMNS, "")]):
            shown.append({**(blank if index else first), **rule})
    return shown


def rule_row(rule: Expectation, counts: Counted) -> dict[str, Any]:
    """What the log shows of one expectation."""
    passed = counts.passed[rule.name]
    action = {DROP: "drop", FAIL: "fail"}.get(rule.action, "keep")
    return dict(zip(RULE_COLUMNS, (rule.name, passed, counts.rows - passed, action), strict=True))


def append(update: Update, lake: Path, user_metadata: str) -> None:
    """Add the update's events to the pipeline's event log table; made when there is none."""
    import pyarrow as pa
    from deltalake import CommitProperties, write_deltalake

    text = pa.string()
    origin = ("cloud", "pipeline_type", "pipeline_id", "pipeline_name", "update_id", "flow_name", "dataset_name")
    schema = pa.schema(
        [
            ("id", text),
            ("sequence", pa.struct([("data_plane_seq_no", pa.int64())])),
            ("origin", pa.struct([(name, text) for name in origin])),
            ("timestamp", pa.timestamp("us", tz="UTC")),
            ("message", text),
            ("level", text),
            ("maturity_level", text),
            ("error", pa.struct([("fatal", pa.bool_()), ("message", text)])),
            ("details", text),
            ("event_type", text),
        ]
    )
    rows = [event_row(update, number, event) for number, event in enumerate(update.events)]
    place = lake.joinpath(*update.pipeline.event_log.split("."))
    try:
        write_deltalake(
            str(place),
            pa.Table.from_pylist(rows, schema=schema),
            mode="append",
            commit_properties=CommitProperties(custom_metadata={"userMetadata": user_metadata}),
        )
    except Exception as error:  # noqa: BLE001  deltalake has many
        raise MedallionError(f"the event log {update.pipeline.event_log} could not be written: {error}") from None


def event_row(update: Update, number: int, event: Event) -> dict[str, Any]:
    """One event as a row of the table."""
    return {
        "id": str(uuid.uuid4()),
        "sequence": {"data_plane_seq_no": number},
        "origin": {
            "cloud": "local",
            "pipeline_type": "WORKSPACE",
            "pipeline_id": update.pipeline.id,
            "pipeline_name": update.pipeline.name,
            "update_id": update.id,
            "flow_name": event.flow,
            "dataset_name": event.dataset,
        },
        "timestamp": datetime.fromtimestamp(event.at, UTC),
        "message": event.message,
        "level": event.level,
        "maturity_level": "STABLE",
        "error": {"fatal": event.level == "ERROR", "message": event.error} if event.error else None,
        "details": json.dumps(event.details),
        "event_type": event.event_type,
    }
