"""One laboratory for all tests of real runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from factory.lab import Lab


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A project whose jobs run for real."""
    lab = Lab(tmp_path_factory.mktemp("lab") / "project")
    yield lab
    lab.close()
