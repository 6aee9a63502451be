"""`display()` and its kin: tables, figures and HTML as outputs of the running cell. Runs in the task process."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from medallion.runtime.masks import Masks
    from medallion.runtime.output import Output
    from medallion.runtime.record import Record

ROWS_SHOWN = 1000  # as Databricks' table output
ROWS_LOGGED = 20
WIDEST = 40  # characters of a value in the log's table


class Display:
    """Puts objects out: rich into the record, as text into the log."""

    def __init__(self, output: Output, masks: Masks) -> None:
        self._output = output
        self._masks = masks
        self.record: Record | None = None

    def publish(self, data: dict[str, Any], metadata: dict[str, Any] | None = None, **kind: Any) -> None:
        """A MIME bundle: its text to the log, the whole to the record. What was printed before comes first."""
        self._output.drain()
        text = data.get("text/plain")
        if text:
            self._output.log(f"{text}\n")
        if self.record is not None:
            self.record.output(data, metadata, **kind)

    def clear(self) -> None:
        """Forget what the running cell put out."""
        self._output.drain()
        if self.record is not None:
            self.record.clear()

    def show(self, value: Any, *_args: Any, **_options: Any) -> None:
        """`display(value)`: frames as tables, None not at all, anything else as IPython shows it."""
        if value is None:
            return
        table = as_table(value)
        if table is not None:
            columns, rows = table
            self.table(columns, rows[:ROWS_SHOWN], more=len(rows) > ROWS_SHOWN)
            return
        from IPython.core.interactiveshell import InteractiveShell

        formatter: Any = InteractiveShell.instance().display_formatter
        data, metadata = formatter.format(value)
        if data or not hasattr(value, "_ipython_display_"):
            self.publish(data, metadata)

    def show_all(self, *values: Any, **options: Any) -> None:
        """`display(a, b)`."""
        for value in values:
            self.show(value, **options)

    def show_html(self, text: Any) -> None:
        """`displayHTML(text)`."""
        self.publish({"text/html": str(text), "text/plain": "<HTML output: see the notebook's page>"})

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, more: bool = False) -> None:
        """Rows as an HTML table in the record and as a short text table in the log."""
        # Masked before it is cut: the beginning of a secret would not be known for one.
        shown = [[self._masks.apply(cell_text(value)) for value in row] for row in rows[:ROWS_LOGGED]]
        text = text_table(columns, shown, found=len(rows), more=more)
        self.publish({"text/html": html_table(columns, rows, more=more), "text/plain": text})


def as_table(value: Any) -> tuple[list[str], list[list[Any]]] | None:
    """Columns and rows of a Spark or pandas frame, one more than is shown; None for anything else."""
    kinds = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(value).__mro__}
    if "pyspark.DataFrame" in kinds and hasattr(value, "sparkSession"):
        if value.isStreaming:
            from medallion.runtime.spark.streams import snapshot

            return list(value.columns), [list(row) for row in snapshot(value, ROWS_SHOWN + 1)]
        return list(value.columns), [list(row) for row in value.take(ROWS_SHOWN + 1)]
    if "pandas.DataFrame" in kinds:
        return [str(name) for name in value.columns], value.head(ROWS_SHOWN + 1).to_numpy(dtype=object).tolist()
    if "pandas.Series" in kinds:
        return [str(value.name or 0)], [[item] for item in value.head(ROWS_SHOWN + 1).tolist()]
    if "pyspark.DataFrame" in kinds and hasattr(value, "to_pandas"):
        return as_table(value.head(ROWS_SHOWN + 1).to_pandas())
    return None


def cell_text(value: Any) -> str:
    """A value as text; nothing for a null, JSON for structures."""
    if value is None:
        return "null"
    if isinstance(value, (bytes, bytearray)):
        return value.hex()
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(plain(value), default=str, ensure_ascii=False)
    return str(value)


def plain(value: Any) -> Any:
    """Rows as objects and everything else as JSON can hold it."""
    if hasattr(value, "asDict"):
        return {str(key): plain(item) for key, item in value.asDict().items()}
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def html_table(columns: Iterable[str], rows: Sequence[Sequence[Any]], *, more: bool) -> str:
    """An HTML table; every value is escaped."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell_text(value))}</td>" for value in row) + "</tr>" for row in rows
    )
    note = f"<p>the first {len(rows):,} rows</p>" if more else ""
    return f'<table class="dataframe"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{note}'


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, found: int, more: bool) -> str:
    """A table for the log: the first rows of those found, long values cut."""
    shown = [[short(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[place]) for row in shown)]) for place, name in enumerate(columns)]
    rule = "+" + "+".join("-" * (width + 2) for width in widths) + "+"
    lines = [rule, line_of(columns, widths), rule, *(line_of(row, widths) for row in shown), rule]
    if found > len(rows) or more:
        lines.append(f"{len(rows)} of {found:,}{' or more' if more else ''} rows")
    return "\n".join(lines)


def short(text: str) -> str:
    """One line of at most WIDEST characters."""
    text = text.replace("\n", "\\n")
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"


def line_of(values: Iterable[str], widths: Sequence[int]) -> str:
    """A line of the text table."""
    return "| " + " | ".join(value.ljust(width) for value, width in zip(values, widths, strict=True)) + " |"
