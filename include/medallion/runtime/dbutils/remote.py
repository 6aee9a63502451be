"""`dbutils.fs` on schemes that are no folder of this machine: s3a:, abfss:, hdfs: and so on. Runs in the task process.

Spark's driver has the file systems; whether one of them works is a matter of its JARs and settings.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from medallion.runtime.dbutils.errors import FileSystemError

Result = TypeVar("Result")
LOCAL = {"", "file", "dbfs"}


def in_words(call: Callable[..., Result]) -> Callable[..., Result]:
    """The method, with Java's exceptions as errors of dbutils."""

    @wraps(call)
    def called(self: RemoteFiles, path: str, *rest: Any, **options: Any) -> Result:
        from py4j.protocol import Py4JJavaError

        try:
            return call(self, path, *rest, **options)
        except Py4JJavaError as error:
            first = str(error.java_exception.toString()).partition("\n")[0]
            if "No FileSystem for scheme" in first or "ClassNotFoundException" in first:
                hint = "add its JARs by spark.jars and its settings spark.hadoop.fs.… to the cluster's spark_conf"
                raise FileSystemError(f"Spark's driver cannot open {path}: {first}", hint=hint) from None
            raise FileSystemError(f"{path}: {first}") from None

    return called


class RemoteFiles:
    """Files by the driver's Hadoop file systems.

    :param spark: the task's session.
    """

    def __init__(self, spark: Any) -> None:
        self._spark = spark

    def _open(self, path: str) -> tuple[Any, Any]:
        """File system and path of a text."""
        place = self._spark.sparkContext._jvm.org.apache.hadoop.fs.Path(path)
        return place.getFileSystem(self._spark._jsparkSession.sessionState().newHadoopConf()), place

    @in_words
    def ls(self, path: str) -> list[tuple[str, str, int, int]]:
        """Path, name, bytes and time of each entry; folders end in `/`."""
        system, place = self._open(path)
        found = []
        for status in system.listStatus(place):
            tail = "/" if status.isDirectory() else ""
            name = status.getPath().getName() + tail
            size = 0 if tail else int(status.getLen())
            found.append((str(status.getPath()) + tail, name, size, int(status.getModificationTime())))
        return sorted(found)

    @in_words
    def head(self, path: str, most: int) -> bytes:
        """The first bytes of a file."""
        system, place = self._open(path)
        stream = system.open(place)
        try:
            return bytes(self._spark.sparkContext._jvm.org.apache.commons.io.IOUtils.toByteArray(stream)[:most])
        finally:
            stream.close()

    @in_words
    def put(self, path: str, data: bytes, *, overwrite: bool) -> None:
        """Write a file."""
        system, place = self._open(path)
        if not overwrite and system.exists(place):
            raise FileSystemError(f"{path} exists already", hint="pass overwrite=True")
        stream = system.create(place, overwrite)
        try:
            stream.write(bytearray(data))
        finally:
            stream.close()

    @in_words
    def mkdirs(self, path: str) -> bool:
        """Make a folder."""
        system, place = self._open(path)
        return bool(system.mkdirs(place))

    @in_words
    def rm(self, path: str, *, recurse: bool) -> bool:
        """Remove a file or folder; False when there is none."""
        system, place = self._open(path)
        return bool(system.exists(place) and system.delete(place, recurse))

    @in_words
    def transfer(self, source: str, dest: str, *, recurse: bool, move: bool) -> bool:
        """Copy or move a file, or with `recurse` a folder."""
        system, place = self._open(source)
        other, target = self._open(dest)
        if system.getFileStatus(place).isDirectory() and not recurse:
            raise FileSystemError(f"{source} is a folder", hint="pass recurse=True")
        jvm = self._spark.sparkContext._jvm
        conf = self._spark._jsparkSession.sessionState().newHadoopConf()
        return bool(jvm.org.apache.hadoop.fs.FileUtil.copy(system, place, other, target, move, True, conf))  # noqa: FBT003
