"""Processes that got away from their parent and its session are found and ended."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medallion.compute.processes import is_running

PROGRAM = """
import os, subprocess, sys, time
from medallion.core.descendants import adopt_orphans, children, descendants, end_below, keep_apart
adopt_orphans()
def away(script):
    subprocess.run(["bash", "-c", f"setsid bash -c '{script}' & disown; exit 0"], check=True)
away('trap "" TERM HUP; echo $$ > deaf; while :; do sleep 60; done')
away('echo $$ > obedient; exec sleep 100')
away('exec env -i bash -c "echo \\\\$\\\\$ > nameless; while :; do setsid sleep 100 & sleep 0.01; done"')
apart = subprocess.Popen(["sleep", "100"], start_new_session=True)
keep_apart(apart.pid)
names = ("deaf", "obedient", "nameless")
while not all(os.path.exists(name) and open(name).read() for name in names):
    time.sleep(0.01)
found = descendants(children(os.getpid()))
assert {int(open(name).read()) for name in names} <= set(found), found
end_below(os.getpid(), grace=float(sys.argv[1]))
while descendants(children(os.getpid())):  # killed, and about to go
    time.sleep(0.01)
assert apart.poll() is None
apart.kill()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux hands orphans on")
@pytest.mark.parametrize("grace", [pytest.param(0.0, id="at-once"), pytest.param(0.3, id="asked-first")])
def test_all_that_got_away_is_ended(tmp_path: Path, grace: float) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, str(grace)], cwd=tmp_path, timeout=60, check=True)
    for name in ("deaf", "obedient", "nameless"):
        assert not is_running(int((tmp_path / name).read_text()), None), name
