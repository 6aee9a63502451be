"""One laboratory for the tests of real runs in this folder."""

from __future__ import annotations

from factory.conftest import lab

__all__ = ["lab"]
