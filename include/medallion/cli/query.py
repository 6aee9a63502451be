"""`medallion sql`: one statement on the default driver. In the user's shell."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
