"""Archives of loaded classes (class-data sharing), which make a driver start faster. Runs on the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from medallion.compute.driver import Launch
    from medallion.settings import Settings


def options(settings: Settings, launch: Launch) -> list[str]:
    """JVM options that use the archive for this Java and class path, when there is one."""
    return []
