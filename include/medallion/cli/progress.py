"""A run as it goes: a live table on a terminal, a line for each change elsewhere. In the user's shell."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.cli.output import console
from medallion.runs.report import RunReport, report
from medallion.runs.snapshot import Snapshot
from medallion.runs.task_report import TaskReport

if TYPE_CHECKING:
    from rich.table import Table

    from medallion.runs.states import State
    from medallion.spec.job import Job

COLOURS = {
    "SUCCESS": "green",
    "SUCCESS_WITH_FAILURES": "yellow",
    "FAILED": "red",
    "TIMEDOUT": "red",
    "CANCELED": "magenta",
    "UPSTREAM_FAILED": "yellow",
    "UPSTREAM_CANCELED": "yellow",
    "RUNNING": "cyan",
    "QUEUED": "cyan",
    "WAITING_FOR_RETRY": "yellow",
}
LOG_LINES = 15
TOLD_LEVELS = frozenset({"warning", "error", "critical"})
"""Of Airflow's own events; what the task itself printed is always told."""


def word(state: State) -> str:
    """How it ended, or where it is."""
    return str(state.result or state.life_cycle)


def coloured(text: str) -> str:
    """A state with its colour."""
    colour = COLOURS.get(text, "dim")
    return f"[{colour}]{text}[/{colour}]"


def seconds_of(item: TaskReport | RunReport, now: float | None = None) -> str:
    """How long it took, or has taken."""
    if not item.start_time:
        return ""
    end = item.end_time or (now if now is not None else time.time()) * 1000
    return f"{max(end - item.start_time, 0) / 1000:.1f}"


def table_of(told: RunReport, rows: Mapping[str, int] | None = None) -> Table:
    """The run as a table of its tasks.

    :param rows: rows that each task wrote to Delta tables; no column when absent.
    """
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=escape(told.job), title_justify="left")
    table.add_column("task")
    table.add_column("state", min_width=15)
    table.add_column("attempts", justify="right")
    table.add_column("seconds", justify="right", min_width=7)
    if rows is not None:
        table.add_column("rows written", justify="right")
    for task in told.tasks:
        name = escape(task.task_key)
        if task.iterations:
            done = sum(item.state.ended for item in task.iterations)
            name += f" [dim]{done}/{len(task.iterations)}[/dim]"
        cells = [name, coloured(word(task.state)), str(task.attempts or ""), seconds_of(task)]
        if rows is not None:
            cells.append(f"{rows[task.task_key]:,}" if task.task_key in rows else "")
        table.add_row(*cells)
    return table


class Progress:
    """Shows a run's snapshots. On standard error when standard output is for JSON.

    :param quiet: show nothing (`--json`).
    """

    def __init__(self, job: Job, *, quiet: bool) -> None:
        self.job = job
        self.quiet = quiet
        self.out = console()
        self.known: dict[str, str] = {}
        self.last: RunReport | None = None
        self.live: Any = None

    def __enter__(self) -> Progress:
        if self.out.is_terminal and not self.quiet:
            from rich.live import Live

            self.live = Live(get_renderable=self.frame, console=self.out, refresh_per_second=4, transient=True)
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None

    def frame(self) -> Any:
        """What a terminal shows now."""
        from rich.spinner import Spinner

        return table_of(self.last) if self.last else Spinner("dots", text=self.known.get("", "starting Airflow"))

    def say(self, text: str) -> None:
        """Tell what the start waits for."""
        if self.quiet:
            return
        if self.live is not None and self.last is None:
            self.known[""] = text
        elif self.live is None:
            self.out.print(text, soft_wrap=True, markup=False)

    def show(self, snapshot: Snapshot) -> None:
        """Take over the run's new state."""
        self.last = report(self.job, snapshot)
        if self.quiet or self.live is not None:
            return
        for item in [each for task in self.last.tasks for each in (task, *(task.iterations or ()))]:
            self.line(item)

    def line(self, item: TaskReport) -> None:
        """A line for a task whose state changed; waiting is no news."""
        state = word(item.state)
        before = self.known.get(item.task_key)
        self.known[item.task_key] = state
        if state == before or state in {"BLOCKED", "PENDING", "QUEUED"}:
            return
        took = f" after {seconds_of(item)} s" if item.state.ended and item.start_time else ""
        attempt = f" (attempt {item.attempts})" if item.attempts > 1 else ""
        self.out.print(
            f"{time.strftime('%H:%M:%S')} {item.task_key}: {state}{took}{attempt}", markup=False, soft_wrap=True
        )


def failure_text(logs: Path, snapshot: Snapshot, *, lines: int = LOG_LINES) -> str:
    """The ends of the failed tasks' logs."""
    parts = []
    for instance in snapshot.instances:
        if instance.state != "failed":
            continue
        file = log_file(logs, snapshot, instance.task_id, instance.map_index, instance.try_number)
        said = log_lines(file)[-lines:] or [f"(no log; what the run's process said is in {logs.parent / 'run.log'})"]
        index = f"[{instance.map_index}]" if instance.map_index >= 0 else ""
        parts.append("\n".join([f"--- {instance.task_id}{index}: {file}", *said]))
    return "\n".join(parts)


def log_file(logs: Path, snapshot: Snapshot, task_id: str, map_index: int, try_number: int) -> Path:
    """Where Airflow keeps the log of an attempt (its default `log_filename_template`)."""
    folder = logs / f"dag_id={snapshot.dag_id}" / f"run_id={snapshot.run_id}" / f"task_id={task_id}"
    if map_index >= 0:
        folder /= f"map_index={map_index}"
    return folder / f"attempt={try_number}.log"


def log_lines(file: Path) -> list[str]:
    """What a task said: what it printed and Airflow's warnings and errors, without the fields of the log's events."""
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    said: list[str] = []
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            said.append(line)
            continue
        # A task of ours that fails has said why; Airflow's event adds nothing.
        if event.get("event") == "Task exited":
            continue
        if str(event.get("logger", "")).startswith("task.std") or event.get("level") in TOLD_LEVELS:
            said += str(event.get("event", "")).splitlines() or [""]
            said += error_lines(event)
    return said


def error_lines(event: dict[str, Any]) -> list[str]:
    """The exception of a log event, as its last line."""
    details = event.get("error_detail") or []
    return [f"{item.get('exc_type')}: {item.get('exc_value')}" for item in details if isinstance(item, dict)]
