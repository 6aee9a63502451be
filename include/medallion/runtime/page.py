"""The page (HTML) of an executed notebook. Runs at the end of the task process, or on its own."""

from __future__ import annotations

import html
import sys
from functools import cache
from pathlib import Path
from typing import Any

from medallion.runtime.lines import overwritten
from medallion.runtime.protocol import NOTEBOOK_FILE, PAGE_FILE, write_whole

# The page shows what a notebook put out. Nothing in it may run code or load anything from elsewhere.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; base-uri 'none'"
)

SHELL = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.2rem; overflow-wrap: anywhere; }
.cell { margin: 0 0 1rem; }
.prompt { color: #6a737d; font: 12px ui-monospace, monospace; }
.input_area pre, .output_area pre { font: 13px/1.45 ui-monospace, monospace; margin: 0; padding: .6rem .8rem;
  overflow-x: auto; }
.input_area pre { background: #f6f8fa; border-left: 3px solid #d0d7de; }
.output_stderr pre, .output_error pre { background: #fff5f5; border-left: 3px solid #d1242f; }
table { border-collapse: collapse; font-size: 13px; margin: .5rem 0; }
th, td { border: 1px solid #d0d7de; padding: .2rem .5rem; text-align: left; }
th { background: #f6f8fa; }
.anchor-link { display: none; }
@media (prefers-color-scheme: dark) {
  body { color: #e6edf3; background: #0d1117; }
  .input_area pre, th { background: #161b22; }
  .highlight, .highlight * { color: #c9d1d9 !important; background: transparent; }
  .output_stderr pre, .output_error pre { background: #2d1214; }
}
"""


def write_page(output: Path) -> Path:
    """Render `<output>/notebook.ipynb` as `<output>/notebook.html`.

    :raises OSError: there is no executed notebook.
    """
    page = output / PAGE_FILE
    write_whole(page, render(output / NOTEBOOK_FILE))
    return page


def render(notebook: Path) -> str:
    """The page's text."""
    import nbformat

    document = nbformat.read(notebook, as_version=4)
    for cell in document.cells:
        for output in cell.get("outputs", ()):
            if output.output_type == "stream":
                output.text = "\n".join(map(overwritten, output.text.split("\n")))
    body, _ = exporter().from_notebook_node(document)
    title = html.escape(str(document.metadata.get("title", notebook.parent.name)))
    return SHELL.format(policy=POLICY, title=title, style=style(), body=body)


@cache
def exporter() -> Any:
    """nbconvert's exporter, with the template that makes a page's body: 13 ms a page, once it is made."""
    from nbconvert import HTMLExporter

    return HTMLExporter(template_name="basic")


@cache
def style() -> str:
    """The page's style sheet: ours, and the colours of code."""
    from pygments.formatters import HtmlFormatter

    return STYLE + str(HtmlFormatter(style="friendly").get_style_defs(".highlight"))


def warm() -> None:
    """Make the exporter and compile its templates, ahead of the first page."""
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

    outputs = [new_output("display_data", data={"text/html": "<p></p>"}), new_output("stream", text="-")]
    cells = [new_markdown_cell("-"), new_code_cell("1", outputs=outputs)]
    exporter().from_notebook_node(new_notebook(cells=cells))


if __name__ == "__main__":
    write_page(Path(sys.argv[1]))
