from __future__ import annotations

import sys
from pathlib import Path

import pytest

from medallion.runtime.failures import describe
from medallion.settings import Settings


@pytest.mark.parametrize(
    ("message", "advised"),
    [
        pytest.param("[PYTHON_VERSION_MISMATCH] Python in worker has different version", True, id="another version"),
        pytest.param('IOException: Cannot run program "/opt/python3": error=2, No such file', True, id="none there"),
        pytest.param('Cannot run program "gcc": error=2', False, id="another program"),
        pytest.param("division by zero", False, id="the user's own"),
    ],
)
def test_executors_without_the_right_python_are_told_with_what_to_set(
    tmp_path: Path, message: str, advised: bool
) -> None:
    settings = Settings.load(tmp_path, environ={})
    failure = describe(RuntimeError(message), settings, cell=None, line=None, is_lost=lambda _: False)
    wanted = f"executors need a Python {sys.version_info[0]}.{sys.version_info[1]}"
    assert (wanted in failure.message, wanted in failure.trace) == (advised, advised)
