"""What `down` finds of a home: its processes, whichever path the home is reached by."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from medallion.components.sweep import marked
from medallion.core.environment import OWNER


@pytest.mark.parametrize(("started_by", "asked_by"), [("real", "link"), ("link", "real"), ("real", "real")])
def test_a_home_reached_by_a_link_is_the_same_home(tmp_path: Path, started_by: str, asked_by: str) -> None:
    (tmp_path / "real" / ".medallion").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    home = tmp_path / started_by / ".medallion"
    process = subprocess.Popen(["sleep", "60"], env={**os.environ, OWNER: str(home)})
    try:
        assert [item.pid for item in marked(tmp_path / asked_by / ".medallion")] == [process.pid]
        assert marked(tmp_path / "other") == []
    finally:
        process.kill()
        process.wait()
