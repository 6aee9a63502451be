"""Steps on local files and folders that other tasks may change at the same moment. Runs in the task process."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from medallion.runtime.dbutils.errors import FileSystemError

TRIES = 100
"""How often a step is done again whose ground another task has just changed."""

FILLED = frozenset({errno.ENOTEMPTY, errno.EEXIST})
"""What the system says of a folder that is not empty."""

CHANGED = FILLED | {errno.ENOTDIR, errno.EISDIR, errno.ELOOP, None}
"""What the system, or `shutil` (without a number), says of a path that became another kind of thing between two steps."""


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


class BecameAnother(Exception):  # noqa: N818 - it says what happened to a path, and nobody sees it
    """A path is a file now and was a folder a moment ago, or the other way about: look again."""


def removed(here: Path, path: str, *, recurse: bool) -> bool:
    """Remove a file or folder; whether there was one.

    :param path: as the notebook named it.
    :raises FileSystemError: a folder that is not empty, without `recurse`.
    :raises BecameAnother: another task put something else in its place meanwhile.
    """
    try:
        here.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except IsADirectoryError:
        pass
    except PermissionError:  # macOS says so of a folder, too
        if here.is_symlink() or here.is_file():
            raise
    else:
        return True
    try:
        remove_tree(here) if recurse else here.rmdir()
    except FileNotFoundError:
        return False
    except NotADirectoryError:
        raise BecameAnother from None
    except OSError as error:
        if error.errno not in FILLED or recurse:
            raise
        raise FileSystemError(f"{path} is a folder that is not empty", hint="pass recurse=True") from None
    return True


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
            if error.errno not in CHANGED or tries == TRIES - 1:
                raise
            if not folder.is_dir():  # a file by now, or a link: no folder to go into
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
        else:
            return
