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
    """Name and settings of each artifact, its paths absolute.

    `path` and each `files[].source` count from the file that states them, as for Databricks' tool; an artifact without
    a path is built in the bundle's folder.
    """
    for name, node in (tree.get("artifacts") or EMPTY).items():
        settings = plain(node)
        if not isinstance(settings, dict):
            continue
        own = node.get("path")
        path = absolute(own, node.text("path"), folder) if own is not None and node.text("path") else str(folder)
        found = {**settings, "path": path}
        if files := (node.get("files") or EMPTY).elements():
            sources = [(file, plain(file)) for file in files]
            found["files"] = [
                {**item, "source": absolute(file.get("source") or file, file.text("source"), folder)}
                if isinstance(item, dict) and file.text("source")
                else item
                for file, item in sources
            ]
        yield str(name), found


def absolute(node: Node, text: str, folder: Path) -> str:
    """A path that counts from the file that states it."""
    return os.path.normpath(defining_folder(node, folder) / text)
