"""A look at wheels, source packages and other archives before a program unpacks them. Runs on the worker."""

from __future__ import annotations

import stat
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote, urlsplit

from medallion.spec.libraries import LibraryError

MOST_BYTES = 4 * 1024**3
"""The largest packages of machine learning unpack to about 2 GB."""
MOST_MEMBERS = 200_000
ZIP, TAR = (".whl", ".zip", ".egg"), (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass(frozen=True, slots=True)
class Member:
    """One member of an archive.

    :param link: where a link leads; empty for others.
    :param special: a device or a pipe.
    """

    name: str
    size: int
    link: str = ""
    special: bool = False


def check_archive(file: Path) -> None:
    """Refuse an archive that would write outside of its folder, or fill the disk. Other files are left alone.

    :raises LibraryError: says which member, or how large it is.
    """
    name = file.name.lower()
    if not file.is_file() or not name.endswith((*ZIP, *TAR)):
        return
    total = count = 0
    try:
        for member in zip_members(file) if name.endswith(ZIP) else tar_members(file):
            if reason := fault_of(member):
                raise LibraryError(f"{file}: its member {member.name!r} {reason}", hint="build the archive anew")
            total, count = total + member.size, count + 1
            if total > MOST_BYTES or count > MOST_MEMBERS:
                raise LibraryError(
                    f"{file} would unpack to more than {MOST_BYTES // 1024**3} GB or {MOST_MEMBERS:,} files",
                    hint="take out what a task does not need, and put data on a volume",
                )
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise LibraryError(f"{file} cannot be read as an archive: {error}", hint="build it anew") from None


def check_archives(stated: str) -> None:
    """Look at the local files of Spark's `spark.archives`: paths or addresses with commas, each with `#folder` behind it.

    :raises LibraryError: see `check_archive`.
    """
    for item in filter(None, stated.split(",")):
        address = urlsplit(item.strip())
        if address.scheme in {"", "file"}:
            check_archive(Path(unquote(address.path)))


def zip_members(file: Path) -> Iterator[Member]:
    """The members of a zip file. Their sizes are what its directory says; a file that says otherwise fails to unpack."""
    with zipfile.ZipFile(file) as archive:
        for item in archive.infolist():
            mode = item.external_attr >> 16
            link = ""
            if stat.S_ISLNK(mode):
                link = archive.read(item).decode("utf-8", "replace") if item.file_size < 4096 else "/"
            kind = stat.S_IFMT(mode)
            yield Member(
                item.orig_filename, item.file_size, link, kind not in {0, stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK}
            )


def tar_members(file: Path) -> Iterator[Member]:
    """The members of a tar file, as they come."""
    with tarfile.open(file, "r|*") as archive:
        for item in archive:
            link = item.linkname if item.issym() or item.islnk() else ""
            # A hard link counts from the archive's top, a symbolic one from its own folder.
            link = f"{'../' * (len(PurePosixPath(item.name).parts) - 1)}{link}" if item.islnk() else link
            yield Member(item.name, item.size, link, not (item.isreg() or item.isdir() or link))


def fault_of(member: Member) -> str:
    """Why a member must not be unpacked; empty when it may."""
    if "\0" in member.name:
        return "has a name that no file can have"
    if leads_out(member.name, 0):
        return "leads out of the archive's folder"
    if member.special:
        return "is a device or a pipe"
    if member.link and leads_out(member.link, len(PurePosixPath(member.name).parts) - 1):
        return f"is a link to {member.link!r}, out of the archive's folder"
    return ""


def leads_out(path: str, depth: int) -> bool:
    """Whether a path from a folder so deep below the top comes above the top, on its way or at its end."""
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive or PureWindowsPath(path).root:
        return True
    for part in path.replace("\\", "/").split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False
