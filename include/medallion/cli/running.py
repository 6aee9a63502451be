"""`medallion run`: one run of a job, watched to its end. In the user's shell."""

from __future__ import annotations

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
