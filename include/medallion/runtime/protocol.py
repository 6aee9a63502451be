"""What passes between an operator and a task's process: a context in, a result out, questions in between.

Runs on the worker (writes the context, answers the questions) and in the task process (the other half). Plain JSON, so
neither side needs the other's packages.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, Protocol

from medallion.core.text import storable_json

CONTEXT_FILE = "context.json"
RESULT_FILE = "result.json"
NOTEBOOK_FILE = "notebook.ipynb"
PAGE_FILE = "notebook.html"


@dataclass(frozen=True, slots=True)
class RunIds:
    """Who this task is, in the Jobs API's words. Integers are the API's ids; `airflow_run_id` is Airflow's own."""

    job_id: int = 0
    job_name: str = ""
    run_id: int = 0
    task_run_id: int = 0
    task_key: str = ""
    attempt: int = 0
    airflow_run_id: str = ""


@dataclass(frozen=True, slots=True)
class Places:
    """The folders that paths of Databricks stand for. Absolute local paths, as text."""

    lake: str
    volumes: str
    dbfs: str
    workspace: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TaskContext:
    """Everything a task's process needs to know.

    Written to `<output>/context.json` without secrets and values of variables; the process asks for the whole.

    :param kind: what to run: a notebook, a Python file, a wheel's entry point, SQL text, dbt commands, a JAR's main
        class, a spark-submit command, an update of a pipeline.
    :param path: the local file; for a wheel its package name.
    :param workspace_path: the path as the job states it; what `notebookPath()` answers.
    :param parameters: widget values of a notebook or `:name` values of SQL, resolved. All text.
    :param argv: arguments of a script or wheel, resolved.
    :param output: local folder of this attempt: context, result, executed notebook, page.
    :param driver: local path of the driver's connection file (see `compute.pool`), or None for a task without Spark.
    :param root: folder put on `sys.path` besides the file's own: the job's or bundle's root.
    :param tag: Spark job tag of everything that this attempt starts; the worker cancels by it.
    :param in_job: False for a notebook run by hand, where `taskValues` needs `debugValue`.
    :param options: what only one kind needs, such as `entry_point` or `sql_only`.
    """

    kind: Literal["notebook", "python", "wheel", "sql", "dbt", "jar", "submit", "pipeline"]
    path: str
    output: str
    places: Places
    ids: RunIds = field(default_factory=RunIds)
    workspace_path: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    argv: tuple[str, ...] = ()
    driver: str | None = None
    root: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    tag: str = ""
    in_job: bool = True
    options: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> str:
        """JSON text of the context."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> TaskContext:
        """The context that `to_json` wrote."""
        raw = json.loads(text)
        raw["places"] = Places(**raw["places"])
        raw["ids"] = RunIds(**raw["ids"])
        raw["argv"] = tuple(raw["argv"])
        return cls(**raw)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task failed.

    :param kind: the exception's class name, `Timeout`, `Killed`, `DriverLost` or `Exit`.
    :param trace: the user's own traceback, without Medallion's frames.
    :param transient: a retry with a new driver can mend it.
    :param early: it failed before any of the user's code ran, so that it may be done again.
    """

    kind: str
    message: str
    cell: int | None = None
    line: int | None = None
    trace: str = ""
    transient: bool = False
    early: bool = False


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What became of a task's process. Written to `<output>/result.json` by the process, or made up by the worker
    when the process died without one.

    :param exit_value: text given to `dbutils.notebook.exit`, or None.
    :param output: JSON-able result of kinds that have one (SQL rows).
    :param seconds: where the time went: `start` (request to first line of user code), `run`; and parts of the start:
        `process` (fork or fresh Python), `spark` (session), `shell` (IPython and the given names).
    """

    success: bool
    exit_value: str | None = None
    failure: Failure | None = None
    output: Any = None
    seconds: Mapping[str, float] = field(default_factory=dict)

    def to_json(self) -> str:
        """JSON text of the result. Its texts can be stored anywhere but the exit value, which comes back as it was."""
        told = storable_json(asdict(replace(self, exit_value=None)))
        return json.dumps({**told, "exit_value": self.exit_value})

    @classmethod
    def from_json(cls, text: str) -> TaskResult:
        """The result that `to_json` wrote. Unknown members are left out."""
        raw = {key: value for key, value in json.loads(text).items() if key in {item.name for item in fields(cls)}}
        if raw.get("failure"):
            raw["failure"] = Failure(**raw["failure"])
        return cls(**raw)


class Answers(Protocol):
    """What the worker answers while the task runs. Each may raise MedallionError; its text reaches user code."""

    def task_value(self, task_key: str, key: str) -> Any:
        """The latest value that the task set in this run; raises KeyError when there is none."""
        ...

    def set_task_value(self, key: str, value: Any) -> None:
        """Keep a value of this task, at once, so that it survives a later failure."""
        ...

    def secret(self, scope: str, key: str) -> str:
        """A secret's text; raises KeyError when there is none."""
        ...

    def secrets(self, scope: str) -> list[str]:
        """Names of the secrets of a scope."""
        ...

    def secret_scopes(self) -> list[str]:
        """Names of the scopes."""
        ...


def write_whole(path: Path, text: str, *, private: bool = False) -> None:
    """Write a file so that a reader sees the old text or the new, never a part. What is no UTF-8 is escaped.

    :param private: nobody but the owner may read it.
    :raises OSError: names the path, and leaves no part behind.
    """
    draft = path.with_name(path.name + ".part")
    try:
        if private:
            draft.unlink(missing_ok=True)
            draft.touch(0o600)
        draft.write_text(text, encoding="utf-8", errors="backslashreplace")
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        error.filename = error.filename or str(path)
        raise
