"""`dbutils.fs`: files on /Volumes, dbfs:/ and file:/, and by Spark on other schemes. Runs in the task process.

Names, defaults and results as Databricks' dbutils; the text of a missing file's error holds Java's exception name,
because notebooks look for it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

from medallion.compute.paths import plain, split_scheme, to_local
from medallion.runtime.dbutils.errors import FileSystemError
from medallion.runtime.dbutils.local_files import (
    TRIES,
    BecameAnother,
    make_folder,
    missing,
    missing_as_java,
    opened,
    removed,
)
from medallion.runtime.dbutils.module import Module
from medallion.runtime.dbutils.remote import LOCAL, RemoteFiles
from medallion.runtime.protocol import Places

HEAD_BYTES = 65536
Method = TypeVar("Method", bound=Callable[..., Any])

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


def one_kind_of_error(method: Method) -> Method:
    """A method of `dbutils.fs` that raises FileSystemError where the operating system refuses."""

    @functools.wraps(method)
    def called(self: FileSystem, *args: Any, **options: Any) -> Any:
        try:
            return method(self, *args, **options)
        except FileNotFoundError as error:
            raise missing(error.filename or shown_arguments(args)) from None
        except OSError as error:  # shutil.Error is one, of a whole tree
            said = error.strerror or "; ".join(dict.fromkeys(reasons(error)))
            raise FileSystemError(f"dbutils.fs.{method.__name__} {shown_arguments(args)}: {said}") from error

    return cast("Method", called)


def shown_arguments(args: tuple[object, ...]) -> str:
    """The paths of a call, for its error."""
    return " to ".join(str(item) for item in args[:2] if isinstance(item, str | Path))


def reasons(error: OSError) -> Iterator[str]:
    """What an error of `shutil` says: one reason for each file of a tree."""
    for item in error.args:
        if isinstance(item, list):
            yield from (str(entry[-1]) for entry in item)
        else:
            yield str(item)


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

    @one_kind_of_error
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

    @one_kind_of_error
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

    @one_kind_of_error
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
                if not here.parent.is_dir():
                    raise FileSystemError(f"{file} lies within a file") from None
                raise FileSystemError(f"{file} exists already", hint="pass overwrite=True") from None
        print(f"Wrote {len(data)} bytes.")  # noqa: T201  as Databricks says it
        return True

    @one_kind_of_error
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

    @one_kind_of_error
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

    @one_kind_of_error
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

    @one_kind_of_error
    def rm(self, dir: str, recurse: bool = False) -> bool:  # noqa: A002, FBT001, FBT002
        """Remove a file, or with `recurse` a folder and all in it. False when there is nothing to remove."""
        if remote := self._remote(dir):
            return remote.rm(dir, recurse=recurse)
        here = self._local(dir)
        if split_scheme(dir)[1].rstrip("/") in {"", "/Volumes"} or here == Path(here.anchor):
            raise FileSystemError(f"{dir} is a root; it is not removed")
        for _ in range(TRIES):
            with contextlib.suppress(BecameAnother):
                return removed(here, dir, recurse=recurse)
        raise FileSystemError(f"{dir} is changed by others all the time; it is not removed")

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
