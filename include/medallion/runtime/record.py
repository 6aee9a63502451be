"""The executed notebook as a file, kept up to date while the cells run. Runs in the task process.

Saved after each cell and every few seconds inside a long one, so that a killed task leaves what it had.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from medallion.core.text import storable_json
from medallion.runtime.masks import Masks
from medallion.runtime.protocol import Failure, write_whole
from medallion.runtime.source import VENDOR, Cell, Notebook

SAVE_EVERY = 2.0  # seconds between saves inside a cell
SAVE_SHARE = 0.05  # saving may take this part of the time, whatever the notebook's size
STREAM_LIMIT = 1_000_000  # characters of one cell's printed text that the record keeps; the log has all
HIGHLIGHT = {"python": "ipython3", "sql": "sql", "r": "r", "scala": "scala"}


class Record:
    """The notebook's cells with what they put out. Methods may be called from any thread.

    :param path: the .ipynb file to keep.
    """

    def __init__(self, notebook: Notebook, path: Path, masks: Masks, *, title: str) -> None:
        from nbformat.v4 import new_notebook

        self._path = path
        self._masks = masks
        self._lock = threading.RLock()
        self._current: dict[str, Any] | None = None
        self._kept = 0
        self._count = 0
        self._started = 0.0
        self._saved = 0.0
        self._cost = 0.0
        self._dirty = False
        self._displays: dict[str, list[dict[str, Any]]] = {}
        language = {"name": notebook.language, "pygments_lexer": HIGHLIGHT.get(notebook.language, "text")}
        self.document: dict[str, Any] = new_notebook(
            cells=[new_cell(cell) for cell in notebook.cells],
            metadata={
                "language_info": language,
                "title": title,
            },
        )
        threading.Thread(target=self._keep_saving, name="medallion-record", daemon=True).start()

    def begin(self, position: int) -> None:
        """The cell at this position (from 0) starts."""
        with self._lock:
            self._current = self.document["cells"][position]
            self._kept = 0
            self._displays = {}
            self._started = time.monotonic()
            self._mark("running", started=datetime.now(UTC).isoformat(timespec="milliseconds"))
            if self._current["cell_type"] == "code":
                self._count += 1
                self._current["execution_count"] = self._count
            self._dirty = True
            self._save_if_due()

    def end(self, status: str) -> None:
        """The running cell is over: `ok`, `failed`, `exit` or `killed`."""
        with self._lock:
            self._mark(status, seconds=round(time.monotonic() - self._started, 3))
            self._current = None
            self._dirty = True
            self._save_if_due()

    def stream(self, name: str, text: str) -> None:
        """Printed text of the running cell."""
        with self._lock:
            if self._current is None or self._current["cell_type"] != "code" or self._kept > STREAM_LIMIT:
                return
            self._kept += len(text)
            if self._kept > STREAM_LIMIT:
                text += "\n… the rest is in the task's log\n"
            outputs = self._current["outputs"]
            if outputs and outputs[-1].get("name") == name:
                outputs[-1]["text"] += text
            else:
                outputs.append({"output_type": "stream", "name": name, "text": text})
            self._dirty = True

    def output(
        self,
        data: dict[str, Any],
        metadata: dict[str, Any] | None = None,
        *,
        display_id: str | None = None,
        update: bool = False,
    ) -> None:
        """A displayed object as a MIME bundle."""
        with self._lock:
            self._dirty = True
            if update and display_id in self._displays:
                for shown in self._displays[display_id]:
                    shown["data"], shown["metadata"] = data, metadata or {}
                return
            if self._current is None or self._current["cell_type"] != "code":
                return
            shown = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
            self._current["outputs"].append(shown)
            if display_id is not None:
                self._displays.setdefault(display_id, []).append(shown)

    def clear(self) -> None:
        """Forget what the running cell put out."""
        with self._lock:
            if self._current is not None:
                self._current["outputs"] = []
                self._dirty = True

    def error(self, failure: Failure) -> None:
        """The failure of the running cell."""
        with self._lock:
            if self._current is not None and self._current["cell_type"] == "code":
                error = {"output_type": "error", "ename": failure.kind, "evalue": failure.message}
                self._current["outputs"].append({**error, "traceback": failure.trace.splitlines()})
                self._dirty = True

    def save(self) -> None:
        """Write the file now.

        :raises OSError: it cannot be written.
        """
        with self._lock:
            begun = time.monotonic()
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(
                self._path, json.dumps(storable_json(self._masks.document(self.document)), ensure_ascii=False, indent=1)
            )
            self._saved = time.monotonic()
            self._cost = self._saved - begun
            self._dirty = False

    def _save_if_due(self) -> None:
        """Save when it is time. A file that cannot be written now stops no cell: the last save tells of it."""
        if self._due():
            with contextlib.suppress(OSError):
                self.save()

    def _due(self) -> bool:
        """Whether a save now stays within the share of the time that saving may take."""
        return time.monotonic() - self._saved >= self._cost / SAVE_SHARE

    def _keep_saving(self) -> None:
        while True:
            time.sleep(SAVE_EVERY)
            with self._lock:
                if self._dirty:
                    self._save_if_due()

    def _mark(self, status: str, **facts: Any) -> None:
        if self._current is not None:
            self._current["metadata"]["medallion"] = {
                **self._current["metadata"]["medallion"],
                "status": status,
                **facts,
            }


def new_cell(cell: Cell) -> dict[str, Any]:
    """The cell as nbformat has it, before it runs."""
    from nbformat.v4 import new_code_cell, new_markdown_cell

    facts: dict[str, Any] = {"medallion": {"status": "pending", "line": cell.line, "language": cell.language}}
    if cell.title:
        facts[VENDOR + "cell"] = {"title": cell.title}
    if cell.language == "md":
        made = new_markdown_cell(source=cell.source.lstrip("\n"), metadata=facts)
    else:
        made = new_code_cell(source=cell.raw, metadata=facts)
    made["id"] = f"cell-{cell.index}"
    return dict(made)


def warm() -> None:
    """Make a cell, ahead of the first notebook: nbformat compiles its schema for it, which takes 50 ms."""
    from nbformat.v4 import new_code_cell, new_notebook

    new_notebook(cells=[new_code_cell("1")])
