"""`dbutils.notebook.entry_point.getDbutils().notebook().getContext()`: facts about the run. Runs in the task process.

Undocumented on Databricks and common in notebooks. Values are wrapped as Scala's Option, as Py4J shows them there.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from medallion.errors import UnsupportedError

if TYPE_CHECKING:
    from medallion.runtime.task import Task


class Option:
    """A value that may be missing."""

    def __init__(self, value: Any, missing: str = "there is no value") -> None:
        self._value = value
        self._missing = missing

    def get(self) -> Any:
        """The value.

        :raises UnsupportedError: there is none here.
        """
        if self._value is None:
            raise UnsupportedError(self._missing)
        return self._value

    def getOrElse(self, default: Any) -> Any:  # noqa: N802
        """The value, or the default."""
        return (
            default()
            if self._value is None and callable(default)
            else self._value
            if self._value is not None
            else default
        )

    def isDefined(self) -> bool:  # noqa: N802
        """Whether there is a value."""
        return self._value is not None

    def isEmpty(self) -> bool:  # noqa: N802
        """Whether there is none."""
        return self._value is None

    def toString(self) -> str:  # noqa: N802
        """Scala's spelling."""
        return "None" if self._value is None else f"Some({self._value})"

    __str__ = toString


class RunId(int):
    """A run's id, which Databricks wraps."""

    @property
    def id(self) -> int:
        """The number."""
        return int(self)

    def toString(self) -> str:  # noqa: N802
        """The number as text."""
        return str(int(self))


class Tags(dict[str, str]):
    """Tags of the run. `get` gives an Option, as Scala's map does."""

    def get(self, key: str, *_default: Any) -> Option:  # type: ignore[override]
        """The tag as an Option."""
        return Option(dict.get(self, key), f"the run has no tag {key!r}")

    def apply(self, key: str) -> str:
        """The tag."""
        return str(self.get(key).get())

    def contains(self, key: str) -> bool:
        """Whether there is such a tag."""
        return key in self

    def toString(self) -> str:  # noqa: N802
        """As text."""
        return json.dumps(self)


class NotebookContext:
    """Facts about the run."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._ids = task.context.ids
        self._path = task.context.workspace_path or str(task.file)

    def notebookPath(self) -> Option:  # noqa: N802
        """The path as the job states it."""
        return Option(self._path)

    def jobId(self) -> Option:  # noqa: N802
        """The job's id; nothing outside a job."""
        return Option(str(self._ids.job_id) if self._in_job else None, "this notebook runs outside a job")

    def currentRunId(self) -> Option:  # noqa: N802
        """The task run's id; nothing outside a job."""
        return Option(RunId(self._ids.task_run_id) if self._in_job else None, "this notebook runs outside a job")

    def rootRunId(self) -> Option:  # noqa: N802
        """The job run's id; nothing outside a job."""
        return Option(RunId(self._ids.run_id) if self._in_job else None, "this notebook runs outside a job")

    def jobGroup(self) -> Option:  # noqa: N802
        """Spark's job tag of this run."""
        return Option(self._task.context.tag or None)

    def userName(self) -> Option:  # noqa: N802
        """The user of the settings."""
        return Option(self._task.settings.user)

    def clusterId(self) -> Option:  # noqa: N802
        """The driver's key; there is no cluster."""
        return Option(self._tags().apply("clusterId"))

    def browserHostName(self) -> Option:  # noqa: N802
        """The host that the pages are served from."""
        return Option(self._task.settings.host)

    def apiUrl(self) -> Option:  # noqa: N802
        """Where the Jobs API would be."""
        return Option(f"http://{self._task.settings.host}:{self._task.settings.port}")

    def apiToken(self) -> Option:  # noqa: N802
        """There is no workspace, so there is no token."""
        return Option(None, "there is no Databricks workspace here and so no API token")

    def tags(self) -> Tags:
        """Ids and names of the run."""
        return self._tags()

    def toJson(self) -> str:  # noqa: N802
        """All as JSON."""
        return json.dumps(
            {
                "rootRunId": {"id": self._ids.run_id} if self._in_job else None,
                "currentRunId": {"id": self._ids.task_run_id} if self._in_job else None,
                "jobGroup": self._task.context.tag,
                "tags": self._tags(),
                "extraContext": {"notebook_path": self._path, "api_url": self.apiUrl().get()},
            }
        )

    def safeToJson(self) -> str:  # noqa: N802
        """The same, flat, without anything secret."""
        attributes = {
            **self._tags(),
            "notebook_path": self._path,
            "rootRunId": str(self._ids.run_id),
            "currentRunId": str(self._ids.task_run_id),
        }
        return json.dumps({"attributes": attributes})

    @property
    def _in_job(self) -> bool:
        return self._task.context.in_job

    def _tags(self) -> Tags:
        facts = {"user": self._task.settings.user, "clusterId": "local", "orgId": "0"}
        if self._in_job:
            facts |= {
                "jobId": str(self._ids.job_id),
                "jobName": self._ids.job_name,
                "runId": str(self._ids.task_run_id),
                "idInJob": str(self._ids.task_run_id),
                "multitaskParentRunId": str(self._ids.run_id),
                "taskKey": self._ids.task_key,
                "jobType": "NORMAL",
            }
        return Tags(facts)


class EntryPoint:
    """The chain `entry_point.getDbutils().notebook().getContext()`."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def getDbutils(self) -> EntryPoint:  # noqa: N802
        """Next link."""
        return self

    def notebook(self) -> EntryPoint:
        """Next link."""
        return self

    def getContext(self) -> NotebookContext:  # noqa: N802
        """Facts about the run."""
        return NotebookContext(self._task)
