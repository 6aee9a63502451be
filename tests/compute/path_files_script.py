"""Checks of Python's file functions on mapped paths. Run by test_paths.py in a process of its own."""

from __future__ import annotations

import bz2
import glob
import gzip
import lzma
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from medallion.compute.paths import install
from medallion.runtime.protocol import Places

BASE = Path(sys.argv[1]).resolve()
ROOT = Path("/Volumes/c/s/v")


def check_open() -> None:
    with open("/Volumes/c/s/v/a.txt", "w") as file:
        file.write("hi")
    assert file.name == "/Volumes/c/s/v/a.txt"
    assert (BASE / "volumes/c/s/v/a.txt").read_text() == "hi"
    (ROOT / "b.txt").write_text("yo")
    assert (ROOT / "b.txt").read_bytes() == b"yo"
    assert os.path.getsize("/Volumes/c/s/v/a.txt") == 2


def check_names() -> None:
    assert sorted(os.listdir(ROOT)) == ["a.txt", "b.txt", "sub"]
    assert sorted(os.listdir(os.fsencode(ROOT))) == [b"a.txt", b"b.txt", b"sub"]
    assert sorted(ROOT.glob("*.txt")) == [ROOT / "a.txt", ROOT / "b.txt"]
    assert sorted(ROOT.rglob("*")) == [ROOT / "a.txt", ROOT / "b.txt", ROOT / "sub"]
    assert sorted(glob.glob("/Volumes/c/**/*.txt", recursive=True)) == [str(ROOT / "a.txt"), str(ROOT / "b.txt")]
    assert [top for top, _, _ in os.walk("/Volumes/c")] == ["/Volumes/c", "/Volumes/c/s", str(ROOT), str(ROOT / "sub")]
    with os.scandir(ROOT) as entries:
        assert {entry.path for entry in entries if entry.is_file()} == {str(ROOT / "a.txt"), str(ROOT / "b.txt")}
    assert (ROOT / "sub" / ".." / "a.txt").resolve() == ROOT / "a.txt"


def check_working_directory() -> None:
    before = os.getcwd()
    os.chdir(ROOT)
    assert os.getcwd() == str(ROOT) == str(Path.cwd())
    assert os.path.abspath("a.txt") == str(ROOT / "a.txt")
    os.chdir("sub")
    assert os.getcwd() == str(ROOT / "sub")
    os.chdir(before)
    assert os.getcwd() == before
    assert subprocess.run(["ls"], cwd=ROOT, capture_output=True, text=True).stdout.split() == ["a.txt", "b.txt", "sub"]


def check_copies() -> None:
    shutil.copy(ROOT / "a.txt", "/dbfs/x.txt")
    assert (BASE / "dbfs/x.txt").read_text() == "hi"
    shutil.copytree(ROOT, "/Volumes/c/s/w")
    shutil.move("/Volumes/c/s/w", "/Volumes/c/s/z")
    assert sorted(os.listdir("/Volumes/c/s")) == ["v", "z"]
    shutil.rmtree("/Volumes/c/s/z")
    assert not os.path.exists("/Volumes/c/s/z")
    with tempfile.NamedTemporaryFile(dir=ROOT) as file:
        assert file.name.startswith(str(ROOT))
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        assert os.path.isdir(folder)
    os.symlink(ROOT / "a.txt", ROOT / "link")
    assert os.readlink(ROOT / "link") == str(ROOT / "a.txt")
    assert (ROOT / "link").resolve() == ROOT / "a.txt"
    os.remove(ROOT / "link")


def check_archives() -> None:
    with zipfile.ZipFile(ROOT / "z.zip", "w") as packed:
        packed.write(ROOT / "a.txt", "a.txt")
    assert zipfile.ZipFile("/Volumes/c/s/v/z.zip").read("a.txt") == b"hi"
    with tarfile.open("/Volumes/c/s/v/z.tgz", "w:gz") as packed:
        packed.add("/Volumes/c/s/v/a.txt", "a.txt")
    assert tarfile.open("/Volumes/c/s/v/z.tgz").getnames() == ["a.txt"]
    for module in (gzip, bz2, lzma):
        with module.open("/Volumes/c/s/v/packed", "wt") as file:
            file.write("x")
        assert module.open("/Volumes/c/s/v/packed", "rt").read() == "x"
    sqlite3.connect("/Volumes/c/s/v/d.db").execute("CREATE TABLE t (a)").connection.close()
    assert (BASE / "volumes/c/s/v/d.db").exists()


def check_errors() -> None:
    try:
        open("/Volumes/none")
    except FileNotFoundError as error:
        assert error.filename == "/Volumes/none", error.filename
    try:
        os.rename("/Volumes/none", "/Volumes/other")
    except FileNotFoundError as error:
        assert (error.filename, error.filename2) == ("/Volumes/none", "/Volumes/other")


def check_ways_out() -> None:
    ways = (open, os.listdir, os.scandir, os.stat, os.chdir, os.remove, os.mkdir, sqlite3.connect, glob.glob)
    for path in ("/Volumes/../etc/passwd", "/Volumes/c/../../etc", "/dbfs/../etc", "/Workspace/Users/../../etc"):
        for way in ways:
            try:
                found = way(path)
            except FileNotFoundError as error:
                assert error.filename == path, error.filename
                assert "leads out of /" in str(error)
            else:
                assert (way, found) == (glob.glob, []), path
        assert not os.path.exists(path)
        assert not Path(path).exists()
    assert os.path.exists("/Volumes/c/../c/s")


def check_imports() -> None:
    Path("/Workspace/Users/a@b.c/proj/lab_module.py").write_text("X = 1")
    sys.path.append("/Workspace/Users/a@b.c/proj")
    import lab_module

    assert lab_module.X == 1


def check_the_rest_is_untouched() -> None:
    plain = BASE / "plain.txt"
    with open(plain, "w") as file:
        file.write("x")
    assert file.name == plain or file.name == str(plain)
    assert isinstance(next(os.scandir(BASE)), os.DirEntry)
    descriptor = os.open(plain, os.O_RDONLY)
    assert os.stat(descriptor).st_size == 1
    os.close(descriptor)


if __name__ == "__main__":
    for name in ("volumes", "dbfs", "ws"):
        (BASE / name).mkdir()
    folders = {name: str(BASE / name) for name in ("lake", "volumes", "dbfs")}
    install(Places(**folders, workspace={"/Workspace/Users/a@b.c/proj": str(BASE / "ws")}))
    os.makedirs("/Volumes/c/s/v/sub")
    for check in [value for name, value in list(globals().items()) if name.startswith("check_")]:
        check()
    print("every check passed")
