"""A Spark Connect session in a shared driver, for what Spark offers there only: declarative pipelines.

Runs in the task process. The driver's JVM gets a Connect server when the first task asks for one: on loopback, on a free
port, with a token that only holders of the driver's own secret can read. The session's id comes from the task's tag, so
whoever cancels the task finds it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medallion.compute import gateway as gateways
from medallion.compute.connection import Connection
from medallion.compute.folder import DriverFolder, write_private
from medallion.compute.processes import started_at
from medallion.compute.session import SESSION_CATALOGS, USER_METADATA
from medallion.errors import DriverLostError, MedallionError, TargetError

MEASURES = "medallion.tasks.Measures"
TABLE_IDENTIFIER = "org.apache.spark.sql.catalyst.TableIdentifier"
PORT = "spark.connect.grpc.binding.port"
ADDRESS = "spark.connect.grpc.binding.address"


@dataclass(frozen=True, slots=True)
class Link:
    """A Connect session and the way into its driver.

    :param spark: the session, pyspark's Connect one.
    """

    connection: Connection
    spark: Any

    def observe(self, update: str) -> None:
        """Keep, from now on, what queries observe under names that begin with `medallion/<update>/`."""
        with self._measures() as (measures, context):
            measures.start(context, update)

    def observed(self, update: str) -> dict[str, tuple[int, ...]]:
        """What was observed, by the rest of its name; the driver forgets it."""
        with self._measures() as (measures, context):
            text = measures.read(context, update)
            measures.forget(context, update)
        rows = (line.split("\t") for line in text.splitlines())
        return {name: tuple(map(int, counts)) for name, *counts in rows}

    def graph_columns(self, graph: str, table: str) -> dict[str, Any] | None:
        """The columns that a table of a dataflow graph will have, as Spark's JSON of a schema.

        Connect tells them only when the graph runs. None when the graph's queries do not hold together: a run says why.

        :param table: its name in three parts.
        """
        catalog, schema, name = table.split(".")
        with gateways.open_gateway(self.connection.port, self.connection.secret) as gateway:
            option = gateways.java_class(gateway, "scala.Option").apply
            identifier = gateways.java_class(gateway, TABLE_IDENTIFIER)(name, option(schema), option(catalog))
            sessions = gateways.java_class(gateway, gateways.SESSION_CLASS)
            holder = gateways.connect_holder(gateway, self.spark.session_id)
            sessions.setActiveSession(holder.session())
            try:
                context = holder.dataflowGraphRegistry().getDataflowGraphOrThrow(graph)
                found = context.toDataflowGraph().resolve().inferredSchema().get(identifier)
                return dict(json.loads(found.get().json())) if found.isDefined() else None
            except Exception:  # noqa: BLE001  Py4J's, for whatever a query of the graph lacks
                return None
            finally:
                sessions.clearActiveSession()

    @contextlib.contextmanager
    def _measures(self) -> Iterator[tuple[Any, Any]]:
        with gateways.open_gateway(self.connection.port, self.connection.secret) as gateway:
            yield gateways.java_class(gateway, MEASURES), gateways.root_session(gateway).sparkContext()


def connect(
    connection_file: Path,
    *,
    tag: str,
    spark_conf: Mapping[str, str] | None = None,
    user_metadata: str | None = None,
) -> Link:
    """A Connect session of this process's own in the driver behind `connection_file`. Once per process.

    :param tag: the task's tag; the session ends with whatever cancels it.
    :param spark_conf: settings of the session.
    :param user_metadata: text kept in every Delta commit of the session.
    :raises DriverLostError: the driver is gone.
    :raises TargetError: a package of Spark Connect's client is missing.
    """
    connection = Connection.load(connection_file)
    settings = {gateways.TAG_SETTING: tag, **(spark_conf or {})}
    if user_metadata is not None:
        settings[USER_METADATA] = user_metadata
    try:
        port, token = open_session(connection, tag, settings)
    except DriverLostError:
        raise
    except Exception as error:
        connection.require_alive()
        raise MedallionError(f"could not connect to the Spark driver {connection.driver}: {error}") from error
    register(connection, tag)
    return Link(connection, client(port, token, tag))


def open_session(connection: Connection, tag: str, settings: Mapping[str, str]) -> tuple[int, str]:
    """Start the server where there is none yet, and make the task's session; port and token."""
    with gateways.open_gateway(connection.port, connection.secret) as gateway:
        context = gateways.root_session(gateway).sparkContext()
        conf = context.conf()
        for name, value in ((gateways.CONNECT_TOKEN, secrets.token_hex(24)), (ADDRESS, "127.0.0.1"), (PORT, "0")):
            conf.setIfMissing(name, value)  # atomic: two tasks may be the first
        gateways.java_class(gateway, gateways.TASK_JOBS).watch(context)
        service = gateways.connect_service(gateway)
        service.start(context)  # synchronised, and nothing the second time
        session = service.getOrCreateIsolatedSession(gateways.CONNECT_USER, gateways.connect_session_id(tag)).session()
        gateways.java_class(gateway, SESSION_CATALOGS).install(session)
        for name, value in settings.items():
            session.conf().set(name, value)
        return int(service.localPort()), str(conf.get(gateways.CONNECT_TOKEN))


def register(connection: Connection, tag: str) -> None:
    """Tell the driver's host of this process, so that it ends the session when the process has ended."""
    pid = os.getpid()
    session = {"pid": pid, "started": started_at(pid), "tag": tag, "gateway": ""}
    with contextlib.suppress(FileNotFoundError):
        write_private(DriverFolder(connection.file.parent).sessions / f"{pid}.json", json.dumps(session))


def client(port: int, token: str, tag: str) -> Any:
    """pyspark's session. From now on its functions make Connect's columns in this process."""
    os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.update(PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)
    try:
        from pyspark.sql.connect.session import SparkSession
    except ImportError as error:
        raise TargetError(
            f"Spark Connect's client is not complete: {error}", hint="install medallion-airflow again"
        ) from None
    # By the name localhost gRPC takes a local channel, which needs no certificate.
    address = f"sc://localhost:{port}/;user_id={gateways.CONNECT_USER};token={token}"
    return SparkSession.builder.remote(f"{address};session_id={gateways.connect_session_id(tag)}").getOrCreate()
