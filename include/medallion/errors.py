"""The tree of errors that Medallion raises. Runs everywhere; imports nothing heavy.

    MedallionError
    ├── SpecError            a job, bundle or notebook path is wrong: carries every problem found
    ├── SettingsError        a setting is wrong: which, from where, what is allowed
    ├── ReferenceFault       a dynamic value reference {{…}} cannot be resolved
    ├── UnsupportedError     a feature of Databricks that is not here
    ├── NotebookError        the user's code failed: cell, line, traceback
    ├── TargetError          compute or a server could not be reached or started
    │   └── DriverLostError      a driver that worked is gone; a retry gets a new one
    ├── DiskFullError        a disk has no room for what was to be written: which folder, how much room there is
    └── RunError             a run or task is unknown, or not in a state for what was asked

Mark `transient` tells what a retry can mend; nothing decides on the text of a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medallion.spec.problems import Problem


class MedallionError(Exception):
    """Root of all errors of Medallion.

    :param message: what is wrong and where, one or two sentences.
    :param hint: what to do about it.
    """

    transient: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class SpecError(MedallionError):
    """A definition is wrong. `problems` holds every error and warning of the file, in file order."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SettingsError(MedallionError):
    """A setting has a value that is not allowed, or a name that does not exist."""

    exit_code = 2


class ReferenceFault(MedallionError):  # noqa: N818  ReferenceError is a builtin of Python
    """A dynamic value reference names a member that does not exist or has no value yet."""


class UnsupportedError(MedallionError):
    """The feature exists on Databricks and not here."""


class NotebookError(MedallionError):
    """The user's code failed. `trace` is the user's own traceback, without Medallion's frames."""

    def __init__(self, message: str, *, cell: int | None = None, line: int | None = None, trace: str = "") -> None:
        super().__init__(message)
        self.cell = cell
        self.line = line
        self.trace = trace


class TargetError(MedallionError):
    """Compute could not be started or reached."""


class DriverLostError(TargetError):
    """A Spark driver that was in use is gone. A retry gets a new one."""

    transient = True


class DiskFullError(MedallionError):
    """A disk, a quota or the limit of a file's size leaves no room for what was to be written."""


class RunError(MedallionError):
    """A run or task does not exist, or is not in a state that allows what was asked."""

    exit_code = 2
