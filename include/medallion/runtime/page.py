"""The page (HTML) of an executed notebook. Runs at the end of the task process, or on its own."""

from __future__ import annotations

import sys
from pathlib import Path

from medallion.runtime.protocol import NOTEBOOK_FILE, PAGE_FILE, write_whole

# The page shows what a notebook put out. Nothing in it may load or run code from elsewhere.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:"


def write_page(output: Path) -> Path:
    """Render `<output>/notebook.ipynb` as `<output>/notebook.html`."""
    page = output / PAGE_FILE
    write_whole(page, render(output / NOTEBOOK_FILE))
    return page


def render(notebook: Path) -> str:
    """The page's text."""
    from nbconvert import HTMLExporter
    from nbformat import read

    text, _ = HTMLExporter(template_name="basic").from_notebook_node(read(notebook, as_version=4))
    return str(text)


if __name__ == "__main__":
    write_page(Path(sys.argv[1]))
