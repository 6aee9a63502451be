"""The schema location of Auto Loader: each schema that a stream had, the newest counts. Runs in the task process.

Files `_schemas/0`, `_schemas/1`, …, each a line with the format's version and a line of JSON. A new file is written
whole or not at all, so a stream that is killed at any time leaves a schema that can be read.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from medallion.runtime.spark.files import Folder

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.types import StructType

VERSION = "v1"
FIRST_START = "first_start"


class SchemaLocation:
    """The schemas of one stream.

    :param path: the folder of `cloudFiles.schemaLocation`.
    """

    def __init__(self, spark: SparkSession, path: str) -> None:
        self.path = path
        self._schemas = Folder(spark, f"{path.rstrip('/')}/_schemas")
        self._marks = Folder(spark, f"{path.rstrip('/')}/_medallion")

    def versions(self) -> list[int]:
        """Numbers of the schemas, in order."""
        return sorted(int(name) for name in self._schemas.names() if name.isdecimal())

    def read(self) -> StructType | None:
        """The newest schema; None when the stream has not had one."""
        from pyspark.sql.types import StructType

        versions = self.versions()
        if not versions:
            return None
        _, _, body = self._schemas.read(str(versions[-1])).partition("\n")
        return StructType.fromJson(json.loads(body)["dataSchema"])

    def write(self, schema: StructType) -> None:
        """Keep a schema as the newest. One that another stream writes at the same moment stays, and counts."""
        number = str(next(reversed(self.versions()), -1) + 1)
        self._schemas.write(number, f"{VERSION}\n{json.dumps({'dataSchema': schema.jsonValue()})}")

    def first_start(self) -> int:
        """When the stream was first started here, in milliseconds since 1970: now, if it was not."""
        if FIRST_START not in self._marks.names():
            self._marks.write(FIRST_START, str(time.time_ns() // 1_000_000))
        return int(self._marks.read(FIRST_START))
