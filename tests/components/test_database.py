"""Airflow's database of a new home: several commands ask for it at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medallion.components.database import is_ready
from medallion.components.places import places_of
from medallion.settings import Settings

AT_ONCE = 4


@pytest.mark.airflow
def test_commands_that_start_at_once_on_a_new_home_make_one_database(tmp_path: Path) -> None:
    (tmp_path / "medallion.toml").touch()

    def set_up(_number: int) -> subprocess.CompletedProcess[str]:
        variables = {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "MEDALLION_PROJECT": str(tmp_path)}
        command = [str(Path(sys.executable).parent / "medallion"), "setup"]
        return subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300, check=False)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        ended = list(pool.map(set_up, range(AT_ONCE)))

    assert [item.returncode for item in ended] == [0] * AT_ONCE, [item.stderr for item in ended]
    places = places_of(Settings.load(tmp_path))
    assert is_ready(places)
    with sqlite3.connect(places.database) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)
