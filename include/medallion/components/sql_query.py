"""One SQL text on the default driver, by Py4J alone: no pyspark is imported, so a warm driver answers at once.

Runs in the user's shell. The statements have a session of their own, which ends with the command.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from medallion.errors import MedallionError

if TYPE_CHECKING:
    from medallion.settings import Settings

KEEP_NULLS = "to_json(struct(*), map('ignoreNullFields', 'false')) AS row"


class SqlError(MedallionError):
    """Spark refuses a statement. The message is Spark's own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the last statement gave.

    :param rows: values as JSON has them; decimals exact, dates, times and binaries as text.
    :param more: True when there are further rows.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool = False


def query(settings: Settings, text: str, *, limit: int, say: Callable[[str], None]) -> Answer:
    """Run the statements of a text; the last one's rows.

    :param limit: at most so many rows.
    :param say: told what a start of the driver waits for.
    :raises SqlError: Spark refuses a statement.
    :raises TargetError: no driver could be started.
    """
    from medallion.compute import gateway as gateways
    from medallion.compute.connection import Connection
    from medallion.compute.pool import DriverPool
    from medallion.compute.targets import driver_spec
    from medallion.runs.system_tables.store import make_system_tables
    from medallion.runtime.sql_text import split_statements

    statements = split_statements(text)
    if not statements:
        raise SqlError("there is no statement in the text")
    make_system_tables(settings)
    pool = DriverPool(settings)
    holder = f"sql-{os.getpid()}"
    connection = Connection.load(pool.acquire(driver_spec(settings), holder, pid=os.getpid(), progress=say))
    try:
        with gateways.open_gateway(connection.port, connection.secret) as gateway:
            session = gateways.root_session(gateway).newSession()
            frame = None
            for statement in statements:
                frame = in_words(lambda sql=statement.text: session.sql(sql), statement.text, session)
            answer: Answer = in_words(lambda: read(gateway, frame, limit))
            return answer
    finally:
        pool.release(holder)


def in_words(work: Callable[..., Any], text: str = "", session: Any = None) -> Any:
    """Do something in the JVM; an exception there becomes Spark's own words.

    :param text: the statement, for a hint on columns of system tables.
    """
    from py4j.protocol import Py4JError, Py4JJavaError

    from medallion.runtime.spark.column_hints import column_hint

    try:
        return work()
    except Py4JJavaError as error:
        thrown = error.java_exception
        words = str(thrown.getMessage() or thrown.toString())
        hint = column_hint(words, text, lambda name: list(session.table(name).columns()))
        # After the words come the plan and the JVM's stack.
        raise SqlError(re.split(r"\n\nJVM stacktrace:|;\n['+]", words)[0].strip(), hint=hint) from None
    except Py4JError as error:
        raise SqlError(f"the driver does not answer: {error}", hint="try again; a new driver is started") from None


def read(gateway: Any, frame: Any, limit: int) -> Answer:
    """The rows of a frame, each fetched as JSON text. Columns may share a name, so they are numbered on the way."""
    fields = list(frame.schema().fields())
    columns = tuple(str(field.name()) for field in fields)
    types = tuple(str(field.dataType().simpleString()) for field in fields)
    if not columns:
        return Answer((), (), ())
    names = gateway.new_array(gateway.jvm.String, len(columns))
    texts = gateway.new_array(gateway.jvm.String, 1)
    texts[0] = KEEP_NULLS
    for number in range(len(columns)):
        names[number] = f"c{number}"
    rows = frame.limit(limit + 1).toDF(names).selectExpr(texts).collectAsList()
    values = [row_of(str(row.getString(0)), len(columns)) for row in rows]
    return Answer(columns, types, tuple(values[:limit]), more=len(values) > limit)


def row_of(text: str, width: int) -> tuple[Any, ...]:
    """One row from its JSON."""
    raw = json.loads(text, parse_float=Decimal)
    return tuple(raw.get(f"c{number}") for number in range(width))
