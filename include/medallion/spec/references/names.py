"""Every reference that exists, as patterns, and the nearest right name for one that does not. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from medallion.errors import ReferenceFault
from medallion.spec.references.scan import Reference

TIME_ARGUMENTS = (
    "iso_weekday",
    "is_weekday",
    "iso_date",
    "iso_datetime",
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "timestamp_ms",
)

TIME, TASK, TABLE, REST = "<time>", "<task>", "<table>", "<name>"
"""Free parts of a pattern: one time argument, one task key, a table of one or three names, all names that are left."""

PATTERNS = tuple(
    tuple(pattern.split("."))
    for pattern in (
        "job.id",
        "job.name",
        "job.run_id",
        "job.repair_count",
        "job.start_time.<time>",
        # Not documented; Databricks' own courses write it without a part.
        "job.start_time",
        "job.trigger.time.<time>",
        "job.trigger.type",
        "job.trigger.file_arrival.location",
        "job.trigger.table_update.updated_tables",
        "job.trigger.table_update.<table>.commit_timestamp.<time>",
        "job.trigger.table_update.<table>.version",
        "job.parameters.<name>",
        "task.name",
        "task.run_id",
        "task.execution_count",
        "task.notebook_path",
        "tasks.<task>.run_id",
        "tasks.<task>.execution_count",
        "tasks.<task>.notebook_path",
        "tasks.<task>.result_state",
        "tasks.<task>.error_code",
        "tasks.<task>.values.<name>",
        "tasks.<task>.output.rows",
        "tasks.<task>.output.first_row",
        "tasks.<task>.output.first_row.<name>",
        "tasks.<task>.output.alert_state",
        "workspace.id",
        "workspace.url",
        "input",
        "input.<name>",
        "backfill.<time>",
        # Deprecated names that Databricks still resolves.
        "job_id",
        "run_id",
        "parent_run_id",
        "task_key",
        "start_date",
        "start_time",
        "task_retry_count",
    )
)
NAMESPACES = tuple(dict.fromkeys(pattern[0] for pattern in PATTERNS if len(pattern) > 1))


@dataclass(frozen=True, slots=True)
class Name:
    """A reference that exists.

    :param pattern: its pattern, such as `tasks.<task>.values.<name>`.
    :param arguments: what stands for the free parts, in order.
    """

    pattern: str
    arguments: tuple[str, ...]


def locate(reference: Reference) -> Name | None:
    """The pattern that a reference fits; None for an unknown namespace, which stays literal text.

    :raises ReferenceFault: the namespace is known and the member is not.
    """
    for pattern in PATTERNS:
        arguments = fit(pattern, reference.segments)
        if arguments is not None:
            return Name(".".join(pattern), arguments)
    if reference.segments[0] in NAMESPACES:
        raise bad_member(reference)
    return None


def fit(pattern: tuple[str, ...], segments: tuple[str, ...]) -> tuple[str, ...] | None:
    """The free parts when the segments fit the pattern, else None."""
    if not pattern or not segments:
        return None if pattern or segments else ()
    head, *tail = pattern
    rest = tuple(tail)
    if head == REST:
        return (".".join(segments),)
    if head == TABLE:
        # A table is written main.sales.orders, or `main.sales.orders` in back-ticks.
        return first_fit(rest, segments, (1, 3))
    if head == TASK or (head == TIME and segments[0] in TIME_ARGUMENTS):
        return first_fit(rest, segments, (1,))
    return fit(rest, segments[1:]) if head == segments[0] else None


def first_fit(rest: tuple[str, ...], segments: tuple[str, ...], sizes: Iterable[int]) -> tuple[str, ...] | None:
    """A free part that takes the first so many segments, joined by dots."""
    for size in sizes:
        inner = fit(rest, segments[size:])
        if inner is not None:
            return (".".join(segments[:size]), *inner)
    return None


MISTAKEN: Mapping[str, str] = {
    "run.id": "job.run_id",
    "run.run_id": "job.run_id",
    "run.name": "job.name",
    "run.start_time": "job.start_time.iso_datetime",
    "run.parameters": "job.parameters",
    "job.run.id": "job.run_id",
    "job.parent_run_id": "job.run_id",
    "job.start_date": "job.start_time.iso_date",
    "job.date": "job.start_time.iso_date",
    "job.trigger_time": "job.trigger.time.iso_datetime",
    "job.trigger_type": "job.trigger.type",
    "job.parameter": "job.parameters",
    "job.params": "job.parameters",
    "job.retry_count": "task.execution_count",
    "jobs.id": "job.id",
    "jobs.parameters": "job.parameters",
    "parameters": "job.parameters",
    "params": "job.parameters",
    "task.id": "task.run_id",
    "task.key": "task.name",
    "task.task_key": "task.name",
    "task.retry_count": "task.execution_count",
    "task.input": "input",
    "trigger.time": "job.trigger.time.iso_datetime",
    "trigger.type": "job.trigger.type",
    "inputs": "input",
    "item": "input",
    "workspace.host": "workspace.url",
    "job_name": "job.name",
    "job_run_id": "job.run_id",
    "task_run_id": "task.run_id",
    "ds": "job.start_time.iso_date",
}
"""What people write: names of the API's fields, of Databricks' older names, of Airflow. By the beginning of a reference."""


def meant(segments: tuple[str, ...]) -> str | None:
    """The reference that was meant by one that does not exist; None where nobody can tell."""
    for size in range(len(segments), 0, -1):
        right = MISTAKEN.get(".".join(segments[:size]))
        if right is not None:
            rest = segments[size:] if right in {"job.parameters", "input"} else ()
            if right == "job.parameters" and not rest:
                rest = ("<name>",)
            return ".".join((right, *rest))
    return None


def bad_member(reference: Reference) -> ReferenceFault:
    """The fault for a known namespace's member that does not exist, with the nearest one."""
    segments = reference.segments
    depth, members = 1, next_members(segments[:1])
    while depth < len(segments) and (deeper := next_members(segments[: depth + 1])):
        depth, members = depth + 1, deeper
    before = ".".join(segments[:depth])
    known = ", ".join(members)
    if depth == len(segments):
        return ReferenceFault(f"{reference.text}: {before} needs a member", hint=f"it has: {known}")
    wrong = segments[depth]
    if wrong in members:
        whole = f"{before}.{wrong}"
        return ReferenceFault(f"{reference.text}: {whole} has no members", hint=f"write {{{{{whole}}}}}")
    near = get_close_matches(wrong, members, n=1, cutoff=0.6)
    if (right := meant(segments)) is not None:
        return ReferenceFault(f"{reference.text}: {before} has no member {wrong!r}", hint=f"write {{{{{right}}}}}")
    hint = f"did you mean {{{{{before}.{near[0]}}}}}?" if near else f"it has: {known}"
    return ReferenceFault(f"{reference.text}: {before} has no member {wrong!r}", hint=hint)


def next_members(prefix: tuple[str, ...]) -> list[str]:
    """Names that may follow a prefix, in the order of the patterns; empty when the prefix itself is wrong."""
    found: dict[str, None] = {}
    for pattern in PATTERNS:
        if len(pattern) > len(prefix) and all(agrees(part, name) for part, name in zip(pattern, prefix, strict=False)):
            part = pattern[len(prefix)]
            found.update(dict.fromkeys(TIME_ARGUMENTS if part == TIME else (part,)))
    return list(found)


def agrees(part: str, name: str) -> bool:
    """Whether a name may stand at a part of a pattern."""
    if part == TIME:
        return name in TIME_ARGUMENTS
    return part in {TASK, TABLE, REST} or part == name
