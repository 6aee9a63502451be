"""`dbutils.widgets`: a notebook's parameters. Runs in the task process.

A parameter of the run overrides a widget's default, and is readable without a widget. All values are text
(docs.databricks.com: jobs/parameter-use, dev-tools/databricks-utils).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from medallion.runtime.dbutils.errors import InputWidgetNotDefined, WidgetError
from medallion.runtime.dbutils.module import Module
from medallion.spec.problems import did_you_mean


class Widgets(Module):
    """Widgets of one notebook and the parameters it was started with."""

    name = "widgets"

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._parameters = dict(parameters)
        self._defaults: dict[str, str] = {}

    def text(self, name: str, defaultValue: str = "", label: str | None = None) -> None:  # noqa: N803
        """A widget of any text."""
        del label
        self._defaults[str(name)] = str(defaultValue)

    def dropdown(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """A widget of one of the choices."""
        del label
        self._choose(name, [str(defaultValue)], choices)

    def combobox(self, name: str, defaultValue: str, choices: Sequence[str] = (), label: str | None = None) -> None:  # noqa: N803
        """A widget of any text, with choices proposed."""
        del choices, label
        self._defaults[str(name)] = str(defaultValue)

    def multiselect(self, name: str, defaultValue: str, choices: Sequence[str], label: str | None = None) -> None:  # noqa: N803
        """A widget of several of the choices; its value is comma-joined."""
        del label
        self._choose(name, str(defaultValue).split(","), choices)

    def get(self, name: str) -> str:
        """The value: the run's parameter, else the widget's default.

        :raises InputWidgetNotDefined: neither exists.
        """
        values = self.getAll()
        if name not in values:
            near = did_you_mean(str(name), values)
            known = f"known: {', '.join(sorted(values))}" if values else "this run has no parameters"
            raise InputWidgetNotDefined(
                f"InputWidgetNotDefined: no input widget named {name!r} is defined", hint=near or known
            )
        return values[name]

    def getArgument(self, name: str, defaultValue: str | None = None) -> str:  # noqa: N802, N803
        """As `get`, with a default for a name that does not exist."""
        values = self.getAll()
        if name not in values and defaultValue is not None:
            return str(defaultValue)
        return self.get(name)

    def getAll(self) -> dict[str, str]:  # noqa: N802
        """Every value by its name."""
        return {**self._defaults, **self._parameters}

    def remove(self, name: str) -> None:
        """Remove a widget.

        :raises WidgetError: there is no such widget.
        """
        if name not in self._defaults:
            raise WidgetError(f"no widget named {name!r} to remove", hint=did_you_mean(str(name), self._defaults))
        del self._defaults[name]

    def removeAll(self) -> None:  # noqa: N802
        """Remove every widget. Parameters of the run stay."""
        self._defaults.clear()

    def _choose(self, name: str, values: Sequence[str], choices: Sequence[str]) -> None:
        texts = [str(choice) for choice in choices]
        for value in values:
            if value and value not in texts:
                raise WidgetError(
                    f"default {value!r} of widget {name!r} is not among its choices: {', '.join(texts)}",
                    hint=did_you_mean(value, texts),
                )
        self._defaults[str(name)] = ",".join(values)

    @contextmanager
    def overlaid(self, parameters: Mapping[str, str]) -> Iterator[None]:
        """The parameters of a `%run`, in force while the included notebook runs."""
        outer = self._parameters
        self._parameters = {**outer, **parameters}
        try:
            yield
        finally:
            self._parameters = outer
