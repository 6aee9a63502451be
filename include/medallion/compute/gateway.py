"""Calls into a driver's JVM by Py4J alone, without pyspark. Runs on the worker, in hosts and in task processes.

The driver's main gateway is for Medallion. Each task process gets a gateway of its own in the same JVM, because Py4J
keeps one address for calls back to Python (foreachBatch) and one table of objects per gateway: with a shared one, the
callbacks of two tasks would meet, and objects of ended tasks would stay in memory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

SESSION_CLASS = "org.apache.spark.sql.classic.SparkSession"
TAG_SETTING = "spark.medallion.tag"


@contextlib.contextmanager
def open_gateway(port: int, secret: str) -> Iterator[Any]:
    """A Py4J client of the gateway at `port` on loopback, closed at the end. The JVM goes on."""
    from py4j.java_gateway import GatewayParameters, JavaGateway

    # JavaGateway, not pyspark's ClientServer: it needs no thread of its own, and calls from one thread use one
    # connection, hence one thread of the JVM.
    gateway = JavaGateway(gateway_parameters=GatewayParameters(port=port, auth_token=secret, auto_convert=True))
    try:
        yield gateway
    finally:
        gateway.close(keep_callback_server=True)


def java_class(gateway: Any, name: str) -> Any:
    """A Java class by its full name."""
    part = gateway.jvm
    for word in name.split("."):
        part = getattr(part, word)
    return part


def root_session(gateway: Any) -> Any:
    """The driver's first session, made when there is none; no task uses it."""
    return java_class(gateway, SESSION_CLASS).builder().getOrCreate()


def cancel_tag(gateway: Any, tag: str) -> None:
    """Cancel every Spark job with the tag, then stop the streaming queries of sessions with it."""
    session = root_session(gateway)
    session.sparkContext().cancelJobsWithTag(tag)
    queries = session.sharedState().activeStreamingQueries().values().toArray()
    for query in queries:
        if query.sparkSession().conf().get(TAG_SETTING, "") == tag:
            query.stop()


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
