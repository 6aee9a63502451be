"""Names of files below a folder or an object-store URL, cheaply when nothing changed. Runs in the triggerer."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from medallion.errors import UnsupportedError

if TYPE_CHECKING:
    from medallion.settings import Settings

MARGIN_NS = 2_000_000_000
"""A folder's time of change proves nothing while it is this young: a second change in the same tick leaves it as it is.
Two seconds is the coarsest clock of a file system (FAT)."""

TRUSTED = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "overlay", "tmpfs", "apfs", "hfs", "ufs"})
"""File systems on which a new name changes its folder's time of change at once."""

PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "s3n": "s3fs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs", "gs": "gcsfs"}
"""URL schemes and the package with fsspec's driver."""


class Listing(Protocol):
    """Where new files are looked for."""

    remote: bool

    def names(self) -> Iterator[str]:
        """Names below the place, `/` between folders. May leave out those of folders that did not change."""
        ...

    def all_names(self) -> set[str] | None:
        """Every name, as of the last look; None when the place itself was not there."""
        ...


@dataclass
class Folder:
    """One folder as it was listed."""

    changed: int
    settled: bool
    files: list[str]
    folders: list[str]


@dataclass
class LocalListing:
    """A folder of this machine and all below it. Links to folders are not followed.

    :param trusted: whether a folder that was not touched has no new names.
    """

    root: str
    trusted: bool
    remote: bool = False
    known: dict[str, Folder] = field(default_factory=dict)

    def names(self) -> Iterator[str]:
        """Names in the folders that were touched since the last look."""
        waiting, reached = [""], set()
        while waiting:
            below = waiting.pop()
            folder, fresh = self.look(below)
            if folder is None:
                continue
            reached.add(below)
            waiting += [f"{below}{name}/" for name in folder.folders]
            if fresh:
                yield from (below + name for name in folder.files)
        for below in self.known.keys() - reached:
            del self.known[below]

    def look(self, below: str) -> tuple[Folder | None, bool]:
        """One folder, and whether it was listed anew."""
        place = f"{self.root}/{below}"
        now = time.time_ns()
        try:
            changed = os.stat(place).st_mtime_ns  # noqa: PTH116  once for each folder and look
            folder = self.known.get(below)
            if folder is not None and self.trusted and folder.settled and folder.changed == changed:
                return folder, False
            files, folders = list_folder(place)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None, False
        folder = Folder(changed, now - changed > MARGIN_NS, files, folders)
        self.known[below] = folder
        return folder, True

    def all_names(self) -> set[str] | None:
        """Every name, as of the last look; None when the folder was not there."""
        if "" not in self.known:
            return None
        return {below + name for below, folder in self.known.items() for name in folder.files}


def list_folder(place: str) -> tuple[list[str], list[str]]:
    """Files and folders in a folder."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(place) as entries:
        for entry in entries:
            (folders if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
    return files, folders


@dataclass
class ObjectListing:
    """Objects below a URL that fsspec reads."""

    system: Any
    path: str
    remote: bool = True
    found: set[str] = field(default_factory=set)

    def names(self) -> Iterator[str]:
        """Every name; a place that is not there has none."""
        self.system.invalidate_cache()
        try:
            places = self.system.find(self.path)
        except FileNotFoundError:
            places = []
        start = len(self.path.rstrip("/")) + 1
        self.found = {place[start:] for place in places}
        yield from self.found

    def all_names(self) -> set[str] | None:
        """Every name, as of the last look. A store that does not answer raises before."""
        return self.found


def listing_of(url: str, settings: Settings) -> Listing:
    """What lists a URL of a file-arrival trigger: `/Volumes/…`, `dbfs:/…`, `file:/…`, or fsspec's.

    :raises UnsupportedError: fsspec has no driver for the scheme; says which package has it.
    """
    from medallion.compute.paths import split_scheme, to_local
    from medallion.runtime.protocol import Places

    scheme, _ = split_scheme(url)
    if scheme not in {"", "file", "dbfs"}:
        return object_listing(url, scheme)
    workspace = {prefix: str(folder) for prefix, folder in settings.workspace.items()}
    places = Places(str(settings.lake), str(settings.volumes), str(settings.dbfs), workspace)
    root = to_local(url, places).rstrip("/") or "/"
    return LocalListing(root, trusted=is_trusted(root))


def object_listing(url: str, scheme: str) -> ObjectListing:
    """A listing by fsspec."""
    import fsspec

    spoken = {"s3a": "s3", "s3n": "s3"}.get(scheme, scheme)
    rest = url.partition(":")[2]
    try:
        system, path = fsspec.core.url_to_fs(f"{spoken}:{rest}")
    except (ImportError, ValueError) as error:
        package = PACKAGES.get(scheme)
        hint = f"install the package {package} beside Medallion" if package else str(error)
        raise UnsupportedError(f"{url}: no driver for {scheme}: URLs", hint=hint) from None
    return ObjectListing(system, str(path))


def is_trusted(root: str) -> bool:
    """Whether the file system of a folder keeps its time of change. A network's or a virtual machine's need not."""
    import psutil

    best, kind = "", ""
    resolved = str(Path(root).resolve())
    for part in psutil.disk_partitions(all=True):
        mount = part.mountpoint.rstrip("/")
        if (resolved == mount or resolved.startswith(mount + "/")) and len(mount) >= len(best):
            best, kind = mount, part.fstype
    return kind.lower() in TRUSTED
