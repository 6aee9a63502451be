"""Calls into a driver's JVM by Py4J alone, without pyspark. Runs on the worker, in hosts and in task processes.

The driver's main gateway is for Medallion. Each task process gets a gateway of its own in the same JVM, because Py4J
keeps one address for calls back to Python (foreachBatch) and one table of objects per gateway: with a shared one, the
callbacks of two tasks would meet, and objects of ended tasks would stay in memory.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import uuid
from collections.abc import Iterator
from typing import Any

from medallion.errors import DriverLostError

SESSION_CLASS = "org.apache.spark.sql.classic.SparkSession"
CONTEXT_OBJECT = "org.apache.spark.SparkContext$"
TAG_SETTING = "spark.medallion.tag"
JAR_MAIN = "medallion.tasks.JarMain"
TASK_JOBS = "medallion.tasks.TaskJobs"
PIPELINE_RETRIES = "spark.sql.pipelines.maxFlowRetryAttempts"
CONNECT_SERVICE = "org.apache.spark.sql.connect.service.SparkConnectService$"
CONNECT_SESSION_KEY = "org.apache.spark.sql.connect.service.SessionKey"
CONNECT_TOKEN = "spark.connect.authenticate.token"  # noqa: S105  the setting's name
CONNECT_USER = "medallion"


LOOPBACK, LOOPBACK_ASIDE = "127.0.0.1", "127.1"
"""Two spellings of one address: Py4J keeps one table of objects for all clients of an address and port in a process."""
_one_at_a_time = {LOOPBACK: threading.Lock(), LOOPBACK_ASIDE: threading.Lock()}


@contextlib.contextmanager
def open_gateway(port: int, secret: str, *, seconds: float | None = None, aside: bool = False) -> Iterator[Any]:
    """A Py4J client of the gateway at `port` on loopback. At the end the JVM lets go of the objects it gave.

    One at a time in a process, since all would share one table of objects, and one more aside.

    :param seconds: how long each call may wait for its answer.
    :param aside: do not keep others waiting: for calls that may last.
    """
    from py4j.java_gateway import GatewayParameters, JavaGateway

    quiet_py4j()
    # JavaGateway, not pyspark's ClientServer: it needs no thread of its own, and calls from one thread use one
    # connection, hence one thread of the JVM.
    address = LOOPBACK_ASIDE if aside else LOOPBACK
    with _one_at_a_time[address]:
        parameters = GatewayParameters(
            address=address, port=port, auth_token=secret, auto_convert=True, read_timeout=seconds
        )
        gateway = JavaGateway(gateway_parameters=parameters)
        try:
            yield gateway
        finally:
            release_objects(gateway._gateway_client)
            gateway.close(keep_callback_server=True)


def release_objects(client: Any) -> None:
    """Tell the JVM to forget the objects that a client still names, while there is a connection to tell it by."""
    from py4j.finalizer import ThreadSafeFinalizer

    prefix = f"{client.address}{client.port}o"
    for key in [key for key in list(ThreadSafeFinalizer.finalizers) if key.startswith(prefix)]:
        ThreadSafeFinalizer.remove_finalizer(key)
        client.garbage_collect_object(key[len(prefix) - 1 :])


def quiet_py4j() -> None:
    """Keep Py4J from logging each failed call with a traceback: whoever calls gets the exception and says it better."""
    logging.getLogger("py4j").setLevel(logging.CRITICAL)
    root = logging.getLogger()
    if not any(isinstance(item, NotPy4J) for item in root.filters):
        root.addFilter(NotPy4J())


class NotPy4J(logging.Filter):
    """Drops what Py4J's module clientserver logs under the root logger."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is somebody else's."""
        return record.module != "clientserver"


def java_class(gateway: Any, name: str) -> Any:
    """A Java class by its full name.

    `gateway.jvm` would ask the JVM for each part of the name what it is.
    """
    from py4j.java_gateway import JavaClass

    return JavaClass(name, gateway._gateway_client)


def first_session(gateway: Any) -> Any:
    """The driver's first session, made with its SparkContext; no task uses it."""
    return java_class(gateway, SESSION_CLASS).builder().getOrCreate()


def root_session(gateway: Any) -> Any:
    """The driver's first session.

    :raises DriverLostError: its SparkContext was stopped. Spark would make another, which nobody looks after.
    """
    if active_context(gateway) is None:
        raise DriverLostError("the SparkContext of the driver has ended")
    return first_session(gateway)


def active_context(gateway: Any) -> Any:
    """The JVM's SparkContext; None when it was stopped. Asking for a session instead would make a new one."""
    found = getattr(java_class(gateway, CONTEXT_OBJECT), "MODULE$").getActive()
    return found.get() if found.isDefined() else None


def cancel_tag(gateway: Any, tag: str) -> None:
    """Cancel all that runs with the tag: Spark jobs, the main method of a JAR, streaming queries, Connect session.

    In this order: Spark holds a lock while a pipeline runs that closing its session waits for, so its flows end first.
    """
    session = root_session(gateway)
    connects = session.sparkContext().conf().contains(CONNECT_TOKEN)
    holder = connect_holder(gateway, connect_session_id(tag)) if connects else None
    if holder is not None:
        holder.session().conf().set(PIPELINE_RETRIES, "0")
    java_class(gateway, TASK_JOBS).end(tag, holder is not None)
    java_class(gateway, JAR_MAIN).cancel(tag)
    session.sparkContext().cancelJobsWithTag(tag)
    for query in list(session.sharedState().activeStreamingQueries().values()):
        if query.sparkSession().conf().get(TAG_SETTING, "") == tag:
            query.stop()
    if holder is not None:
        connect_service(gateway).sessionManager().closeSession(holder.key(), False)  # noqa: FBT003  Scala's signature


def connect_service(gateway: Any) -> Any:
    """The driver's Spark Connect service, started or not."""
    return getattr(java_class(gateway, CONNECT_SERVICE), "MODULE$")


def connect_holder(gateway: Any, session_id: str) -> Any:
    """What the driver holds of a task's Connect session; None when it has none."""
    key = java_class(gateway, CONNECT_SESSION_KEY)(CONNECT_USER, session_id)
    found = connect_service(gateway).sessionManager().getIsolatedSessionIfPresent(key)
    return found.get() if found.isDefined() else None


def connect_session_id(tag: str) -> str:
    """Id of the Connect session of the task with this tag."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, tag))


def forget_object(java_object: Any) -> str:
    """The JVM's name of an object, which the JVM then keeps although Python lets go of it."""
    from py4j.finalizer import ThreadSafeFinalizer

    name = str(java_object._target_id)
    client = java_object._gateway_client
    ThreadSafeFinalizer.remove_finalizer(f"{client.address}{client.port}{name}")
    return name


def object_by_name(gateway: Any, name: str) -> Any:
    """The object that `forget_object` named."""
    from py4j.java_gateway import JavaObject

    return JavaObject(name, gateway._gateway_client)
