"""dbutils.fs on volumes, dbfs and local files."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
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


def test_a_listing_leaves_out_what_is_removed_meanwhile(
    fs: FileSystem, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        fs.put(f"/Volumes/c/s/v/{name}", "")
    listed = Path.iterdir

    def then_removed(folder: Path) -> list[Path]:
        found = list(listed(folder))
        (folder / "a").unlink()
        return found

    monkeypatch.setattr(Path, "iterdir", then_removed)
    assert [entry.name for entry in fs.ls("/Volumes/c/s/v")] == ["b"]


@pytest.mark.parametrize(
    "ask",
    [lambda fs: fs.ls("/Volumes/c/s/v/x"), lambda fs: fs.head("/Volumes/c/s/v/x")],
    ids=["ls", "head"],
)
def test_a_file_that_is_removed_between_two_looks_is_missing(
    fs: FileSystem, monkeypatch: pytest.MonkeyPatch, ask: Callable[[FileSystem], object]
) -> None:
    fs.mkdirs("/Volumes/c/s/v")
    monkeypatch.setattr(Path, "exists", lambda _: True)
    with pytest.raises(FileSystemError, match=r"java\.io\.FileNotFoundException"):
        ask(fs)


def test_tasks_that_use_the_same_files_at_once_see_errors_of_dbutils_only(fs: FileSystem) -> None:
    wrong: set[str] = set()
    won: list[int] = []
    end = time.monotonic() + 1

    def again(ask: Callable[[], object]) -> None:
        while time.monotonic() < end:
            try:
                ask()
            except FileSystemError:
                pass
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                wrong.add(f"{type(error).__name__}: {error}")

    def claim(number: int) -> None:
        if fs.put("/Volumes/c/s/claims/one", str(number)):
            won.append(number)

    fs.mkdirs("/Volumes/c/s/claims")
    asks: list[Callable[[], object]] = [
        lambda: fs.put("/Volumes/c/s/v/x", "text", overwrite=True),
        lambda: fs.put("/Volumes/c/s/v/x", "text"),
        lambda: fs.mkdirs("/Volumes/c/s/v/sub"),
        lambda: fs.ls("/Volumes/c/s/v"),
        lambda: fs.head("/Volumes/c/s/v/x"),
        lambda: fs.rm("/Volumes/c/s/v/x"),
        lambda: fs.rm("/Volumes/c/s/v", recurse=True),
        lambda: fs.rm("/Volumes/c/s/v"),
        lambda: fs.put("/Volumes/c/s/v", "a file where others want a folder"),
        lambda: fs.cp("/Volumes/c/s/v", "/Volumes/c/s/copy", recurse=True),
        lambda: fs.mv("/Volumes/c/s/copy", "/Volumes/c/s/v", recurse=True),
        lambda: fs.rm("/Volumes/c/s/copy", recurse=True),
        *(partial(claim, number) for number in range(4)),
    ]
    threads = [threading.Thread(target=again, args=(ask,)) for ask in asks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == set()
    assert len(won) == 1


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        pytest.param(lambda fs: fs.put("/Volumes/c/s/v", "x", overwrite=True), "Is a directory", id="put on a folder"),
        pytest.param(lambda fs: fs.put("/Volumes/c/s/v/file/x", "x"), "lies within a file", id="put below a file"),
        pytest.param(
            lambda fs: fs.mkdirs("/Volumes/c/s/v/file/x"), "is a file|Not a directory", id="mkdirs below a file"
        ),
        pytest.param(
            lambda fs: fs.cp("/Volumes/c/s/v/file", "/Volumes/c/s/v/file/x"), "File exists", id="cp below a file"
        ),
        pytest.param(lambda fs: fs.ls("/Volumes/c/s/v/file/x"), "Not a directory|No such file", id="ls below a file"),
        pytest.param(lambda fs: fs.head("/Volumes/c/s/v/" + "x" * 300), "name too long|No such file", id="long name"),
    ],
)
def test_what_the_system_refuses_is_an_error_of_dbutils(
    fs: FileSystem, ask: Callable[[FileSystem], object], said: str
) -> None:
    fs.put("/Volumes/c/s/v/file", "text")
    with pytest.raises(FileSystemError, match=said):
        ask(fs)
    assert fs.head("/Volumes/c/s/v/file") == "text"


def test_a_tree_that_cannot_be_copied_says_which_file_and_why(fs: FileSystem, places: Places) -> None:
    fs.put("/Volumes/c/s/v/file", "text")
    broken = Path(places.volumes) / "c" / "s" / "v" / "link"
    broken.symlink_to("nowhere")
    with pytest.raises(FileSystemError, match=r"dbutils\.fs\.cp /Volumes/c/s/v to /Volumes/c/s/w: .*nowhere|link"):
        fs.cp("/Volumes/c/s/v", "/Volumes/c/s/w", recurse=True)
