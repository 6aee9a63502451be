"""`dbutils.library`. Runs in the task process."""

from __future__ import annotations

from typing import ClassVar, NoReturn

from medallion.runtime.dbutils.module import Module
from medallion.runtime.task import RestartPython

REASON = "it is gone from Databricks too; use %pip install"


class Library(Module):
    """The notebook's Python."""

    name = "library"
    refused: ClassVar[dict[str, str]] = dict.fromkeys(("install", "installPyPI", "list", "updateCondaEnv"), REASON)

    def restartPython(self) -> NoReturn:  # noqa: N802
        """Forget the notebook's variables; the next cell goes on."""
        raise RestartPython
