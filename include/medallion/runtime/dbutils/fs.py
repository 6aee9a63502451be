"""`dbutils.fs`: files on /Volumes, dbfs:/ and file:/, and by Spark on other schemes. Runs in the task process.

Names, defaults and results as Databricks' dbutils; the text of a missing file's error holds Java's exception name,
because notebooks look for it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, cast

from medallion.compute.paths import plain, split_scheme, to_local
from medallion.runtime.dbutils.errors import FileSystemError
from medallion.runtime.dbutils.module import Module
from medallion.runtime.dbutils.remote import LOCAL, RemoteFiles
from medallion.runtime.protocol import Places

HEAD_BYTES = 65536
TRIES = 100
"""How often a step is done again whose ground another task has just changed."""

FILLED = frozenset({errno.ENOTEMPTY, errno.EEXIST})
"""What the system says of a folder that is not empty."""

MOUNTS = "there are no mounts; a folder of this machine is file:/…, shared files belong on /Volumes"
CACHES = "local files need no cache"


class FileInfo(NamedTuple):
    """One entry of a listing. `size` in bytes, `modificationTime` in milliseconds since 1970; folders end in `/`."""

    path: str
    name: str
    size: int
    modificationTime: int = 0  # noqa: N815  Databricks' name

    def isDir(self) -> bool:  # noqa: N802
        """Whether it is a folder."""
        return self.name.endswith("/")

    def isFile(self) -> bool:  # noqa: N802
        """Whether it is a file."""
        return not self.isDir()


class FileSystem(Module):
    """Files on /Volumes, dbfs:/ and file:/."""

    name = "fs"
    refused: ClassVar[dict[str, str]] = {
        **dict.fromkeys(("mount", "updateMount", "unmount"), MOUNTS),
        **dict.fromkeys(("cacheFiles", "cacheTable", "uncacheFiles", "uncacheTable"), CACHES),
    }

    def __init__(self, places: Places, spark: Any = None) -> None:
        self._places = places
        self._spark = spark

    def ls(self, path: str) -> list[FileInfo]:
        """List a folder, or one file."""
        if remote := self._remote(path):
            return [FileInfo(*found) for found in remote.ls(path)]
        here = self._local(path)
        shown = shown_path(path)
        try:
            found = sorted(here.iterdir(), key=lambda item: item.name)
        except NotADirectoryError:
            with missing_as_java(path):
                return [entry(here, shown, here.name)]
        except FileNotFoundError:
            raise missing(path) from None
        entries = []
        for item in found:
            with contextlib.suppress(FileNotFoundError):  # removed since the folder was listed
                entries.append(entry(item, f"{shown.rstrip('/')}/{item.name}", item.name))
        return entries

    def head(self, file: str, max_bytes: int = HEAD_BYTES, maxBytes: int | None = None) -> str:  # noqa: N803
        """The beginning of a file as text."""
        limit = max_bytes if maxBytes is None else maxBytes
        if remote := self._remote(file):
            return remote.head(file, limit).decode("utf-8", "replace")
        here = self._existing(file)
        if here.is_dir():
            raise FileSystemError(f"{file} is a folder, not a file")
        with missing_as_java(file), here.open("rb") as stream:
            data = stream.read(limit)
            whole = os.fstat(stream.fileno()).st_size
        if whole > limit:
            print(f"[Truncated to first {limit} bytes]")  # noqa: T201  as Databricks says it
        return data.decode("utf-8", "replace")

    def put(self, file: str, contents: str, overwrite: bool = False) -> bool:  # noqa: FBT001, FBT002
        """Write a text to a file, in UTF-8. A file that exists is kept unless `overwrite`."""
        data = contents.encode()
        if remote := self._remote(file):
            remote.put(file, data, overwrite=overwrite)
        else:
            here = self._local(file)
            try:
                with opened(here, "wb" if overwrite else "xb") as stream:  # of two tasks that make it, one does
                    stream.write(data)
            except FileExistsError:
                raise FileSystemError(f"{file} exists already", hint="pass overwrite=True") from None
        print(f"Wrote {len(data)} bytes.")  # noqa: T201  as Databricks says it
        return True

    def mkdirs(self, dir: str) -> bool:  # noqa: A002  Databricks' name
        """Make a folder and those above it."""
        if remote := self._remote(dir):
            return remote.mkdirs(dir)
        here = self._local(dir)
        try:
            make_folder(here)
        except FileExistsError:
            raise FileSystemError(f"{dir} is a file") from None
        return True

    def cp(self, source: str, dest: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002
        """Copy a file, or with `recurse` a folder."""
        if remote := self._remote(source, dest):
            return remote.transfer(*self._spelled(source, dest), recurse=recurse, move=False)
        here, there = self._transfer(source, dest, recurse=recurse)
        if here.is_dir():
            shutil.copytree(here, there, dirs_exist_ok=True)
        else:
            shutil.copyfile(here, there)
        return True

    def mv(self, source: str, dest: str, recurse: bool = False) -> bool:  # noqa: FBT001, FBT002
        """Move a file, or with `recurse` a folder."""
        if remote := self._remote(source, dest):
            return remote.transfer(*self._spelled(source, dest), recurse=recurse, move=True)
        here, there = self._transfer(source, dest, recurse=recurse)
        if here.is_dir() and there.exists():
            shutil.copytree(here, there, dirs_exist_ok=True)
            shutil.rmtree(here)
        else:
            shutil.move(here, there)
        return True

    def rm(self, dir: str, recurse: bool = False) -> bool:  # noqa: A002, FBT001, FBT002
        """Remove a file, or with `recurse` a folder and all in it. False when there is nothing to remove."""
        if remote := self._remote(dir):
            return remote.rm(dir, recurse=recurse)
        here = self._local(dir)
        if split_scheme(dir)[1].rstrip("/") in {"", "/Volumes"} or here == Path(here.anchor):
            raise FileSystemError(f"{dir} is a root; it is not removed")
        try:
            here.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return False
        except (IsADirectoryError, PermissionError):  # macOS has the second for a folder
            if not here.is_dir() and here.exists():
                raise
        else:
            return True
        try:
            remove_tree(here) if recurse else here.rmdir()
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno not in FILLED or recurse:
                raise
            raise FileSystemError(f"{dir} is a folder that is not empty", hint="pass recurse=True") from None
        return True

    def mounts(self) -> list[object]:
        """The mounts: none here."""
        return []

    def refreshMounts(self) -> bool:  # noqa: N802
        """Nothing to do."""
        return True

    def _remote(self, *paths: str) -> RemoteFiles | None:
        """The driver's file systems, when a path has a scheme that is no folder of this machine."""
        if self._spark is None or all(split_scheme(str(path))[0] in LOCAL for path in paths):
            return None
        return RemoteFiles(self._spark)

    def _spelled(self, *paths: str) -> list[str]:
        """The paths as the driver reads them: folders of this machine by their local path."""
        return [
            str(path) if split_scheme(str(path))[0] not in LOCAL else self._local(str(path)).as_uri() for path in paths
        ]

    def _local(self, path: str) -> Path:
        return Path(to_local(str(path), self._places)).absolute()

    def _existing(self, path: str) -> Path:
        here = self._local(path)
        if not here.exists():
            raise missing(path)
        return here

    def _transfer(self, source: str, dest: str, *, recurse: bool) -> tuple[Path, Path]:
        """Local source and target of a copy or move; a file goes into an existing folder."""
        here, there = self._existing(source), self._local(dest)
        if here.is_dir() and not recurse:
            raise FileSystemError(f"{source} is a folder", hint="pass recurse=True")
        if here.is_dir() and there.is_relative_to(here):
            raise FileSystemError(f"{dest} lies within {source}")
        if here.is_file() and (there.is_dir() or str(dest).endswith("/")):
            there = there / here.name
        make_folder(there.parent)
        return here, there


def missing(path: str) -> FileSystemError:
    """The error of a file that is not there."""
    return FileSystemError(f"java.io.FileNotFoundException: No such file or directory {path}")


@contextlib.contextmanager
def missing_as_java(path: str) -> Iterator[None]:
    """Raise `missing` for a file that another task removes at this moment."""
    try:
        yield
    except FileNotFoundError:
        raise missing(path) from None


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, though others remove some at this moment.

    :raises FileExistsError: there is a file of that name.
    """
    for tries in range(TRIES):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, FileNotFoundError):
            if folder.is_file() or tries == TRIES - 1:
                raise
        else:
            return


def opened(file: Path, mode: str) -> IO[bytes]:
    """A file for writing, in a folder that is made when it is not there."""
    for _ in range(TRIES):
        make_folder(file.parent)
        with contextlib.suppress(FileNotFoundError):  # the folder was removed again
            return cast("IO[bytes]", file.open(mode))
    raise missing(str(file.parent))


def remove_tree(folder: Path) -> None:
    """Remove a folder and all in it, though others remove some of it too, or add to it.

    :raises FileNotFoundError: there is no such folder.
    """

    def told(_call: object, place: str, error: tuple[type[BaseException], BaseException, object]) -> None:
        if not isinstance(error[1], FileNotFoundError) or place == str(folder):
            raise error[1]

    for tries in range(TRIES):
        try:
            shutil.rmtree(folder, onerror=told)
        except OSError as error:
            if error.errno not in FILLED or tries == TRIES - 1:
                raise
        else:
            return


def shown_path(path: str) -> str:
    """The path as a listing states it: with its scheme. What is neither DBFS nor a volume is a file of this machine."""
    scheme, rest = split_scheme(str(path))
    flat = plain(rest if rest.startswith("/") else os.path.abspath(rest))  # noqa: PTH100  text only
    if not scheme:
        scheme = "dbfs" if flat.split("/")[1] in {"Volumes", "FileStore", "databricks-datasets"} else "file"
    return f"{scheme}:{flat}"


def entry(file: Path, path: str, name: str) -> FileInfo:
    """The listing's entry of a file or folder."""
    state = file.stat()
    changed = state.st_mtime_ns // 1_000_000
    if stat.S_ISDIR(state.st_mode):
        return FileInfo(f"{path}/", f"{name}/", 0, changed)
    return FileInfo(path, name, state.st_size, changed)
