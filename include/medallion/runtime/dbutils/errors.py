"""Errors of dbutils, named as Databricks names them. Runs in the task process."""

from __future__ import annotations

from medallion.errors import MedallionError


class InputWidgetNotDefined(MedallionError):  # noqa: N818  the name that users know
    """`dbutils.widgets.get` of a name that is neither a widget nor a parameter."""


class WidgetError(MedallionError):
    """A widget is defined wrongly, or removed without being there."""


class NotebookRunError(MedallionError):
    """A notebook called by `dbutils.notebook.run` failed or timed out."""


class TaskValueError(ValueError):
    """A task value is missing, too large or not JSON."""


class FileSystemError(MedallionError):
    """A `dbutils.fs` call cannot be done."""


class SecretError(MedallionError):
    """A secret or its scope does not exist."""
