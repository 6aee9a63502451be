from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from medallion.compute.paths import to_local, to_spark, to_user
from medallion.errors import MedallionError, UnsupportedError
from medallion.runtime.protocol import Places

PLACES = Places(
    lake="/p/lake",
    volumes="/p/volumes",
    dbfs="/p/dbfs",
    workspace={"/Workspace/Users/a@b.c/proj": "/code/proj", "/Workspace": "/code/all"},
)


@pytest.mark.parametrize(
    ("path", "local"),
    [
        pytest.param("/Volumes/c/s/v/a.txt", "/p/volumes/c/s/v/a.txt", id="volume"),
        pytest.param("/Volumes", "/p/volumes", id="the root of volumes"),
        pytest.param("dbfs:/Volumes/c/s/v", "/p/volumes/c/s/v", id="volume by dbfs"),
        pytest.param("/dbfs/Volumes/c", "/p/volumes/c", id="volume by the mount of dbfs"),
        pytest.param("dbfs:/tmp/x", "/p/dbfs/tmp/x", id="dbfs"),
        pytest.param("dbfs:///tmp//x/", "/p/dbfs/tmp/x", id="dbfs with more slashes"),
        pytest.param("dbfs:/", "/p/dbfs", id="the root of dbfs"),
        pytest.param("/dbfs/tmp/x", "/p/dbfs/tmp/x", id="the mount of dbfs"),
        pytest.param("/FileStore/x", "/p/dbfs/FileStore/x", id="file store"),
        pytest.param("/Workspace/Users/a@b.c/proj/lib/m.py", "/code/proj/lib/m.py", id="the longest prefix wins"),
        pytest.param("file:/Workspace/Users/x/n.py", "/code/all/Users/x/n.py", id="file scheme on a mapped prefix"),
        pytest.param("file:///tmp/x", "/tmp/x", id="file scheme"),
        pytest.param("/tmp/x", "/tmp/x", id="a local path stays"),
        pytest.param("data/x.csv", "data/x.csv", id="a relative path stays"),
        pytest.param("/VolumesOther/x", "/VolumesOther/x", id="a longer name is another folder"),
        pytest.param("/Volumes/a/../b", "/p/volumes/b", id="dots inside"),
        pytest.param("dbfs:/../../etc/passwd", "/p/dbfs/etc/passwd", id="dots stay within dbfs"),
        pytest.param("/x/../Volumes/c", "/p/volumes/c", id="dots that come in"),
    ],
)
def test_local_paths(path: str, local: str) -> None:
    assert to_local(path, PLACES) == local


@pytest.mark.parametrize(
    "path",
    [
        "/Volumes/../etc/passwd",
        "/Volumes/a/../../dbfs/x",
        "file:/Volumes/../etc/passwd",
        "//Volumes//..//etc",
        "/dbfs/../etc/passwd",
        "/Workspace/../etc/passwd",
    ],
)
def test_dots_that_lead_out_are_refused(path: str) -> None:
    with pytest.raises(MedallionError, match=r"leads out of /(Volumes|dbfs|Workspace)"):
        to_local(path, PLACES)


def test_another_file_system_has_no_local_path() -> None:
    with pytest.raises(UnsupportedError, match="s3"):
        to_local("s3://bucket/x", PLACES)


@pytest.mark.parametrize(
    ("path", "spark"),
    [
        pytest.param("/Volumes/c/s/v", "/Volumes/c/s/v", id="volume"),
        pytest.param("file:/Volumes/c", "/Volumes/c", id="volume with the file scheme"),
        pytest.param("dbfs:/tmp/x", "dbfs:/tmp/x", id="dbfs"),
        pytest.param("/dbfs/tmp/x", "dbfs:/tmp/x", id="the mount of dbfs"),
        pytest.param("/dbfs", "dbfs:/", id="the root of the mount"),
        pytest.param("/Workspace/Users/a@b.c/proj/d.csv", "file:/code/proj/d.csv", id="workspace"),
        pytest.param("file:/Workspace/x", "file:/code/all/x", id="workspace with the file scheme"),
        pytest.param("/tmp/x", "/tmp/x", id="local"),
        pytest.param("s3://b/x", "s3://b/x", id="another file system"),
    ],
)
def test_paths_for_spark(path: str, spark: str) -> None:
    assert to_spark(path, PLACES) == spark


@pytest.mark.parametrize(
    "path", ["/Volumes/c/s/v", "/dbfs/tmp", "/Workspace/Users/a@b.c/proj/m.py", "/FileStore/x", "/elsewhere"]
)
def test_names_come_back(path: str) -> None:
    assert to_user(to_local(path, PLACES), PLACES) == path


@pytest.mark.parametrize("script", ["path_files_script.py", "path_tables_script.py"])
def test_python_file_functions(script: str, tmp_path: Path) -> None:
    """The functions are replaced for a whole process, so each script has one of its own."""
    command = [sys.executable, str(Path(__file__).with_name(script)), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert "every check passed" in done.stdout, done.stderr
