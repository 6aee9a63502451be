"""Resources that a bundle defines in Python. Runs wherever bundles are read."""

from __future__ import annotations

from medallion.spec.bundle.report import Report
from medallion.spec.bundle.tree import EMPTY, Node
from medallion.spec.positions import JsonPath

SECTIONS: tuple[JsonPath, ...] = (("python",), ("experimental", "python"))


def add_python_resources(tree: Node, report: Report) -> Node:
    """The tree with the resources that the bundle's Python code makes."""
    for at in SECTIONS:
        section = tree.at(*at) or EMPTY
        if any((section.get(key) or EMPTY).value for key in ("resources", "mutators")):
            message = "the bundle defines resources in Python, which needs an environment with databricks-bundles"
            report.error(message, section, at)
    return tree
