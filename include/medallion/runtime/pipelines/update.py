"""One update of a declarative pipeline, by Spark's own engine in the task's driver. Runs in the task process."""

from __future__ import annotations

import re
import sys
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.compute.gateway import PIPELINE_RETRIES
from medallion.compute.session import attach
from medallion.core.sql_names import quoted
from medallion.errors import MedallionError
from medallion.runtime.failures import describe, user_line
from medallion.runtime.pipelines import change_tables, events, keeping
from medallion.runtime.pipelines.definitions import offer
from medallion.runtime.pipelines.events import Event, Update
from medallion.runtime.pipelines.expectations import VIOLATION
from medallion.runtime.pipelines.file_reading import FileReading
from medallion.runtime.pipelines.loading import define
from medallion.runtime.pipelines.registry import Book, Recorder
from medallion.runtime.pipelines.sources import sources
from medallion.runtime.pipelines.spec import Pipeline, Request
from medallion.runtime.protocol import Failure, TaskResult
from medallion.runtime.spark.streams import UNKNOWN_FIELDS
from medallion.spec.problems import did_you_mean

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from medallion.compute.connect import Link
    from medallion.runtime.task import Task
    from medallion.settings import Settings

TABLES = frozenset({"STREAMING_TABLE", "MATERIALIZED_VIEW"})
QUIET_STATES = frozenset({"QUEUED", "PLANNING", "STARTING", "IDLE"})
CAUSES = "spark.sql.connect.serverStacktrace.enabled"
"""Brings the causes of an error, among them the row that broke an expectation; they are not shown."""
KINDS = {VIOLATION: "ExpectationViolation", change_tables.VIOLATION: "AutoCdcViolation"}
VIOLATED = re.compile(rf"({'|'.join(KINDS)}): (?:(?!, to_json\()[^\n])*?: \{{[^\n]*")
"""With the row as JSON: an error of another kind may show the query's plan, which has the words alone."""
BROKEN = re.compile(rf"(?:{'|'.join(KINDS)}): a (?:row|change) of (\S+) ")
MOST_RUNS = 10
"""Runs of the graph in one update; each but the first had new columns."""


def run_pipeline(task: Task) -> TaskResult:
    """Run an update; its event log and record are written however it ends."""
    link: Link = task.link
    options = task.context.options
    pipeline = Pipeline.of(options["pipeline_id"], options["pipeline"])
    update = Update(pipeline, Request.of(options["request"]), str(uuid.uuid4()), time.time())
    pipeline = update.pipeline = replace(
        pipeline, configuration={**pipeline.configuration, **update.request.parameters}
    )
    book = Book(pipeline, update.id)
    folder = Path(task.context.output)
    update.write(folder)
    begun = Event(
        update.start, "create_update", f"Update {update.id[:6]} started.", {"create_update": {"cause": "JOB_TASK"}}
    )
    update.events.append(begun)
    failure: Failure | None = None
    try:
        link.observe(update.id)
        carry_out(task, link, update, book)
    except BaseException as error:  # noqa: BLE001  user code may raise anything
        failure = failure_of(error, task.settings, link, update)
        name_broken(update, failure)
    update.end = time.time()
    update.state = "FAILED" if failure else "COMPLETED"
    close(task, link, update, book, failure)
    update.write(folder)
    if failure is not None:
        task.output.drain()
        task.output.log(failure.trace)
        return TaskResult(success=False, failure=failure)
    return TaskResult(success=True)


def carry_out(task: Task, link: Link, update: Update, book: Book) -> None:
    """Define the graph and run it. New columns of Auto Loader: unless in development, once more with them."""
    spark, pipeline, lake = link.spark, update.pipeline, Path(task.context.places.lake)
    configure(spark, pipeline)
    spark.sql(f"CREATE CATALOG IF NOT EXISTS {quoted(pipeline.catalog)}")
    spark.sql(f"CREATE SCHEMA IF NOT EXISTS {quoted(pipeline.catalog, pipeline.schema)}")
    reading = FileReading(spark, lambda: classic_session(task, pipeline), storage(task, pipeline) / "auto_loader")
    offer(spark, book)
    reading.offer()
    if update.request.full_refresh or update.request.full_refresh_selection:
        everything = update.request.full_refresh
        reading.start_over(None if everything else [*map(book.full, update.request.full_refresh_selection)])
    before: dict[str, int] | None = None
    loaded = frozenset(sys.modules)
    for runs_left in reversed(range(MOST_RUNS)):
        graph = define_graph(task, spark, update, book, reading)
        before = keeping.versions(book, lake) if before is None else before
        try:
            run_graph(task, spark, graph, update, book)
            return
        except BaseException as error:
            for name in keeping.put_back(update, before, lake):
                task.output.log(f"{name}: not updated, it keeps what it had\n")
            grown = reading.grow(update.told(error)) if isinstance(error, Exception) else []
            if grown:
                again = "the next update has them" if pipeline.development else "the flows start again with them"
                task.output.log(f"Auto Loader: new columns {', '.join(grown)}; {again}\n")
            if not grown or pipeline.development or not runs_left:
                raise
        finally:
            change_tables.mark_done(update, book)
        update.run_from = len(update.events)
        forget_modules(loaded, Path(task.context.root))


def define_graph(task: Task, spark: Any, update: Update, book: Book, reading: FileReading) -> str:
    """Run the pipeline's code; the id of the graph that it defines."""
    from pyspark.pipelines.spark_connect_graph_element_registry import SparkConnectGraphElementRegistry
    from pyspark.pipelines.spark_connect_pipeline import create_dataflow_graph

    pipeline, root = update.pipeline, Path(task.context.root)
    graph = create_dataflow_graph(
        spark,
        default_catalog=pipeline.catalog,
        default_database=pipeline.schema,
        sql_conf=pipeline.configuration,
    )
    book.changes.clear()
    recorder = Recorder(SparkConnectGraphElementRegistry(spark, graph), spark, graph, book, reading)
    reading.begin(recorder.register_view)
    given = {**task.injected, "sql": spark.sql, "table": spark.table}
    define(sources(pipeline.libraries, task.context.places, root), recorder, book, spark, given)
    change_tables.register(task.link, recorder, book, update.request, storage(task, pipeline) / "once")
    recorder.flush()
    task.output.log(f"Pipeline {pipeline.name}: {len(book.kinds)} datasets in {pipeline.catalog}.{pipeline.schema}\n")
    return graph


def storage(task: Task, pipeline: Pipeline) -> Path:
    """Where the state of the pipeline's streams is."""
    return task.settings.home / "pipelines" / pipeline.id


def classic_session(task: Task, pipeline: Pipeline) -> SparkSession:
    """A session beside the Connect one, in the same driver and with the same settings."""
    options = task.context.options
    return attach(
        Path(str(task.context.driver)),
        tag=task.context.tag,
        spark_conf={**(options.get("spark_conf") or {}), **pipeline.configuration},
        user_metadata=options.get("user_metadata"),
    )


def forget_modules(known: frozenset[str], root: Path) -> None:
    """Let the pipeline's own modules be imported again: they may define datasets."""
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name not in known and file is not None and Path(file).is_relative_to(root):
            del sys.modules[name]


def configure(spark: Any, pipeline: Pipeline) -> None:
    """The pipeline's configuration as the session's, where `spark.conf.get` finds it.

    :raises MedallionError: a setting cannot be changed in a running driver; named.
    """
    retries = "0" if pipeline.development else "2"
    for key, value in {CAUSES: "true", PIPELINE_RETRIES: retries, **pipeline.configuration}.items():
        try:
            spark.conf.set(key, value)
        except Exception as error:  # noqa: BLE001  Spark refuses in several ways
            raise MedallionError(
                f"configuration {key!r} of pipeline {pipeline.name!r} cannot be set: {str(error).splitlines()[0]}",
                hint="a setting of the driver belongs into spark_conf of a target",
            ) from None


def run_graph(task: Task, spark: Any, graph: str, update: Update, book: Book) -> None:
    """Start the engine and listen until it ends.

    :raises Exception: the engine says that the update failed.
    """
    from pyspark.pipelines.spark_connect_pipeline import start_run

    told = start_run(spark, graph, **asked(update, book), dry=False, storage=storage(task, update.pipeline).as_uri())
    for result in told:
        if "pipeline_event_result" not in result:
            continue
        event = result["pipeline_event_result"].event
        noted = update.note(event.timestamp.ToDatetime().timestamp(), event.message, book)
        status = (noted.details.get("flow_progress") or {}).get("status")
        if status not in QUIET_STATES and noted.level != "ERROR":
            task.output.log(f"{event.message}\n")


def asked(update: Update, book: Book) -> dict[str, Any]:
    """Which datasets a run updates. A later run of the same update leaves out what is done."""
    request = update.request
    full, refresh = selection(book, request.full_refresh_selection), selection(book, request.refresh)
    everything = request.full_refresh
    if update.run_from:
        if not full and not refresh:
            every = [name for name, kind in book.kinds.items() if kind in TABLES]
            full, refresh = (every, []) if everything else ([], every)
        done, everything = update.completed(), False
        full, refresh = ([name for name in names if name not in done] for names in (full, refresh))
    return {
        "full_refresh": book.with_backing(full),
        "full_refresh_all": everything,
        "refresh": book.with_backing(refresh),
    }


def selection(book: Book, names: tuple[str, ...]) -> list[str]:
    """Datasets of a selection by their full names.

    :raises MedallionError: the pipeline has no such dataset.
    """
    for name in names:
        if book.full(name) not in book.kinds:
            near = did_you_mean(book.full(name), sorted(book.kinds))
            raise MedallionError(
                f"the pipeline has no dataset {name!r}", hint=near or f"it has {', '.join(sorted(book.kinds))}"
            )
    return [book.full(name) for name in names]


def close(task: Task, link: Link, update: Update, book: Book, failure: Failure | None) -> None:
    """Count, show and keep what the update did. What fails here is said, and hides no failure of the update."""
    try:
        observed = link.observed(update.id)
        counted = events.quality(book, observed)
        hidden = {name for kept in book.backing.values() for name in kept}
        rows = {name: count for name, count in rows_written(task, update.start).items() if name not in hidden}
        update.events += events.closing_events(update, counted, rows, events.changes(book, observed))
        error = failure.message if failure else None
        done = {"update_progress": {"state": update.state}}
        level = "ERROR" if failure else "INFO"
        message = f"Update {update.id[:6]} is {update.state}."
        update.events.append(Event(update.end or update.start, "update_progress", message, done, level, error=error))
        shown = events.table_rows(book, counted, rows)
        if shown:
            task.display.table(list(shown[0]), [list(row.values()) for row in shown])
        events.append(update, Path(task.context.places.lake), str(task.context.options.get("user_metadata") or ""))
    except Exception as error:  # noqa: BLE001  the update's own end counts
        task.output.log(f"note: the event log of this update is not whole: {type(error).__name__}: {error}\n")


def rows_written(task: Task, since: float) -> dict[str, int]:
    """Rows that this attempt's commits wrote, by table."""
    from medallion.runs.writes import commits_of_run

    ids = task.context.ids
    rows: dict[str, int] = {}
    for commit in commits_of_run(Path(task.context.places.lake), ids.run_id, since - 1):
        if commit.task_run_id == ids.task_run_id:
            rows[commit.table] = rows.get(commit.table, 0) + commit.rows
    return rows


def failure_of(error: BaseException, settings: Settings, link: Link, update: Update) -> Failure:
    """Why the update failed: in one line a broken expectation or a change that cannot be, else the traceback."""
    line = getattr(error, "medallion_line", None) or user_line(error.__traceback__, "")
    failure = describe(error, settings, cell=None, line=line, is_lost=lambda _: not link.connection.alive())
    told = update.told(error)
    if found := VIOLATED.search(told):
        return replace(failure, kind=KINDS[found[1]], message=found[0], trace=f"{found[0]}\n")
    if found := UNKNOWN_FIELDS.search(told):
        return replace(failure, kind="UnknownFieldException", message=found[0], trace=f"{found[0]}\n")
    trace = f"{type(error).__name__}: {error}\n" if isinstance(error, MedallionError) else failure.trace
    stated = f"At line {line} of the SQL source:\n" if hasattr(error, "medallion_line") else ""
    return replace(failure, trace=stated + trace)


def name_broken(update: Update, failure: Failure) -> None:
    """Note the flow of a broken expectation as failed. The error may come before the event, and then there is none."""
    found = BROKEN.match(failure.message)
    if found is None or any(event.level == "ERROR" and event.flow == found[1] for event in update.events):
        return
    details = {"name": found[1], "flow_progress": {"status": "FAILED"}}
    message = f"Flow {found[1]} has FAILED."
    update.events.append(
        Event(time.time(), "flow_progress", message, details, "ERROR", found[1], found[1], failure.message)
    )
