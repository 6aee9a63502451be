"""References of a job that can never resolve, found before it runs. Pure; works on the job's plain JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from medallion.errors import ReferenceFault
from medallion.spec.positions import JsonPath, format_path
from medallion.spec.problems import Problem, Severity, did_you_mean
from medallion.spec.references.fields import REFERENCE_FIELDS
from medallion.spec.references.names import NAMESPACES, PATTERNS, Name, locate, meant
from medallion.spec.references.scan import Reference, find

FOR_EACH = "for_each_task"
WITH_OUTPUT = frozenset({"sql_task", "alert_task"})
WITHOUT_VALUES = frozenset(
    {"condition_task", "run_job_task", "pipeline_task", "sql_task", "dbt_task", "dashboard_task"}
)
"""Task types in which nothing can call `taskValues.set`."""

SINGLE_NAMES = tuple(pattern[0] for pattern in PATTERNS)


@dataclass(frozen=True, slots=True)
class Graph:
    """The tasks of a job as references see them.

    :param kinds: task key → task type.
    :param parents: task key → keys of `depends_on`; a dependency on nothing and a circle do no harm here.
    :param nested: key of the task inside a for-each task → key of the for-each task.
    :param alerts: keys of tasks that evaluate an alert.
    """

    kinds: Mapping[str, str]
    parents: Mapping[str, Sequence[str]]
    nested: Mapping[str, str] = field(default_factory=dict)
    alerts: frozenset[str] = frozenset()
    _ancestors: dict[str, frozenset[str]] = field(default_factory=dict)

    def ancestors(self, key: str) -> frozenset[str]:
        """Keys of all tasks that run before a task."""
        if key not in self._ancestors:
            self._ancestors[key] = frozenset(reachable(key, self.parents))
        return self._ancestors[key]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stands.

    :param path: JSON path of the text, from the root of the job.
    :param task: key of the task that owns it; None for the default of a job parameter.
    :param kind: type of the task that the text is a field of.
    :param has_input: the text is inside a for-each task's own task.
    """

    path: JsonPath
    task: str | None = None
    kind: str = ""
    has_input: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with one reference."""

    message: str
    hint: str | None = None
    severity: Severity = Severity.ERROR
    path: JsonPath = ()


def check_references(job: Mapping[str, Any]) -> list[Problem]:
    """The findings of a job as problems with a JSON path; see `findings_of`."""
    return [
        Problem(found.severity, found.message, path=format_path(found.path), hint=found.hint)
        for found in findings_of(job)
    ]


def findings_of(job: Mapping[str, Any]) -> Iterator[Finding]:
    """What is wrong with the references of a job, in the order of the job.

    :param job: the job's settings as the Jobs API states them. What is not shaped like a job is left out; reading the
        job reports it.
    :returns: errors for what must fail the task, warnings for what stays literal text.
    """
    tasks = objects(job.get("tasks"))
    graph = graph_of(tasks)
    parameters = {str(item.get("name")): item.get("default") for item in objects(job.get("parameters"))}
    for index, item in enumerate(objects(job.get("parameters"))):
        place = Place(("parameters", index, "default"))
        yield from check_text(item.get("default"), place, graph, parameters)
    yield from circles(parameters)
    for index, task in enumerate(tasks):
        yield from check_task(task, ("tasks", index), graph, parameters)


def check_task(
    task: Mapping[str, Any], path: JsonPath, graph: Graph, parameters: Mapping[str, Any]
) -> Iterator[Finding]:
    """Problems of one task and of the task inside it."""
    key = str(task.get("task_key"))
    yield from check_payload(task, Place(path, key), graph, parameters)
    body = task.get(FOR_EACH)
    inner = body.get("task") if isinstance(body, Mapping) else None
    if isinstance(inner, Mapping):
        place = Place((*path, FOR_EACH, "task"), key, has_input=True)
        yield from check_payload(inner, place, graph, parameters)


def check_payload(
    task: Mapping[str, Any], place: Place, graph: Graph, parameters: Mapping[str, Any]
) -> Iterator[Finding]:
    """Problems of the object of a task's type: wrong references, and references in fields that take none."""
    kind = kind_of(task)
    payload = task.get(kind)
    if not isinstance(payload, Mapping):
        return
    for name, value in payload.items():
        for path, text in texts(value, (*place.path, kind, str(name))):
            at = Place(path, place.task, kind, place.has_input)
            if name in REFERENCE_FIELDS.get(kind, ()):
                yield from check_text(text, at, graph, parameters)
            elif not (kind == FOR_EACH and name == "task"):
                yield from check_plain(text, at)


def check_text(text: object, place: Place, graph: Graph, parameters: Mapping[str, Any]) -> Iterator[Finding]:
    """Problems of one text that takes references."""
    if not isinstance(text, str):
        return
    for reference in find(text):
        finding = judge(reference, place, graph, parameters)
        if finding:
            yield replace(finding, message=f"{reference.text}: {finding.message}", path=place.path)


def check_plain(text: str, place: Place) -> Iterator[Finding]:
    """A warning for a reference in a field that takes none."""
    for reference in find(text):
        if reference.segments[0] in NAMESPACES:
            message = f"{reference.text}: this field takes no references, so the text stays as it is"
            yield Finding(message, None, Severity.WARNING, place.path)


def judge(reference: Reference, place: Place, graph: Graph, parameters: Mapping[str, Any]) -> Finding | None:
    """What is wrong with a reference, or None."""
    try:
        name = locate(reference)
    except ReferenceFault as fault:
        return Finding(fault.message.removeprefix(f"{reference.text}: "), fault.hint)
    if name is None:
        right = meant(reference.segments)
        hint = f"write {{{{{right}}}}}" if right else did_you_mean(reference.segments[0], SINGLE_NAMES)
        return Finding("unknown name, so the text stays as it is", hint, Severity.WARNING)
    root = name.pattern.split(".", 1)[0]
    if root in RULES:
        return RULES[root](name, place, graph)
    if name.pattern == "job.parameters.<name>" and name.arguments[0] not in parameters:
        wanted = name.arguments[0]
        return Finding(f"the job has no parameter {wanted!r}", did_you_mean(wanted, parameters))
    return None


def judge_input(_: Name, place: Place, __: Graph) -> Finding | None:
    """`{{input}}` needs an iteration."""
    if place.has_input:
        return None
    return Finding("there is an input only in the task inside a for_each_task")


def judge_backfill(_: Name, __: Place, ___: Graph) -> Finding | None:
    """`{{backfill.…}}` has a value in backfill runs only."""
    return Finding("fails in every run that is no backfill", severity=Severity.WARNING)


def judge_this_task(name: Name, place: Place, _: Graph) -> Finding | None:
    """`{{task.notebook_path}}` needs a notebook."""
    if name.pattern == "task.notebook_path" and place.kind not in {"", "notebook_task"}:
        return Finding(f"this is a {place.kind}, not a notebook_task")
    return None


def judge_other_task(name: Name, place: Place, graph: Graph) -> Finding | None:
    """`{{tasks.…}}` needs a task that runs before, of a type that has what is asked."""
    key = name.arguments[0]
    if place.task is None:
        return Finding("no task has run yet when job parameters are resolved")
    if key not in graph.kinds:
        if key in graph.nested:
            return Finding(f"task {key!r} runs inside {graph.nested[key]!r}; nothing of an iteration is seen outside")
        return Finding(f"the job has no task {key!r}", did_you_mean(key, graph.kinds))
    if key not in graph.ancestors(place.task):
        return Finding(order_message(key, place.task, graph), hint=order_hint(key, place.task, graph))
    if name.pattern.endswith(".alert_state") and graph.kinds[key] == "sql_task" and key not in graph.alerts:
        return Finding(f"task {key!r} evaluates no alert, so its output has no alert_state")
    return judge_member(name, key, graph.kinds[key])


def order_message(key: str, task: str, graph: Graph) -> str:
    """Why a task cannot be asked."""
    if key == task:
        return "a task cannot ask for what it has yet to do"
    if task in graph.ancestors(key):
        return f"task {key!r} runs after {task!r}"
    return f"task {key!r} does not run before {task!r}"


def order_hint(key: str, task: str, graph: Graph) -> str | None:
    """What would put a task in front."""
    late = key == task or task in graph.ancestors(key)
    return None if late else f"add {key!r} to depends_on of {task!r}"


def judge_member(name: Name, key: str, kind: str) -> Finding | None:
    """Whether a type of task has what is asked of it."""
    member = name.pattern.split(".")[2]
    if member == "values" and kind == FOR_EACH:
        return Finding(f"task {key!r} is a for_each_task; values of iterations are not seen outside")
    if member == "values" and kind in WITHOUT_VALUES:
        return Finding(f"task {key!r} is a {kind}, which sets no task values")
    if member == "output" and kind not in WITH_OUTPUT:
        return Finding(f"task {key!r} is a {kind or 'task without type'}; only SQL tasks have an output")
    if member == "notebook_path" and kind != "notebook_task":
        return Finding(f"task {key!r} is a {kind or 'task without type'}, not a notebook_task")
    return None


RULES: Mapping[str, Callable[[Name, Place, Graph], Finding | None]] = {
    "input": judge_input,
    "backfill": judge_backfill,
    "task": judge_this_task,
    "tasks": judge_other_task,
}


def circles(parameters: Mapping[str, Any]) -> Iterator[Finding]:
    """Job parameters whose defaults name each other in a circle: one problem for each that a walk runs into."""
    edges = {name: [*parameter_names(text)] for name, text in parameters.items() if isinstance(text, str)}
    order = {name: index for index, name in enumerate(parameters)}
    done: set[str] = set()
    for start in edges:
        trail: list[str] = []
        walks = [iter([start])]
        while walks:
            name = next(walks[-1], None)
            if name is None:
                walks.pop()
                done.update(trail[-1:])
                del trail[-1:]
            elif name in trail:
                circle = " → ".join([*trail[trail.index(name) :], name])
                message = f"job parameters refer to each other in a circle: {circle}"
                yield Finding(message, path=("parameters", order[name], "default"))
            elif name in edges and name not in done:
                trail.append(name)
                walks.append(iter(edges[name]))


def parameter_names(text: str) -> Iterator[str]:
    """Job parameters that a text names."""
    for reference in find(text):
        if reference.segments[:2] == ("job", "parameters") and len(reference.segments) > 2:
            yield ".".join(reference.segments[2:])


def graph_of(tasks: Sequence[Mapping[str, Any]]) -> Graph:
    """The graph of a job's tasks."""
    parents = {
        str(task.get("task_key")): [str(parent.get("task_key")) for parent in objects(task.get("depends_on"))]
        for task in tasks
    }
    nested = {}
    for task in tasks:
        body = task.get(FOR_EACH)
        inner = body.get("task") if isinstance(body, Mapping) else None
        if isinstance(inner, Mapping):
            nested[str(inner.get("task_key"))] = str(task.get("task_key"))
    kinds = {str(task.get("task_key")): kind_of(task) for task in tasks}
    return Graph(
        kinds, parents, nested, frozenset(str(task.get("task_key")) for task in tasks if evaluates_alert(task))
    )


def evaluates_alert(task: Mapping[str, Any]) -> bool:
    """Whether a task's work is an alert, in the older form or the newer."""
    payload = task.get("sql_task")
    return kind_of(task) == "alert_task" or (isinstance(payload, Mapping) and payload.get("alert") is not None)


def reachable(start: str, edges: Mapping[str, Iterable[str]]) -> set[str]:
    """All that the edges lead to from a start."""
    found: set[str] = set()
    pending = list(edges.get(start, ()))
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending += edges.get(name, ())
    return found


def kind_of(task: Mapping[str, Any]) -> str:
    """The task type: the first key that ends in `_task` and holds an object; empty when there is none."""
    return next((name for name, value in task.items() if name.endswith("_task") and isinstance(value, Mapping)), "")


def objects(value: object) -> list[Mapping[str, Any]]:
    """The entries of a list; one that is no object counts as an empty one, so that positions stay right."""
    entries = value if isinstance(value, list | tuple) else []
    return [entry if isinstance(entry, Mapping) else {} for entry in entries]


def texts(value: object, path: JsonPath) -> Iterator[tuple[JsonPath, str]]:
    """Every text below a JSON value with its path, in order, however deep the value is."""
    waiting = [(path, value)]
    while waiting:
        at, item = waiting.pop()
        if isinstance(item, str):
            yield at, item
        elif isinstance(item, Mapping):
            waiting += reversed([((*at, str(name)), inner) for name, inner in item.items()])
        elif isinstance(item, list | tuple):
            waiting += reversed([((*at, index), inner) for index, inner in enumerate(item)])
