"""Ten seconds of fuzzing for each reader: no crash, no hang over a second, only our errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("readers.py")
READERS = (
    *("jobs", "bundles", "references", "notebooks", "cron", "bundle_files", "patterns", "statements", "notebook_paths"),
)
SECONDS = 10


@pytest.mark.slow
@pytest.mark.parametrize("reader", READERS)
def test_a_reader_withstands_the_fuzzer(reader: str, tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris has no build for this Python")
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    command = [sys.executable, str(SCRIPT), reader, str(corpus), f"-max_total_time={SECONDS}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not list(tmp_path.glob("crash-*"))
    assert not list(tmp_path.glob("timeout-*"))
