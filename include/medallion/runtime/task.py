"""What one task process holds while it runs: context, channels out, session, shell. Runs in the task process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.runtime.channel import Channel
    from medallion.runtime.dbutils.widgets import Widgets
    from medallion.runtime.display import Display
    from medallion.runtime.masks import Masks
    from medallion.runtime.output import Output
    from medallion.runtime.protocol import TaskContext
    from medallion.runtime.record import Record
    from medallion.runtime.shell import Shell
    from medallion.settings import Settings


class NotebookExit(BaseException):
    """`dbutils.notebook.exit`. Not an Exception, so that a broad `except Exception` in the notebook lets it through."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class RestartPython(BaseException):
    """`dbutils.library.restartPython`: ends the cell and clears the variables; the next cell goes on."""


@dataclass
class Task:
    """One task's process. Mutable: magics and dbutils change it as the cells run.

    :param file: the file that runs now; within `%run` the included notebook.
    :param including: the notebooks whose `%run` led to `file`, outermost first.
    :param injected: the names that Databricks puts into a notebook, by name.
    :param link: the way into the driver of a task that speaks to it by Spark Connect (`compute.connect.Link`).
    :param seconds: where the time of the start went, by name.
    :param on_restart: called when Python restarts, to clear the user's variables.
    """

    context: TaskContext
    file: Path
    output: Output
    masks: Masks
    display: Display
    widgets: Widgets
    channel: Channel
    settings: Settings
    record: Record | None = None
    spark: Any = None
    link: Any = None
    shell: Shell | None = None
    including: list[Path] = field(default_factory=list)
    injected: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    on_restart: Callable[[], None] | None = None
