"""SECURITY.md: each promise names tests, and each of these exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.fixture(scope="module")
def page(project: Path) -> str:
    return (project / "SECURITY.md").read_text(encoding="utf-8")


def promises(page: str) -> list[str]:
    """The rows of the tables."""
    rows = [line for line in page.splitlines() if line.startswith("|")]
    return [row for row in rows if row not in {"| promise | test |", "|---|---|"}]


def test_each_promise_names_a_test(page: str) -> None:
    assert len(promises(page)) > 25
    assert [row for row in promises(page) if not NAMED.search(row)] == []


def test_each_named_test_exists(page: str, project: Path) -> None:
    named = set(NAMED.findall(page))
    missing = []
    for file, name in sorted(named):
        path = project / file
        tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
        if name not in {item.name for item in tree.body if isinstance(item, ast.FunctionDef)}:
            missing.append(f"{file}::{name}")
    assert missing == []


def test_what_is_said_of_options_and_variables_is_so(page: str) -> None:
    from medallion.spec.bundle.python_resources import FORBIDDEN

    assert f"`{FORBIDDEN}=1`" in page


@pytest.mark.parametrize("file", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_the_page_is_linked(project: Path, file: str) -> None:
    assert re.search(r"\]\((\.\./)?SECURITY\.md\)", (project / file).read_text(encoding="utf-8"))
