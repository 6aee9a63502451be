"""A Python process with a session in a driver of ours, for tests of the catalogs. Functions go in, results come out.

The test process itself never attaches: pyspark allows one context per process, and other tests need theirs.
"""

from __future__ import annotations

import contextlib
import pickle
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from medallion.compute.driver import DriverSpec
from medallion.compute.pool import DriverPool
from medallion.settings import Settings

START_SECONDS = 240


class SparkFailure(Exception):
    """What Spark said; `kind` is the name of its Python class."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class SparkProcess:
    """One Python process with a session of its own in a driver."""

    def __init__(self, connection_file: Path, folder: Path) -> None:
        self.connection_file = connection_file
        command = [sys.executable, __file__, str(connection_file)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder)

    def call(self, work: Callable[[Any], Any]) -> Any:
        """What `work(spark)` gives, run in the process. Raises SparkFailure."""
        self.send(work)
        return self.receive()

    def send(self, work: Callable[[Any], Any]) -> None:
        """Begin a call and do not wait."""
        from pyspark import cloudpickle

        module = sys.modules.get(work.__module__)
        if module is not None:
            cloudpickle.register_pickle_by_value(module)
        assert self.process.stdin is not None
        write(self.process.stdin, cloudpickle.dumps(work))

    def receive(self) -> Any:
        """The result of the call begun last."""
        assert self.process.stdout is not None
        kind, value = pickle.loads(read(self.process.stdout))
        if kind:
            raise SparkFailure(kind, value)
        return value

    def sql(self, text: str, **args: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement, as tuples."""
        return self.call(lambda spark: [tuple(row) for row in spark.sql(text, args=args or None).collect()])

    def end(self) -> None:
        """End the process; its driver stays."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()  # type: ignore[union-attr]
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)


class Lake:
    """A lake with drivers and processes on it. Processes of the same `jvm` share a driver."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.load(folder, environ={})
        self.path = self.settings.lake
        self.volumes = self.settings.volumes
        self.pool = DriverPool(self.settings)
        self.processes: list[SparkProcess] = []

    def spark(self, jvm: str = "one", master: str = "local[2]") -> SparkProcess:
        """A new process with a session, in the driver of that name."""
        spec = DriverSpec(
            master=master,
            memory="1g",
            spark_conf={
                "spark.medallion.test": jvm,
                "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
                "spark.sql.shuffle.partitions": "1",
            },
        )
        process = SparkProcess(self.pool.acquire(spec, f"test-{jvm}"), self.folder)
        self.processes.append(process)
        return process

    def close(self) -> None:
        """End all processes and drivers."""
        for process in self.processes:
            process.end()
        self.pool.stop()


@contextlib.contextmanager
def open_lake(folder: Path) -> Iterator[Lake]:
    """A lake below a folder; everything that was started ends with it."""
    lake = Lake(folder)
    try:
        yield lake
    finally:
        lake.close()


def write(stream: IO[bytes], data: bytes) -> None:
    stream.write(struct.pack("!I", len(data)) + data)
    stream.flush()


def read(stream: IO[bytes]) -> bytes:
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError("the process with the session has ended")
    return stream.read(*struct.unpack("!I", head))


def serve(connection_file: Path) -> None:
    """In the process: attach, then do what is sent until the input closes."""
    from pyspark import cloudpickle

    from medallion.compute.session import attach

    answers = open(1, "wb", closefd=False)  # noqa: SIM115
    spark = attach(connection_file, tag=f"catalog-{id(connection_file)}")
    with contextlib.suppress(EOFError):
        while True:
            work = cloudpickle.loads(read(sys.stdin.buffer))
            try:
                answer = (None, work(spark))
            except Exception as error:  # noqa: BLE001 - the test looks at it
                answer = (type(error).__name__, str(error))
            write(answers, pickle.dumps(answer))


if __name__ == "__main__":
    out, sys.stdout = sys.stdout, sys.stderr  # what Spark and Delta print is no answer
    serve(Path(sys.argv[1]))
