"""Gives a task's process its own SparkSession in a shared driver. Runs in the task process.

`attach` makes a gateway for this process in the driver's JVM and a new session in it. Threads that the gateway starts
in the JVM inherit the job tag and the active session, so jobs from any Python thread of the task carry its tag.
User code must not end what it shares with others: stop(), cancelAllJobs() and the like are answered here.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from medallion.compute import gateway as gateways
from medallion.compute import path_patches
from medallion.compute.application import end_in_words
from medallion.compute.connection import RETRY_HINT, Connection
from medallion.compute.folder import DriverFolder, write_private
from medallion.compute.processes import started_at
from medallion.compute.soundness import STOPPED
from medallion.errors import DriverLostError, MedallionError

if TYPE_CHECKING:
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

USER_METADATA = "spark.databricks.delta.commitInfo.userMetadata"
SESSION_CATALOGS = "medallion.catalog.SessionCatalogs"
PATHS = "MEDALLION_PATHS"
WORKER_SITE = str(Path(__file__).parents[1] / "runtime" / "worker_site")
"""Folder of the module that Python workers import when they start; it reads the variable."""
EXECUTOR_VARIABLES = "spark.executorEnv."
PY4J_SERVER = "org.apache.spark.api.python.Py4JServer"

_attached: Connection | None = None


def attach(
    connection_file: Path,
    *,
    tag: str,
    spark_conf: Mapping[str, str] | None = None,
    user_metadata: str | None = None,
) -> SparkSession:
    """A session of this process's own in the driver behind `connection_file`. Once per process.

    :param tag: Spark job tag of everything that this process starts.
    :param spark_conf: settings of the session.
    :param user_metadata: text kept in every Delta commit of the session.
    :raises DriverLostError: the driver is gone.
    """
    global _attached
    if not tag or "," in tag:
        raise MedallionError(f"a job tag must have text and no comma, not {tag!r}")
    connection = Connection.load(connection_file)
    settings = {gateways.TAG_SETTING: tag, **(spark_conf or {})}
    if user_metadata is not None:
        settings[USER_METADATA] = user_metadata
    port, secret = open_own_gateway(connection, tag, settings)
    context = make_context(port, secret)
    session = make_session(context)
    _attached = connection
    guard(session, tag, settings)
    return session


def open_own_gateway(connection: Connection, tag: str, settings: Mapping[str, str]) -> tuple[int, str]:
    """Make a session and a gateway for this process in the driver; port and secret of the gateway."""
    try:
        with gateways.open_gateway(connection.port, connection.secret) as gateway:
            session = gateways.root_session(gateway).newSession()
            conf = session.conf()
            for name, value in settings.items():
                conf.set(name, value)
            # From its first look-up on, the session knows every folder of the lake as a catalog.
            gateways.java_class(gateway, SESSION_CATALOGS).install(session)
            # This thread of the JVM hands these down to every thread of the new gateway.
            context = session.sparkContext()
            context.addJobTag(tag)
            context.setLocalProperty("spark.scheduler.pool", tag)
            gateways.java_class(gateway, gateways.SESSION_CLASS).setActiveSession(session)
            server = gateways.java_class(gateway, PY4J_SERVER)(context.conf())
            server.start()
            port, secret = int(server.getListeningPort()), str(server.secret())
            register(connection, tag, gateways.forget_object(server))
            return port, secret
    except DriverLostError:
        raise
    except Exception as error:
        connection.require_alive()
        if connection.is_stopped():
            raise DriverLostError(f"the Spark driver {connection.driver} is gone: {STOPPED}", hint=RETRY_HINT) from None
        raise MedallionError(f"could not attach to the Spark driver {connection.driver}: {error}") from error


def register(connection: Connection, tag: str, gateway: str) -> None:
    """Tell the driver's host of this process, so that it cleans up when the process has ended."""
    pid = os.getpid()
    session = {"pid": pid, "started": started_at(pid), "tag": tag, "gateway": gateway}
    folder = DriverFolder(connection.file.parent)
    with contextlib.suppress(FileNotFoundError):  # the driver is just ending; the next statement will say so
        write_private(folder.sessions / f"{pid}.json", json.dumps(session))


def make_context(port: int, secret: str) -> SparkContext:
    """pyspark's SparkContext over the driver's one."""
    os.environ.update(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
    os.environ.update(PYSPARK_GATEWAY_PORT=str(port), PYSPARK_GATEWAY_SECRET=secret)
    from pyspark import SparkConf, SparkContext
    from pyspark.java_gateway import launch_gateway
    from pyspark.logger import PySparkLogger

    class DriverConf(SparkConf):
        """The driver's settings. A SparkContext that is made goes through all for executors' variables: that takes three
        calls to the JVM for each."""

        def getAll(self) -> list[tuple[str, str]]:  # noqa: N802
            found = java_conf.getAllWithPrefix(EXECUTOR_VARIABLES)
            return [(EXECUTOR_VARIABLES + item._1(), item._2()) for item in found]

    gateways.quiet_py4j()
    gateway = launch_gateway()  # type: ignore[no-untyped-call]
    for name in ("PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"):  # programs that user code starts shall not see it
        os.environ.pop(name)
    shared = gateways.active_context(gateway)
    if shared is None:  # `getOrCreate` would make another, which nobody looks after
        raise DriverLostError(f"the Spark driver is gone: {STOPPED}", hint=RETRY_HINT)
    java_context = gateways.java_class(gateway, "org.apache.spark.api.java.JavaSparkContext")(shared)
    java_conf = java_context.getConf()
    handler = signal.getsignal(signal.SIGINT)
    context = SparkContext(conf=DriverConf(_jconf=java_conf), gateway=gateway, jsc=java_context)
    with contextlib.suppress(ValueError):  # not the main thread: pyspark set no handler
        signal.signal(signal.SIGINT, handler)  # pyspark's would cancel the jobs of every task of the driver
    # pyspark logs each failed query with its Java stack as JSON; the exception says the same.
    PySparkLogger.getLogger("SQLQueryContextLogger").setLevel(logging.CRITICAL)
    context.environment = WorkerEnvironment(context.environment)
    context.pythonExec = java_conf.get("spark.pyspark.python", sys.executable)
    return context


def make_session(context: SparkContext) -> SparkSession:
    """pyspark's SparkSession over the session that `open_own_gateway` made."""
    from pyspark.sql import SparkSession

    java: Any = gateways.java_class(context._gateway, gateways.SESSION_CLASS).getActiveSession().get()
    # With an instantiated session pyspark leaves the JVM's default session alone; that one belongs to all tasks.
    SparkSession._instantiatedSession = SimpleNamespace(_sc=context)  # type: ignore[assignment]
    session = SparkSession(context, java)
    SparkSession._instantiatedSession = SparkSession._activeSession = session
    return session


class WorkerEnvironment(dict[str, str]):
    """Variables of Python workers, with this process's sys.path as PYTHONPATH at the time a function is sent, so that a
    UDF can import what the notebook can, and with the prefixes that it maps, so that it can open what the notebook can."""

    def items(self) -> Any:  # noqa: D102
        return self.current().items()

    def keys(self) -> Any:  # noqa: D102
        return self.current().keys()

    def __getitem__(self, name: str) -> str:
        return self.current()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.current())

    def __len__(self) -> int:
        return len(self.current())

    def current(self) -> dict[str, str]:
        """The variables now."""
        own = dict(dict.items(self))
        folders = [path for path in sys.path if path and not path.endswith(".zip")]
        if table := path_patches.installed():
            own[PATHS] = json.dumps(table)
            folders.insert(0, WORKER_SITE)
        own["PYTHONPATH"] = os.pathsep.join(folders)
        return own


def guard(session: SparkSession, tag: str, settings: Mapping[str, str]) -> None:
    """Replace the methods that would hurt other tasks of the driver.

    They are replaced on the classes: user code may reach them by any instance.
    """
    from pyspark import SparkContext
    from pyspark.sql import SparkSession

    def ignored(name: str) -> Callable[..., None]:
        def answer(*_: object, **__: object) -> None:
            print(f"note: {name} does nothing here, the Spark driver is shared with other tasks")  # noqa: T201

        answer.__name__ = name.partition(".")[2].removesuffix("()")
        return answer

    make_new = SparkSession.newSession

    def new_session(self: SparkSession) -> SparkSession:
        """A session beside this one, with the task's settings."""
        made = make_new(self)
        for key, value in settings.items():
            made.conf.set(key, value)
        return made

    def cancel_all(self: SparkContext) -> None:
        """Cancel every job of this task."""
        self.cancelJobsWithTag(tag)

    clear_tags = SparkContext.clearJobTags

    def clear_job_tags(self: SparkContext) -> None:
        """Clear the tags that user code has set."""
        clear_tags(self)
        self.addJobTag(tag)

    replaced: list[tuple[type, str, Any]] = [
        (SparkSession, "stop", ignored("spark.stop()")),
        (SparkContext, "stop", ignored("sc.stop()")),
        (SparkSession, "newSession", new_session),
        (SparkContext, "cancelAllJobs", cancel_all),
        (SparkContext, "clearJobTags", clear_job_tags),
    ]
    for owner, name, answer in replaced:
        setattr(owner, name, answer)


def is_driver_lost(exception: BaseException) -> bool:
    """Whether an exception of user code means that the driver is gone. Answers for the process that attached."""
    if isinstance(exception, DriverLostError):
        return True
    if _attached is None or not any(is_network(error) for error in chain(exception)):
        return False
    return not _attached.alive() or is_stopped()


def is_stopped() -> bool:
    """Whether the driver lives and its SparkContext does not: the cluster's master ended its application."""
    from pyspark import SparkContext

    try:
        return bool(SparkContext._active_spark_context._jsc.sc().isStopped())  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001  no context, or no driver to ask: others judge that
        return False


def why_lost() -> str | None:
    """Why the driver is gone, as far as it is known. Answers for the process that attached."""
    if _attached is None:
        return None
    folder = DriverFolder(_attached.file.parent)
    reason = folder.why_ended() or end_in_words(folder.logs[1])
    return f"the Spark driver {_attached.driver} is gone: {reason}" if reason else None


def is_network(error: BaseException) -> bool:
    """Whether an error is Py4J's or the network's."""
    return isinstance(error, OSError | EOFError) or type(error).__module__.startswith(("py4j", "pyspark"))


def chain(exception: BaseException) -> Iterator[BaseException]:
    """The exception and those behind it."""
    seen: set[int] = set()
    error: BaseException | None = exception
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
