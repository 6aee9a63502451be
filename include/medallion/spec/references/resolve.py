"""Putting values where references stand. Runs on the worker when a task starts; pure, asks a Scope.

Each reference is replaced once; text that comes from a value is never read for references again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, cast

from medallion.errors import ReferenceFault
from medallion.spec.problems import did_you_mean
from medallion.spec.references.names import locate
from medallion.spec.references.scan import Reference, find
from medallion.spec.references.scope import OtherTask, Scope, TableUpdate

TIMES: Mapping[str, Callable[[datetime], str]] = {
    "iso_weekday": lambda at: str(at.isoweekday()),
    "is_weekday": lambda at: text_of(at.isoweekday() <= 5),
    "iso_date": lambda at: at.date().isoformat(),
    "iso_datetime": lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "year": lambda at: str(at.year),
    "month": lambda at: str(at.month),
    "day": lambda at: str(at.day),
    "hour": lambda at: str(at.hour),
    "minute": lambda at: str(at.minute),
    "second": lambda at: str(at.second),
    "timestamp_ms": lambda at: str(round(at.timestamp() * 1000)),
}


class NoValueError(Exception):
    """A reference is well formed and there is nothing to put in its place. Carries the reason and a hint."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def resolve(text: str, scope: Scope) -> str:
    """The text with every reference replaced by its value.

    :raises ReferenceFault: a known namespace has no such member, or the value does not exist.
    """
    parts, position = [], 0
    for reference in find(text):
        value = value_of(reference, scope)
        if value is not None:
            parts += [text[position : reference.start], value]
            position = reference.end
    return "".join([*parts, text[position:]])


def resolve_tree(value: Any, scope: Scope) -> Any:
    """A JSON value with the references of all its texts replaced. Keys of objects stay as they are."""
    if isinstance(value, str):
        return resolve(value, scope)
    if isinstance(value, Mapping):
        return {key: resolve_tree(item, scope) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [resolve_tree(item, scope) for item in value]
    return value


def resolve_parameters(parameters: Mapping[str, str], scope: Scope) -> dict[str, str]:
    """Job parameters with the references in their values replaced, also those to other job parameters.

    :param scope: answers everything but `parameters`.
    :raises ReferenceFault: as `resolve`, or parameters that name each other in a circle.
    """
    resolved = Parameters(parameters, scope)
    return {name: resolved[name] for name in parameters}


class Parameters(Mapping[str, str]):
    """Job parameters, each resolved when it is first asked for."""

    def __init__(self, raw: Mapping[str, str], scope: Scope) -> None:
        self._raw = raw
        self._scope = cast("Scope", Layer(scope, self))
        self._done: dict[str, str] = {}
        self._open: list[str] = []

    def __getitem__(self, name: str) -> str:
        if name in self._done:
            return self._done[name]
        if name in self._open:
            circle = " → ".join([*self._open[self._open.index(name) :], name])
            raise ReferenceFault(f"job parameters refer to each other in a circle: {circle}")
        text = self._raw[name]
        self._open.append(name)
        try:
            self._done[name] = resolve(text, self._scope)
        finally:
            self._open.pop()
        return self._done[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._raw)

    def __len__(self) -> int:
        return len(self._raw)


class Layer:
    """A scope with other parameters; all else is asked of the scope below."""

    def __init__(self, scope: Scope, parameters: Mapping[str, str]) -> None:
        self._scope = scope
        self.parameters = parameters

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scope, name)


def value_of(reference: Reference, scope: Scope) -> str | None:
    """Text for one reference; None when its namespace is unknown."""
    name = locate(reference)
    if name is None:
        return None
    try:
        return text_of(ANSWERS[name.pattern](scope, *name.arguments))
    except NoValueError as error:
        raise ReferenceFault(f"{reference.text}: {error.reason}", hint=error.hint) from None


def text_of(value: object) -> str:
    """A value as text: text stays, booleans are true and false, all else is JSON without spaces."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def time_text(at: datetime | None, argument: str, missing: str) -> str:
    """A time in UTC by its argument; a time without zone counts as UTC."""
    if at is None:
        raise NoValueError(missing)
    return TIMES[argument](at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC))


def pick(values: Mapping[str, Any], key: str, what: str) -> Any:
    """A member of a mapping; a reason with the nearest key when there is none."""
    try:
        return values[key]
    except KeyError:
        raise NoValueError(f"there is no {what} {key!r}", nearest(key, values)) from None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest known word, or with all of them when they are few."""
    names = sorted(known)
    return did_you_mean(word, names) or (f"there are: {', '.join(names)}" if 0 < len(names) <= 8 else None)


def other(scope: Scope, key: str) -> OtherTask:
    """A task that this one runs after."""
    try:
        return scope.task(key)
    except KeyError:
        raise NoValueError(f"task {key!r} does not run before this one", nearest(key, scope.task_keys)) from None


def task_value(scope: Scope, key: str, name: str) -> object:
    """A task value of another task."""
    task = other(scope, key)
    try:
        return task.value(name)
    except KeyError:
        raise NoValueError(f"task {key!r} set no value {name!r}", nearest(name, task.value_keys())) from None


def output(scope: Scope, key: str, member: str) -> Any:
    """A member of a SQL task's output."""
    found = other(scope, key).output()
    if found is None or found.get(member) is None:
        raise NoValueError(f"task {key!r} has no {member} in its output; SQL tasks have")
    return found[member]


def first_row(scope: Scope, key: str) -> Mapping[str, Any]:
    """First row of a SQL task's result."""
    rows = output(scope, key, "rows")
    if not rows:
        raise NoValueError(f"the result of task {key!r} has no rows")
    return cast("Mapping[str, Any]", rows[0])


def column(scope: Scope, key: str, name: str) -> object:
    """One column of the first row."""
    return pick(first_row(scope, key), name, "column")


def element(scope: Scope) -> object:
    """The element of a for-each iteration."""
    try:
        return scope.input()
    except LookupError:
        raise NoValueError("there is an input only in the task inside a for_each_task") from None


def element_member(scope: Scope, name: str) -> object:
    """A member of an element that is an object."""
    found = element(scope)
    if not isinstance(found, Mapping):
        raise NoValueError(f"the element {text_of(found)} is no object", "write {{input}}")
    return member_of(found, name)


def member_of(values: Mapping[str, Any], name: str) -> object:
    """A member by its name; where no name is `a.b`, the member `b` of the member `a`."""
    if name not in values:
        for place in (place for place, letter in enumerate(name) if letter == "."):
            inner = values.get(name[:place])
            if isinstance(inner, Mapping):
                return member_of(inner, name[place + 1 :])
    return pick(values, name, "member")


def notebook(path: str | None) -> str:
    """The path of a notebook task."""
    if path is None:
        raise NoValueError("the task is no notebook task")
    return path


def commit(scope: Scope, table: str, read: Callable[[TableUpdate], object]) -> object:
    """Something of a table's latest commit; nothing in a run that no table update started."""
    update = scope.table_update(table)
    return "" if update is None else read(update)


ANSWERS: Mapping[str, Callable[..., object]] = {
    "job.id": lambda scope: scope.job_id,
    "job.name": lambda scope: scope.job_name,
    "job.run_id": lambda scope: scope.job_run_id,
    "job.repair_count": lambda scope: scope.repair_count,
    "job.start_time.<time>": lambda scope, argument: time_text(scope.start_time, argument, "the run has no start"),
    "job.start_time": lambda scope: time_text(scope.start_time, "iso_datetime", "the run has no start"),
    "job.trigger.time.<time>": lambda scope, argument: time_text(scope.trigger_time, argument, "no trigger time"),
    "job.trigger.type": lambda scope: scope.trigger_type.lower(),
    "job.trigger.file_arrival.location": lambda scope: scope.file_arrival_location or "",
    "job.trigger.table_update.updated_tables": lambda scope: list(scope.updated_tables),
    "job.trigger.table_update.<table>.commit_timestamp.<time>": lambda scope, table, argument: commit(
        scope, table, lambda update: time_text(update.commit_timestamp, argument, "")
    ),
    "job.trigger.table_update.<table>.version": lambda scope, table: commit(scope, table, lambda at: at.version),
    "job.parameters.<name>": lambda scope, name: pick(scope.parameters, name, "job parameter"),
    "task.name": lambda scope: scope.task_key,
    "task.run_id": lambda scope: scope.task_run_id,
    "task.execution_count": lambda scope: scope.execution_count,
    "task.notebook_path": lambda scope: notebook(scope.notebook_path),
    "tasks.<task>.run_id": lambda scope, key: other(scope, key).run_id,
    "tasks.<task>.execution_count": lambda scope, key: other(scope, key).execution_count,
    "tasks.<task>.notebook_path": lambda scope, key: notebook(other(scope, key).notebook_path),
    "tasks.<task>.result_state": lambda scope, key: other(scope, key).result_state.lower(),
    "tasks.<task>.error_code": lambda scope, key: other(scope, key).error_code or "",
    "tasks.<task>.values.<name>": task_value,
    "tasks.<task>.output.rows": lambda scope, key: output(scope, key, "rows"),
    "tasks.<task>.output.first_row": first_row,
    "tasks.<task>.output.first_row.<name>": column,
    "tasks.<task>.output.alert_state": lambda scope, key: output(scope, key, "alert_state"),
    "workspace.id": lambda scope: scope.workspace_id,
    "workspace.url": lambda scope: scope.workspace_url,
    "input": element,
    "input.<name>": element_member,
    "backfill.<time>": lambda scope, argument: time_text(
        scope.backfill_time, argument, "there is a backfill date only in a backfill run"
    ),
    "job_id": lambda scope: scope.job_id,
    "run_id": lambda scope: scope.task_run_id,
    "parent_run_id": lambda scope: scope.job_run_id,
    "task_key": lambda scope: scope.task_key,
    "start_date": lambda scope: time_text(scope.start_time, "iso_date", "the run has no start"),
    "start_time": lambda scope: time_text(scope.start_time, "timestamp_ms", "the run has no start"),
    "task_retry_count": lambda scope: scope.retry_count,
}
