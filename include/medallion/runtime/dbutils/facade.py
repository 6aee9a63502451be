"""The `dbutils` object. Runs in the task process."""

from __future__ import annotations

from typing import TYPE_CHECKING

from medallion.runtime.dbutils.credentials import Credentials
from medallion.runtime.dbutils.data import Data
from medallion.runtime.dbutils.fs import FileSystem
from medallion.runtime.dbutils.jobs import Jobs
from medallion.runtime.dbutils.library import Library
from medallion.runtime.dbutils.module import Module
from medallion.runtime.dbutils.notebook import NotebookUtils
from medallion.runtime.dbutils.secrets import Secrets

if TYPE_CHECKING:
    from medallion.runtime.task import Task


class DBUtils:
    """`dbutils` with its modules as attributes."""

    def __init__(self, task: Task) -> None:
        self.credentials = Credentials()
        self.data = Data(task)
        self.fs = FileSystem(task.context.places, task.spark)
        self.jobs = Jobs(task)
        self.library = Library()
        self.notebook = NotebookUtils(task)
        self.secrets = Secrets(task)
        self.widgets = task.widgets
        self.entry_point = self.notebook.entry_point

    def help(self, module: str | None = None) -> None:
        """Print the modules, or the help of one."""
        for name, value in vars(self).items():
            if isinstance(value, Module) and module in (None, name):
                value.help()
