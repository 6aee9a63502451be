"""Files as Spark sees them: listing, headers of CSV files, small texts. Runs in the task process; the driver does it.

Everything goes through the driver's Hadoop file systems, so each path that Spark reads is understood, and a path means
the same here as in the stream that reads it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LISTING = "medallion.files.Listing"
MISSING = "FileNotFoundException"


class FileReadError(MedallionError):
    """A folder or file that a reader was given is not there."""


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file: its path as Spark spells it, bytes, and the time of its last change in milliseconds since 1970."""

    path: str
    size: int
    modified: int


def java_class(spark: SparkSession, name: str) -> Any:
    """A class of the driver's JVM by its full name."""
    from medallion.compute.gateway import java_class as by_name

    return by_name(spark.sparkContext._gateway, name)


def list_files(spark: SparkSession, path: str, glob: str = "") -> list[FileEntry]:
    """The files below a path or pattern, the oldest first. Hidden ones are left out, as Spark does.

    :raises FileReadError: there is no such path.
    """
    from py4j.protocol import Py4JJavaError

    try:
        text = java_class(spark, LISTING).files(spark._jsparkSession, path, glob)
    except Py4JJavaError as error:
        if MISSING in str(error.java_exception):
            raise FileReadError(f"path {path!r} does not exist") from None
        raise
    return [FileEntry(name, int(size), int(time)) for time, size, name in map(split_line, text.splitlines())]


def split_line(line: str) -> tuple[str, str, str]:
    """Time, size and path of a line of the listing; a path may hold spaces."""
    time, size, path = line.split(" ", 2)
    return time, size, path


def csv_headers(spark: SparkSession, paths: Sequence[str], options: Mapping[str, str]) -> list[list[str]]:
    """Names of the columns of each CSV file, in its order."""
    found = java_class(spark, LISTING).headers(spark._jsparkSession, list(paths), dict(options))
    return [list(names) for names in found]


class Folder:
    """A folder of small text files on any file system of the driver.

    :param path: the folder; it is made when something is written.
    """

    def __init__(self, spark: SparkSession, path: str) -> None:
        jvm: Any = spark.sparkContext._jvm
        self._spark = spark
        self._path = jvm.org.apache.hadoop.fs.Path(path)
        self._system = self._path.getFileSystem(spark._jsparkSession.sessionState().newHadoopConf())

    def _file(self, name: str) -> Any:
        jvm: Any = self._spark.sparkContext._jvm
        return jvm.org.apache.hadoop.fs.Path(self._path, name)

    def names(self) -> list[str]:
        """Names of the files, in order; empty when the folder is not there."""
        from py4j.protocol import Py4JJavaError

        try:
            found = self._system.listStatus(self._path)
        except Py4JJavaError as error:
            if MISSING in str(error.java_exception.getClass().getName()):
                return []
            raise
        return sorted(status.getPath().getName() for status in found)

    def read(self, name: str) -> str:
        """A file's text."""
        jvm: Any = self._spark.sparkContext._jvm
        with closing(self._system.open(self._file(name))) as stream:
            return str(jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))

    def write(self, name: str, text: str) -> bool:
        """Write a new file whole. False when there is one of that name, which stays."""
        draft, target = self._file(f".{name}.{uuid4().hex}"), self._file(name)
        with closing(self._system.create(draft)) as stream:
            stream.write(bytearray(text.encode()))
        if self._moved(draft, target):
            return True
        self._system.delete(draft, False)  # noqa: FBT003  Java's method has no keywords
        return False

    def _moved(self, draft: Any, target: Any) -> bool:
        """Give a draft its name unless it is taken; on a local disk in one step, whoever else does the same."""
        from py4j.protocol import Py4JJavaError

        place = self._system.resolvePath(self._path)  # what /Volumes and dbfs: stand for
        if place.toUri().getScheme() != "file":
            return not self._system.exists(target) and bool(self._system.rename(draft, target))
        gateway: Any = self._spark.sparkContext._gateway
        hadoop = gateway.jvm.org.apache.hadoop.fs
        conf = self._spark._jsparkSession.sessionState().newHadoopConf()
        without_options = gateway.new_array(getattr(hadoop, "Options$Rename"), 0)
        try:
            hadoop.FileContext.getFileContext(place.toUri(), conf).rename(
                hadoop.Path(place, draft.getName()), hadoop.Path(place, target.getName()), without_options
            )
        except Py4JJavaError as error:
            if "FileAlreadyExistsException" in str(error.java_exception.getClass().getName()):
                return False
            raise
        return True


@contextlib.contextmanager
def closing(stream: Any) -> Iterator[Any]:
    """Close a Java stream at the end."""
    try:
        yield stream
    finally:
        stream.close()
