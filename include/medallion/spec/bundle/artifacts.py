"""What a bundle builds: its `artifacts`, checked and as data. Runs wherever bundles are read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from medallion.spec.bundle.includes import glob
from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, Node, plain
from medallion.spec.bundle.workspace import defining_folder


def check_artifacts(tree: Node, folder: Path, report: Report, read: list[Path]) -> None:
    """An artifact says how it is built or which files it is; files that nothing builds are there."""
    for name, node in (tree.get("artifacts") or EMPTY).items():
        at = ("artifacts", name)
        if node.kind != "map":
            report.error(f"artifact {name} is not defined", node, at, "set build or files")
            continue
        files = (node.get("files") or EMPTY).elements()
        if node.text("build"):
            continue
        if not files and node.text("type") != "whl":
            report.error(f"artifact {name} has neither build nor files", node, at)
        own = defining_folder(node, folder)
        for index, file in enumerate(files):
            source = file.text("source")
            if source and not glob(Path("/") if source.startswith("/") else own, source, read):
                report.error(f"{source} matches no file", file.get("source"), (*at, "files", index, "source"))


def artifacts_json(tree: Node, folder: Path) -> Iterator[tuple[str, Any]]:
    """Name and settings of each artifact. Its `path` counts from the file that defines it, as for Databricks' tool."""
    for name, node in (tree.get("artifacts") or EMPTY).items():
        settings = plain(node)
        if isinstance(settings, dict):
            own = node.at("path") or node
            place = defining_folder(own, folder) / (node.text("path") or ".")
            yield str(name), {**settings, "path": os.path.normpath(place)}
