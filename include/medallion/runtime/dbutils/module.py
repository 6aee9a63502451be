"""What every module of dbutils has: `help()`. Runs in the task process."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar

from medallion.errors import MedallionError, UnsupportedError
from medallion.spec.problems import did_you_mean


class Module:
    """A part of dbutils. Its public methods and their first doc lines are its help.

    :param refused: names that exist on Databricks and cannot be here, with the reason.
    """

    name: ClassVar[str] = ""
    refused: ClassVar[dict[str, str]] = {}

    def help(self, method: str | None = None) -> None:
        """Print what the module offers, or what one method does."""
        known = {name: getattr(self, name) for name in dir(type(self)) if is_public(name, getattr(type(self), name))}
        if method is not None and method not in known:
            raise MedallionError(f"dbutils.{self.name} has no {method!r}", hint=did_you_mean(method, known))
        print(f"dbutils.{self.name}: {first_line(type(self))}")  # noqa: T201  help is for the screen
        for name, function in known.items():
            if method in (None, name):
                print(f"  {name}{inspect.signature(function)}: {first_line(function)}")  # noqa: T201

    def __getattr__(self, name: str) -> Any:
        if name in self.refused:

            def refuse(*_args: object, **_options: object) -> None:
                raise UnsupportedError(f"dbutils.{self.name}.{name} does not work here", hint=self.refused[name])

            return refuse
        if name.startswith("_"):
            raise AttributeError(name)
        public = [item for item in dir(type(self)) if not item.startswith("_")]
        near = did_you_mean(name, public)
        raise AttributeError(f"dbutils.{self.name} has no {name!r}" + (f"; {near}" if near else ""))


def is_public(name: str, value: object) -> bool:
    """Whether help lists it."""
    return not name.startswith("_") and name not in {"help", "overlaid"} and callable(value)


def first_line(value: object) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(value) or "").split("\n", 1)[0]
