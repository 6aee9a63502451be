"""IPython's shell for a notebook's Python cells: no terminal, no history file, no colours. Runs in the task process."""

from __future__ import annotations

import ast
import linecache
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.runtime.display import Display


class Shell:
    """One InteractiveShell. Code is compiled under the notebook's own file name and line numbers, so that tracebacks,
    debuggers and `inspect` see the user's file.

    :param display: where displayed objects and a cell's last value go.
    """

    def __init__(self, display: Display, folder: Path) -> None:
        self._display = display
        self._name = "<cell>"
        self._offset = 0
        self.ipython: Any = make_ipython(folder)
        self._connect()

    @property
    def names(self) -> dict[str, Any]:
        """The user's variables."""
        return self.ipython.user_ns  # type: ignore[no-any-return]

    def run(self, source: str, *, name: str, line: int) -> None:
        """Run Python code, IPython's magics and top-level `await` included.

        :param name: file name that tracebacks show.
        :param line: line of that file on which `source` begins.
        :raises BaseException: whatever the code raised.
        """
        outer = self._name, self._offset
        blank = len(source) - len(source.lstrip("\n"))  # IPython drops these lines before it compiles
        self._name, self._offset = name, line - 1 + blank
        try:
            result = self.ipython.run_cell(source, store_history=True)
        finally:
            self._name, self._offset = outer
        error = result.error_before_exec or result.error_in_exec
        if error is not None:
            raise error

    def clear(self) -> None:
        """Forget the user's variables, as a Python that restarts does."""
        self.ipython.reset(new_session=False)

    def _connect(self) -> None:
        """Put our ways of naming, showing and failing in place of the terminal's."""
        shell = self.ipython
        shell.compile.cache = self._code_name
        shell.ast_transformers.append(self)
        for method in ("showtraceback", "showsyntaxerror", "showindentationerror", "show_usage_error"):
            setattr(shell, method, ignore)  # the error is raised by `run` and shown once, with the cell
        hook, publisher = shell.displayhook, shell.display_pub
        hook.write_output_prompt = ignore
        hook.write_format_data = self._write_value
        publisher.publish = self._publish
        publisher.clear_output = self._clear_output

    def _code_name(self, transformed_code: str, number: int = 0, raw_code: str | None = None) -> str:
        """The name that code is compiled under. A name that is no file gets its lines kept for tracebacks."""
        del number
        if not Path(self._name).is_file():
            lines = [f"{line}\n" for line in (raw_code or transformed_code).split("\n")]
            linecache.cache[self._name] = (len(transformed_code), None, lines, self._name)
        return self._name

    def visit(self, tree: ast.Module) -> ast.Module:
        """AST transformer: shift line numbers to the place of the cell in its file."""
        return ast.increment_lineno(tree, self._offset) if self._offset else tree

    def _write_value(self, format_dict: dict[str, Any], md_dict: dict[str, Any] | None = None) -> None:
        self._display.publish(format_dict, md_dict)

    def _publish(self, data: dict[str, Any], metadata: dict[str, Any] | None = None, **options: Any) -> None:
        transient = options.get("transient") or {}
        self._display.publish(
            data, metadata, display_id=transient.get("display_id"), update=bool(options.get("update", False))
        )

    def _clear_output(self, *_args: Any, **_options: Any) -> None:
        self._display.clear()


def ignore(*_args: Any, **_options: Any) -> None:
    """Do nothing."""


def make_ipython(folder: Path) -> Any:
    """IPython's shell, quiet, with its files below `folder`."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    config.InteractiveShell.cache_size = 0
    config.InteractiveShell.separate_out2 = ""
    config.InteractiveShell.separate_out = ""
    warnings.filterwarnings("ignore", message="To exit: use")
    shell = InteractiveShell.instance(config=config, ipython_dir=str(folder))
    shell.user_ns.update({"exit": sys.exit, "quit": sys.exit})
    return shell
