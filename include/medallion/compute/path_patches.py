"""Makes Python's file functions understand mapped prefixes such as /Volumes. Runs in the task process.

Functions of `os` and `open` are replaced by ones that translate their path arguments; all of pathlib, shutil, glob,
zipfile and pandas go through these. Libraries that open files in C++ or Rust are replaced at their Python entrances,
when they are imported. Only absolute paths below a mapped prefix change, and what comes back keeps the user's name.
"""

from __future__ import annotations

import builtins
import errno
import functools
import glob
import importlib.abc
import importlib.machinery
import io
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType, TracebackType
from typing import Any

from medallion.compute.paths import ROOTS, Table, left_root, mapped, named

# os functions by how many of their first arguments are paths; the second column has the arguments' names
OS_FUNCTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    *((name, ("path",)) for name in ("open", "stat", "lstat", "access", "chmod", "chown", "lchown", "mkdir", "rmdir")),
    *((name, ("path",)) for name in ("remove", "unlink", "utime", "truncate", "listdir", "statvfs", "pathconf")),
    *((name, ("path",)) for name in ("mkfifo", "mknod", "listxattr", "getxattr", "setxattr", "removexattr", "chflags")),
    *((name, ("src", "dst")) for name in ("rename", "replace", "link", "symlink")),
)
CAPABILITIES = ("supports_dir_fd", "supports_fd", "supports_follow_symlinks", "supports_effective_ids")
# Modules that took `open` into a name of their own when they were imported.
CAPTURED = (
    *(("tarfile", "bltn_open"), ("bz2", "_builtin_open"), ("tokenize", "_builtin_open")),
    ("IPython.core.interactiveshell", "io_open"),  # what `open` is in a notebook
)
# module → functions and classes whose path arguments are opened outside Python
ENTRANCES: dict[str, tuple[str, ...]] = {
    "pyarrow": ("memory_map", "input_stream", "output_stream"),
    "pyarrow.parquet": (
        *("read_table", "read_pandas", "read_metadata", "read_schema", "write_table", "write_metadata"),
        *("write_to_dataset", "ParquetFile", "ParquetWriter", "ParquetDataset"),
    ),
    "pyarrow.dataset": ("dataset", "parquet_dataset", "write_dataset"),
    "pyarrow.csv": ("read_csv", "open_csv", "write_csv"),
    "pyarrow.json": ("read_json", "open_json"),
    "pyarrow.feather": ("read_table", "read_feather", "write_feather"),
    "pyarrow.orc": ("read_table", "write_table"),
    "sqlite3": ("connect",),
    "deltalake": ("DeltaTable", "write_deltalake"),
    "duckdb": ("connect", "read_csv", "read_parquet", "read_json"),
}

_table: Table = ()
_starts: tuple[str, ...] = ()
_absent: frozenset[str] = frozenset()  # folders of the table that this machine does not have
_directory: str | None = None  # the working directory by the user's name, while it is a mapped one
_real_getcwd = os.getcwd
_real_scandir = os.scandir


def installed() -> Table:
    """The prefixes that this process maps."""
    return _table


def install(table: Table, *, absent: frozenset[str] = frozenset()) -> None:
    """Replace the functions once; later calls change the table.

    :param absent: folders of the table that this machine does not have: a path below them is refused with the reason.
    """
    global _table, _starts, _absent
    first = not _table
    _table, _starts, _absent = table, tuple({*ROOTS, *(prefix for prefix, _ in table)}), absent
    if not first:
        return
    unlink = os.unlink
    for name, arguments in OS_FUNCTIONS:
        if hasattr(os, name):
            replace_os(name, translating(getattr(os, name), arguments))
    replace_os("readlink", readlink(os.readlink))
    replace_os("scandir", scandir)
    replace_os("chdir", chdir(os.chdir))
    replace_os("getcwd", getcwd)
    opener = opening(io.open)
    opener.__module__, opener.__qualname__ = "io", "open"  # pickled by name: Spark's workers have their own
    builtins.open = io.open = opener
    for module, name in CAPTURED:
        if module in sys.modules:
            setattr(sys.modules[module], name, opener)
    # A notebook's `open` goes to Spark's workers with the functions that use it, and with what it wraps.
    if (guarded := getattr(sys.modules.get("IPython.core.interactiveshell"), "_modified_open", None)) is not None:
        guarded.__wrapped__ = opener
    replace_captured(opener, unlink)
    replace_popen()
    sys.path_hooks.insert(0, finder_of_mapped)
    # What was found for other folders stays: listing them again would cost a task's start, and each later import.
    for entry in [entry for entry in sys.path_importer_cache if entry.startswith(_starts)]:
        del sys.path_importer_cache[entry]
    for module in ENTRANCES:
        if module in sys.modules:
            replace_entrances(sys.modules[module])
    sys.meta_path.insert(0, ReplaceOnImport())


def local(path: Any) -> Any:
    """The local path of a mapped path; everything else as it came, descriptors too.

    :raises FileNotFoundError: its `..` lead out of /Volumes or the like, or this machine does not have the folder.
    """
    if isinstance(path, str):
        text = path
    elif isinstance(path, bytes):
        return path if (found := local(os.fsdecode(path))) == os.fsdecode(path) else os.fsencode(found)
    elif hasattr(path, "__fspath__"):
        text = os.fspath(path)
        if isinstance(text, bytes):
            return local(text)
    else:
        return path
    if not text.startswith(_starts):
        return path
    if (root := left_root(text)) is not None:
        raise FileNotFoundError(errno.ENOENT, f"the path leads out of {root}", text)
    found = mapped(text, _table)
    if found is not None and _absent:
        refuse_absent(text, found)
    return found or path


def refuse_absent(text: str, found: str) -> None:
    """:raises FileNotFoundError: the path is below a folder that only the driver's machine has."""
    folder = next((folder for folder in _absent if found == folder or found.startswith(folder + "/")), None)
    if folder is not None:
        told = (
            f"this executor's machine ({platform.node()}) does not have the folder {folder} that the path stands for; "
        )
        raise FileNotFoundError(
            errno.ENOENT, told + "share it with the workers of the cluster under the same path", text
        )


def replace_os(name: str, function: Callable[..., Any]) -> None:
    """Put a function into os, and into os's sets of what functions can do."""
    old = getattr(os, name)
    setattr(os, name, function)
    function.__module__ = "os"  # pickled by name: Spark's workers have their own
    for capability in CAPABILITIES:
        known = getattr(os, capability)
        if old in known:
            known.add(function)


def translating(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    """`function` with its first arguments translated. An error names the path that the user gave."""
    count = len(names)

    @functools.wraps(function)
    def translated(*args: Any, **kwargs: Any) -> Any:
        head = [local(path) for path in args[:count]]
        given = {name: kwargs[name] for name in names if name in kwargs}
        if all(new is old for new, old in zip(head, args, strict=False)) and not given:
            return function(*args, **kwargs)
        kwargs.update({name: local(path) for name, path in given.items()})
        try:
            return function(*head, *args[count:], **kwargs)
        except OSError as error:
            originals = [*args[:count], *given.values()]
            error.filename = originals[0]
            if len(originals) > 1 and error.filename2 is not None:
                error.filename2 = originals[1]
            raise

    return translated


def opening(function: Callable[..., Any]) -> Callable[..., Any]:
    """`open` with its path translated; the file's name stays the user's."""
    translated = translating(function, ("file",))

    @functools.wraps(function)
    def opened(file: Any, *args: Any, **kwargs: Any) -> Any:
        stream = translated(file, *args, **kwargs)
        if local(file) is not file:
            raw = getattr(stream, "buffer", stream)
            raw = getattr(raw, "raw", raw)
            raw.name = os.fspath(file)
        return stream

    return opened


def readlink(function: Callable[..., Any]) -> Callable[..., Any]:
    """`os.readlink`, whose answer keeps the user's name when it was asked by one."""

    @functools.wraps(function)
    def answer(path: Any, *args: Any, **kwargs: Any) -> Any:
        target = function(local(path), *args, **kwargs)
        return target if local(path) is path or not isinstance(target, str) else user_name(target)

    return answer


def user_name(path: str) -> str:
    """The mapped name of a local path, or the path itself."""
    return named(path, _table) or path


def chdir(function: Callable[..., Any]) -> Callable[..., Any]:
    """`os.chdir` that remembers by which name the directory was entered."""

    @functools.wraps(function)
    def answer(path: Any) -> None:
        global _directory
        translating(function, ("path",))(path)
        _directory = user_name(_real_getcwd()) if local(path) is not path or _directory is not None else None

    return answer


def getcwd() -> str:
    """`os.getcwd` with the user's name of the directory, when it was entered by one."""
    return _directory if _directory is not None else _real_getcwd()


class Entry:
    """An `os.DirEntry` under the user's name."""

    __slots__ = ("_entry", "path")

    def __init__(self, entry: os.DirEntry[Any], path: str) -> None:
        self._entry = entry
        self.path = path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def __fspath__(self) -> str:
        return self.path

    def __repr__(self) -> str:
        return repr(self._entry)


class Entries:
    """What `os.scandir` gives, for a mapped directory."""

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            self.entries = _real_scandir(local(path))
        except OSError as error:
            error.filename = path
            raise

    def __iter__(self) -> Iterator[Entry]:
        return self

    def __next__(self) -> Entry:
        entry = next(self.entries)
        return Entry(entry, os.path.join(self.path, entry.name))  # noqa: PTH118  pathlib itself comes through here

    def close(self) -> None:
        """Close the directory."""
        self.entries.close()

    def __enter__(self) -> Entries:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def scandir(path: Any = ".") -> Any:
    """`os.scandir` whose entries keep the user's name."""
    found = local(path)
    if found is path or isinstance(found, bytes):
        return _real_scandir(found)
    return Entries(os.fspath(path))


def replace_captured(opener: Callable[..., Any], unlink: Callable[..., Any]) -> None:
    """Replace what modules keep in places that are no plain module attribute."""
    for name in ("_StringGlobber", "_Globber"):  # Python 3.13 and later: pathlib's glob keeps os.scandir in a class
        globber = getattr(glob, name, None)
        if globber is not None and "scandir" in vars(globber):
            globber.scandir = staticmethod(scandir)
    closer = getattr(sys.modules.get("tempfile"), "_TemporaryFileCloser", None)
    for function in vars(closer).values() if closer is not None else ():  # keeps os.unlink as a default argument
        if getattr(function, "__defaults__", None):
            function.__defaults__ = tuple(os.unlink if value is unlink else value for value in function.__defaults__)
    sources = sys.modules.get("numpy.lib._datasource")  # numpy.loadtxt and genfromtxt
    openers = getattr(getattr(sources, "_file_openers", None), "_file_openers", None)
    if openers:
        openers[None] = opener


def replace_popen() -> None:
    """Let `cwd` of new processes be a mapped path."""
    start = subprocess.Popen.__init__

    @functools.wraps(start)
    def started(self: Any, *args: Any, **kwargs: Any) -> None:
        if kwargs.get("cwd") is not None:
            kwargs["cwd"] = local(kwargs["cwd"])
        start(self, *args, **kwargs)

    subprocess.Popen.__init__ = started  # type: ignore[method-assign]


def finder_of_mapped(path: str) -> importlib.machinery.FileFinder:
    """Import hook for entries of sys.path below a mapped prefix.

    :raises ImportError: the entry is not one of those; the next hook is asked.
    """
    try:
        found = local(path)
    except FileNotFoundError as error:
        raise ImportError(str(error)) from None
    if found == path:
        raise ImportError(path)
    machinery = importlib.machinery
    return machinery.FileFinder(
        found,
        (machinery.ExtensionFileLoader, machinery.EXTENSION_SUFFIXES),
        (machinery.SourceFileLoader, machinery.SOURCE_SUFFIXES),
        (machinery.SourcelessFileLoader, machinery.BYTECODE_SUFFIXES),
    )


class ReplaceOnImport(importlib.abc.MetaPathFinder):
    """Replaces a library's entrances when it is imported."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The usual spec of a known library, with a loader that replaces its entrances afterwards."""
        if fullname not in ENTRANCES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                run(module)
                replace_entrances(module)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def replace_entrances(module: ModuleType) -> None:
    """Replace functions, and constructors of classes, by ones that translate any path among their arguments."""
    for name in ENTRANCES[module.__name__]:
        target = getattr(module, name, None)
        if isinstance(target, type):
            target.__init__ = translating_all(target.__init__)  # type: ignore[misc]
        elif callable(target):
            setattr(module, name, translating_all(target))


def translating_all(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` with every argument translated that is a mapped path or a list of them."""

    def translate(value: Any) -> Any:
        return [local(item) for item in value] if isinstance(value, list) else local(value)

    @functools.wraps(function)
    def translated(*args: Any, **kwargs: Any) -> Any:
        return function(*map(translate, args), **{name: translate(value) for name, value in kwargs.items()})

    return translated
