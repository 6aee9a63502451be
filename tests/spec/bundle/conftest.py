"""What the tests of bundles share: a bundle written to a folder, and resolved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from medallion.spec.bundle import Resolved, resolve_bundle

NOTEBOOK = "# Databricks notebook source\nprint(1)\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a bundle: the root file's text, and other files by path."""

    def write_files(root: str, files: dict[str, str] | None = None) -> Path:
        for name, text in {"databricks.yml": root, "n.py": NOTEBOOK, **(files or {})}.items():
            file = tmp_path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(dedent(text))
        return tmp_path

    return write_files


@pytest.fixture
def resolve(write: Callable[..., Path]) -> Callable[..., Resolved]:
    """Writes a bundle and resolves it, with an empty environment."""

    def resolve_text(root: str, files: dict[str, str] | None = None, **arguments: Any) -> Resolved:
        return resolve_bundle(write(root, files), **{"environ": {}, **arguments})

    return resolve_text
