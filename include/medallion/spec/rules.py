"""The limits of the Jobs API as a table: which fields exclude each other, bounds of numbers and lengths. Pure.

Source: databricks-sdk's field texts and the Databricks page "Resource limits". A rule is asked for every object that
its model describes, so it also holds for the task inside a for-each task.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from medallion.spec import clusters, external_tasks, job, tasks, triggers
from medallion.spec.findings import Findings, shown
from medallion.spec.model import Model
from medallion.spec.notifications import EmailNotifications, WebhookNotifications
from medallion.spec.positions import JsonPath


class Rule(Protocol):
    """Looks at one object and reports what it does not allow."""

    def check(self, value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
        """Reports what is wrong with `value`, which stands at `path`."""
        ...


@dataclass(frozen=True)
class OneOf:
    """Of these fields at least and at most so many are set."""

    fields: tuple[str, ...]
    least: int = 1
    most: int = 1

    def check(self, value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
        """Reports the second field, or the object that has none."""
        given = [name for name in value if name in self.fields and value[name] is not None]
        if len(given) > self.most:
            findings.refused((*path, given[1]), f"{' and '.join(given)} exclude each other", key=True)
        elif len(given) < self.least:
            findings.refused(path, f"one of {', '.join(self.fields)} must be set")


@dataclass(frozen=True)
class Between:
    """A number has bounds. The API takes numbers as text too."""

    field: str
    least: int
    most: int | None = None

    def check(self, value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
        """Reports a number out of bounds."""
        number = value.get(self.field)
        if not isinstance(number, (int, float)) or isinstance(number, bool):
            return
        if number < self.least or (self.most is not None and number > self.most):
            bounds = f"from {self.least} to {self.most}" if self.most is not None else f"{self.least} or more"
            findings.refused((*path, self.field), f"{self.field} is {shown(number)}; it must be {bounds}")


@dataclass(frozen=True)
class Count:
    """A list or an object has at most so many entries, and at least so many when it is given."""

    field: str
    most: int
    least: int = 0

    def check(self, value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
        """Reports too many or too few entries."""
        entries = value.get(self.field)
        if not isinstance(entries, (list, tuple, dict)):
            return
        if not self.least <= len(entries) <= self.most:
            bound = f"at most {self.most}" if len(entries) > self.most else f"at least {self.least}"
            findings.refused((*path, self.field), f"{self.field} has {len(entries)} entries; the API takes {bound}")


@dataclass(frozen=True)
class Length:
    """A text has at most so many bytes or characters."""

    field: str
    most: int
    unit: str = "bytes"

    def check(self, value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
        """Reports a text that is too long."""
        text = value.get(self.field)
        if not isinstance(text, str):
            return
        length = len(text.encode(errors="replace")) if self.unit == "bytes" else len(text)
        if length > self.most:
            findings.refused(
                (*path, self.field), f"{self.field} has {length:,} {self.unit}; the API takes {self.most:,}"
            )


@dataclass(frozen=True)
class Unique:
    """The objects of a list have different names."""

    field: str
    name: str

    def check(self, value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
        """Reports each name that came before."""
        seen: dict[str, int] = {}
        for index, name in names_in(value.get(self.field), self.name):
            first = seen.setdefault(name, index)
            if first != index:
                at = (*path, self.field, index, self.name)
                findings.error(at, f"{self.name} {shown(name)} stands twice, first at {self.field}[{first}]")


@dataclass(frozen=True)
class Addresses:
    """The entries of a list are mail addresses, one each: a line break or a comma would add headers or recipients.

    A user name is what `${workspace.current_user.userName}` becomes where the user has no mail address: a warning.
    """

    field: str

    def check(self, value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
        """Reports what is no address. A reference to a bundle's variable may stand."""
        entries = value.get(self.field)
        for index, text in enumerate(entries if isinstance(entries, (list, tuple)) else ()):
            if not isinstance(text, str) or is_address(text) or "${" in text:
                continue
            at = (*path, self.field, index)
            if is_user_name(text):
                message = f"{shown(text)} is a user name and no mail address: no mail is sent to it"
                findings.warning(at, message, "write an address, or set user in medallion.toml to one")
            else:
                findings.error(at, f"{shown(text)} is no mail address", "one address an entry")


def is_address(text: str) -> bool:
    """Whether a text is one mail address, as far as a mail server's answer is not needed to know."""
    plain = text.strip(" ")
    return plain.isprintable() and "@" in plain[1:-1] and not any(sign in plain for sign in ' ,;<>"')


def is_user_name(text: str) -> bool:
    """Whether a text can be the name of a user who has no mail address."""
    plain = text.strip(" ")
    return "@" not in plain and is_address(f"{plain}@there")


def names_in(entries: object, name: str) -> Iterator[tuple[int, str]]:
    """Index and name of each object in a list that has one."""
    if isinstance(entries, (list, tuple)):
        for index, entry in enumerate(entries):
            if isinstance(entry, dict) and isinstance(entry.get(name), str):
                yield index, entry[name]


TIMERS = (Between("min_time_between_triggers_seconds", 60), Between("wait_after_last_change_seconds", 60))
WEBHOOK_LIMIT = 3
TRIGGER_KINDS = ("periodic", "file_arrival", "table_update", "model", "job_completion")

RULES: dict[type[Model], tuple[Rule, ...]] = {
    job.Job: (
        Length("name", 4096),
        Length("description", 27_700, "characters"),
        Count("tasks", 1000),
        Count("tags", 25),
        Count("environment_variables", 10),
        Between("max_concurrent_runs", 0, 1000),
        Between("timeout_seconds", 0),
        OneOf(("continuous", "schedule"), 0),
        OneOf(("continuous", "trigger"), 0),
        OneOf(("triggers", "schedule"), 0),
        OneOf(("triggers", "trigger"), 0),
        OneOf(("triggers", "continuous"), 0),
        Unique("job_clusters", "job_cluster_key"),
        Unique("environments", "environment_key"),
        Unique("environment_variables", "environment_variables_key"),
        Unique("parameters", "name"),
    ),
    job.Task: (
        Between("max_retries", -1),
        Between("min_retry_interval_millis", 0),
        Between("timeout_seconds", 0),
        OneOf(("existing_cluster_id", "new_cluster", "job_cluster_key", "environment_key"), 0),
    ),
    job.ForEachTask: (Between("concurrency", 1, 100),),
    job.GitSource: (OneOf(("git_branch", "git_tag", "git_commit")),),
    job.JobRunAs: (OneOf(("user_name", "service_principal_name", "group_name")),),
    triggers.Trigger: (OneOf(TRIGGER_KINDS),),
    triggers.TriggerEntry: (OneOf((*TRIGGER_KINDS, "schedule", "continuous")),),
    triggers.PeriodicTrigger: (Between("interval", 1),),
    triggers.FileArrivalTrigger: TIMERS,
    triggers.TableUpdateTrigger: (*TIMERS, Count("table_names", 10, 1)),
    triggers.JobCompletionTrigger: (Count("jobs", 10, 1),),
    triggers.MaintenanceWindow: (Between("start_hour", 0, 23),),
    tasks.PythonWheelTask: (OneOf(("parameters", "named_parameters"), 0),),
    tasks.SqlTask: (OneOf(("query", "file", "dashboard", "alert")),),
    tasks.DbtTask: (Count("commands", 10, 1),),
    external_tasks.AlertTask: (OneOf(("alert_id", "workspace_path")), Count("subscribers", 100)),
    clusters.JobCluster: (OneOf(("new_cluster", "serverless_compute", "serverless_compute_id")),),
    clusters.Library: (OneOf(("whl", "jar", "egg", "pypi", "maven", "cran", "requirements")),),
    clusters.EnvironmentVariablesSpec: (Count("variables", 20), Count("files", 5)),
    EmailNotifications: tuple(Addresses(event) for event in EmailNotifications.model_fields),
    WebhookNotifications: tuple(Count(event, WEBHOOK_LIMIT) for event in WebhookNotifications.model_fields),
}


def check_rules(model: type[Model], value: dict[str, Any], path: JsonPath, findings: Findings) -> None:
    """Asks every rule of a model."""
    for rule in RULES.get(model, ()):
        rule.check(value, path, findings)
