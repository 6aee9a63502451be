"""Archives of loaded classes (class-data sharing), which make a driver start faster. Runs on the worker and in hosts.

A driver without an archive lists the classes that it loads. Once it has worked and nobody uses it, its host makes the
archive from that list, at the lowest priority. The next driver of the same Java and the same JARs uses it. A JVM
ignores an archive that does not fit, so the worst that a stale one does is nothing.

Source of the options: the `java` command's reference, "Application Class Data Sharing".
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.compute.fingerprint import digest
from medallion.compute.processes import draft_of

if TYPE_CHECKING:
    from medallion.compute.java import Java
    from medallion.settings import Settings

KEPT = 3  # archives in the cache, some 200 MB each
LEAST_CLASSES = 12_000  # a driver that ran one Delta statement has loaded more; a list from before is not worth it


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that exists or is to be made.

    :param file: where it is kept.
    :param java: the java program.
    :param class_path: as the driver has it; the archive fits no other.
    :param classes: list of classes that the driver writes.
    """

    file: str
    java: str
    class_path: str
    classes: str

    @classmethod
    def plan(cls, settings: Settings, java: Java, class_path: Sequence[Path], folder: Path) -> Archive:
        """The archive for a Java and JARs as they are on disk now."""
        parts = [str(java.home), java.version, [[str(path), *stamp(path)] for path in class_path]]
        file = settings.cache / "cds" / f"{digest(parts)[:16]}.jsa"
        return cls(str(file), str(java.program), os.pathsep.join(map(str, class_path)), str(folder / "classes.lst"))

    def options(self) -> list[str]:
        """JVM options that use the archive, or write the list when there is none yet."""
        if Path(self.file).is_file():
            return [f"-XX:SharedArchiveFile={self.file}"]
        return [f"-XX:DumpLoadedClassList={self.classes}"]

    def as_json(self) -> dict[str, str]:
        """The archive as launch.json holds it."""
        return asdict(self)


def stamp(path: Path) -> tuple[int, int]:
    """Size and modification time of a file; the JVM compares the same."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def wanted(raw: Mapping[str, Any]) -> Archive | None:
    """The archive of a launch.json when it is worth making now."""
    archive = Archive(**raw)
    classes = Path(archive.classes)
    if Path(archive.file).exists() or not classes.is_file():
        return None
    with classes.open("rb") as lines:
        return archive if sum(1 for _ in lines) >= LEAST_CLASSES else None


def start_making(archive: Archive) -> subprocess.Popen[bytes]:
    """Start the JVM that makes the archive under a name of its own; `finish` puts it in place."""
    listed = Path(archive.classes)
    whole = listed.with_name("classes.whole")
    text = listed.read_bytes()
    whole.write_bytes(text[: text.rfind(b"\n") + 1])  # the driver still writes; its last line may be cut
    Path(archive.file).parent.mkdir(parents=True, exist_ok=True)
    command = [archive.java, "-Xshare:dump", f"-XX:SharedClassListFile={whole}"]
    command += [f"-XX:SharedArchiveFile={draft(archive)}", "-Xlog:disable", "-cp", archive.class_path]
    return subprocess.Popen(
        ["nice", "-n", "19", *command],  # noqa: S607  POSIX has it on every PATH
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def draft(archive: Archive) -> Path:
    """Where this process lets the archive be made."""
    return draft_of(Path(archive.file))


def finish(archive: Archive, status: int) -> bool:
    """Put a made archive in place and drop the oldest others; whether it was made."""
    made = draft(archive)
    if status != 0 or not made.is_file():
        made.unlink(missing_ok=True)
        return False
    made.replace(archive.file)
    others = sorted(made.parent.glob("*.jsa"), key=lambda path: path.stat().st_mtime)
    for old in others[:-KEPT]:
        old.unlink(missing_ok=True)
    return True
