"""dbutils.fs on volumes, dbfs and local files."""

from __future__ import annotations

from pathlib import Path

import pytest

from medallion.errors import UnsupportedError
from medallion.runtime.dbutils.errors import FileSystemError
from medallion.runtime.dbutils.fs import FileSystem
from medallion.runtime.protocol import Places


@pytest.fixture
def fs(places: Places) -> FileSystem:
    return FileSystem(places)


def test_written_files_are_listed_with_scheme_size_and_time(fs: FileSystem, places: Places) -> None:
    assert fs.put("/Volumes/c/s/v/a.txt", "hällo")
    assert fs.mkdirs("/Volumes/c/s/v/sub/deep")
    listed = fs.ls("/Volumes/c/s/v")
    assert [(entry.path, entry.name, entry.size) for entry in listed] == [
        ("dbfs:/Volumes/c/s/v/a.txt", "a.txt", 6),
        ("dbfs:/Volumes/c/s/v/sub/", "sub/", 0),
    ]
    assert [entry.isDir() for entry in listed] == [False, True]
    assert listed[0].isFile()
    assert abs(listed[0].modificationTime / 1000 - (Path(places.volumes) / "c/s/v/a.txt").stat().st_mtime) < 1
    assert fs.ls("dbfs:/Volumes/c/s/v/a.txt")[0].name == "a.txt"


def test_a_listed_path_leads_back_to_the_file(fs: FileSystem, tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("here")
    fs.put("dbfs:/data/y.txt", "there")
    for folder in (f"file:{tmp_path}", str(tmp_path), "dbfs:/data"):
        for entry in fs.ls(folder):
            if entry.isFile():
                assert fs.head(entry.path) in {"here", "there"}


def test_head_reads_the_beginning(fs: FileSystem, capsys: pytest.CaptureFixture[str]) -> None:
    fs.put("dbfs:/f", "0123456789")
    assert fs.head("dbfs:/f", 4) == "0123"
    assert "Truncated to first 4 bytes" in capsys.readouterr().out
    assert fs.head("dbfs:/f", maxBytes=20) == "0123456789"


def test_put_keeps_a_file_unless_told(fs: FileSystem) -> None:
    fs.put("dbfs:/f", "one")
    with pytest.raises(FileSystemError, match="overwrite=True"):
        fs.put("dbfs:/f", "two")
    fs.put("dbfs:/f", "two", True)
    assert fs.head("dbfs:/f") == "two"


def test_copy_and_move_take_files_and_with_recurse_folders(fs: FileSystem) -> None:
    fs.put("dbfs:/a/f", "text")
    assert fs.cp("dbfs:/a/f", "dbfs:/b/")
    assert fs.head("dbfs:/b/f") == "text"
    with pytest.raises(FileSystemError, match="recurse=True"):
        fs.cp("dbfs:/a", "dbfs:/c")
    assert fs.cp("dbfs:/a", "dbfs:/c", True)
    assert fs.mv("dbfs:/c", "dbfs:/d", recurse=True)
    assert [entry.name for entry in fs.ls("dbfs:/d")] == ["f"]
    with pytest.raises(FileSystemError, match="FileNotFoundException"):
        fs.ls("dbfs:/c")


def test_a_folder_is_not_copied_into_itself(fs: FileSystem) -> None:
    fs.put("dbfs:/a/f", "text")
    with pytest.raises(FileSystemError, match="lies within"):
        fs.cp("dbfs:/a", "dbfs:/a/b", True)


def test_rm_removes_and_spares_what_is_not_empty(fs: FileSystem) -> None:
    fs.put("dbfs:/a/f", "text")
    assert fs.rm("dbfs:/nothing") is False
    with pytest.raises(FileSystemError, match="not empty"):
        fs.rm("dbfs:/a")
    assert fs.rm("dbfs:/a", True)
    assert fs.rm("dbfs:/a", True) is False


@pytest.mark.parametrize("root", ["/", "dbfs:/", "/Volumes", "dbfs:/Volumes/", "file:/", "file:///"])
def test_roots_are_not_removed(fs: FileSystem, places: Places, root: str) -> None:
    Path(places.dbfs).mkdir()
    with pytest.raises(FileSystemError, match="is a root"):
        fs.rm(root, True)


def test_what_cannot_be_is_refused_with_the_reason(fs: FileSystem) -> None:
    assert fs.mounts() == []
    with pytest.raises(UnsupportedError, match=r"dbutils.fs.mount does not work here; there are no mounts"):
        fs.mount("s3a://bucket", "/mnt/x")
    with pytest.raises(UnsupportedError, match="no local folder for s3"):
        fs.ls("s3://bucket/x")
    with pytest.raises(AttributeError, match="did you mean mkdirs"):
        fs.mkdir("x")
