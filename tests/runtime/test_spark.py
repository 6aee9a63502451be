"""Notebooks with Spark: SQL cells, parameters, frames, errors, cancels. One driver for the session."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from medallion.runs.health import excesses
from medallion.settings import Settings

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def driver(settings: Settings) -> Iterator[str]:
    from medallion.compute.driver import DriverSpec
    from medallion.compute.pool import DriverPool

    pool = DriverPool(settings)
    yield str(pool.acquire(DriverSpec(master="local[2]", memory="1g"), "runtime tests"))
    pool.stop()


@pytest.fixture
def spark_cells(run_cells: Callable[..., Any], driver: str, settings: Settings) -> Callable[..., Any]:
    """As `run_cells`, with a session in the shared driver."""
    from medallion.runtime.protocol import Places

    places = Places(str(settings.lake), str(settings.volumes), str(settings.dbfs))
    return partial(run_cells, driver=driver, tag=f"test-{uuid4().hex}", places=places)


def test_the_given_names_are_there(spark_cells: Callable[..., Any]) -> None:
    ran = spark_cells(
        "print(spark.range(3).count(), sc.parallelize([1, 2]).sum(), sql('SELECT 1 AS x').first().x)\n"
        "spark.range(2).createOrReplaceTempView('v')\nprint(table('v').count(), sqlContext.sql('SELECT 2').count())\n"
        "plus = udf(lambda x: x + 1, 'long')\nprint([r[0] for r in spark.range(2).select(plus('id')).collect()])\n"
        "from databricks.sdk.runtime import spark as other\nprint(other is spark)"
    )
    assert ran.result.success, ran.text
    assert ran.lines == ["3 3 1", "2 1", "[1, 2]", "True"]


def test_sql_cells_bind_and_replace_parameters_and_leave_their_frame(
    spark_cells: Callable[..., Any], as_magic: Callable[[str], str]
) -> None:
    ran = spark_cells(
        "dbutils.widgets.text('low', '1')",
        as_magic(
            "%sql\n-- three; statements\nCREATE OR REPLACE TEMP VIEW v AS SELECT id, ';' AS semi FROM range(5);\n"
            "SELECT 1;\nSELECT * FROM IDENTIFIER(:view) WHERE id > :low AND id < ${high} AND '$low' = '1';"
        ),
        "print(_sqldf.count(), _sqldf.columns)",
        as_magic("%sql CREATE OR REPLACE TEMP VIEW w AS SELECT 1"),
        parameters={"view": "v", "high": "4"},
    )
    assert ran.result.success, ran.text
    assert ran.lines == [
        "+----+------+",
        "| id | semi |",
        "+----+------+",
        "| 2  | ;    |",
        "| 3  | ;    |",
        "+----+------+",
        "2 ['id', 'semi']",
        "OK",
    ]
    assert "<td>3</td>" in ran.cells[1].outputs[0].data["text/html"]


def test_a_sql_notebook_runs_and_its_failure_has_statement_and_line(spark_cells: Callable[..., Any]) -> None:
    ran = spark_cells("SELECT 1 AS one", "SELECT 2;\n\nSELECT *\nFROM no.such.tabel", name="nb.sql")
    failure = ran.result.failure
    assert (failure.kind, failure.cell, failure.line) == ("AnalysisException", 2, 8)
    assert "TABLE_OR_VIEW_NOT_FOUND" in failure.message
    assert "Project" not in ran.text
    assert "\tat " not in ran.text
    assert "Cell 2 failed at line 8 of nb.sql:" in ran.lines
    assert len(ran.text) < 1500


@pytest.mark.parametrize(
    ("cell", "kind", "words"),
    [
        pytest.param("spark.table('nope')", "AnalysisException", "TABLE_OR_VIEW_NOT_FOUND", id="analysis"),
        pytest.param("spark.sql('SELEC 1')", "ParseException", "PARSE_SYNTAX_ERROR", id="parse"),
        pytest.param("spark.sql('SELECT 1/0').collect()", "ArithmeticException", "DIVIDE_BY_ZERO", id="while it runs"),
        pytest.param(
            "def bad(x):\n    raise ValueError('bad row')\nspark.range(1).select(udf(bad)('id')).collect()",
            "PythonException",
            "ValueError: bad row",
            id="in a udf",
        ),
        pytest.param("spark._jvm.java.util.ArrayList().get(5)", "Py4JJavaError", "IndexOutOfBounds", id="java"),
    ],
)
def test_sparks_errors_are_short_and_the_users(
    spark_cells: Callable[..., Any], cell: str, kind: str, words: str
) -> None:
    ran = spark_cells("pass", cell)
    failure = ran.result.failure
    assert (failure.kind, failure.cell, failure.transient) == (kind, 2, False)
    assert words in failure.message
    assert "\tat " not in ran.text
    assert "py4j/" not in ran.text
    assert "SQLQueryContextLogger" not in ran.text
    assert "line 6, in <module>" in failure.trace or "line 8, in <module>" in failure.trace


def test_frames_are_displayed(spark_cells: Callable[..., Any]) -> None:
    ran = spark_cells(
        "types = 'name string, n int, xs array<int>, m map<string,double>'\n"
        "df = spark.createDataFrame([('a', None, [1, 2], {'k': 1.5})], types)\n"
        "display(df)\ndf.display()",
        "display(spark.range(2000))",
        "dbutils.data.summarize(spark.range(3))",
        "display(spark.readStream.format('rate').load())",
    )
    assert ran.result.success, ran.text
    first, second = ran.cells[0].outputs
    assert first.data == second.data
    assert "<td>null</td><td>[1, 2]</td><td>{&quot;k&quot;: 1.5}</td>" in first.data["text/html"]
    assert "20 of 1,000 or more rows" in ran.lines


def test_sql_tasks_give_their_rows(
    run: Callable[..., Any], spark_cells: Callable[..., Any], driver: str, tmp_path: Path
) -> None:
    file = tmp_path / "q.sql"
    file.write_text(
        "CREATE OR REPLACE TEMP VIEW v AS SELECT 1;\n"
        "SELECT id, date'2026-01-31' AS d, 1.50 AS m, array(named_struct('a', 1)) AS s FROM range(3) WHERE id >= :low"
    )
    ran = run(file, kind="sql", parameters={"low": "1"}, driver=driver, tag=f"sql-{uuid4().hex}")
    assert ran.result.success, ran.text
    row = {"id": 1, "d": "2026-01-31", "m": 1.5, "s": [{"a": 1}]}
    assert ran.result.output == {"columns": ["id", "d", "m", "s"], "rows": [row, {**row, "id": 2}], "truncated": False}


def test_a_sql_tasks_rows_keep_to_their_limits(run: Callable[..., Any], driver: str, tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("SELECT id FROM range(5000)")
    many = run(file, kind="sql", driver=driver, tag=f"sql-{uuid4().hex}").result.output
    assert (len(many["rows"]), many["truncated"]) == (1000, True)
    file.write_text("SELECT repeat('x', 1000) AS x FROM range(200)")
    large = run(file, kind="sql", driver=driver, tag=f"sql-{uuid4().hex}").result.output
    assert (40 < len(large["rows"]) < 49, large["truncated"]) == (True, True)


def test_a_failing_sql_task_names_the_line(run: Callable[..., Any], driver: str, tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("SELECT 1;\n\nSELECT nope")
    ran = run(file, kind="sql", driver=driver, tag=f"sql-{uuid4().hex}")
    assert (ran.result.failure.kind, ran.result.failure.line) == ("AnalysisException", 3)


def test_scripts_have_spark(run: Callable[..., Any], driver: str, tmp_path: Path) -> None:
    file = tmp_path / "job.py"
    file.write_text(
        "from pyspark.sql import SparkSession\nmine = SparkSession.builder.appName('x').getOrCreate()\n"
        "print(mine.range(4).count(), spark.range(2).count())\nmine.stop()"
    )
    ran = run(file, kind="python", driver=driver, tag=f"py-{uuid4().hex}")
    assert ran.result.success, ran.text
    assert ran.lines[0] == "4 2"


def test_a_warehouse_runs_sql_only(spark_cells: Callable[..., Any], as_magic: Callable[[str], str]) -> None:
    ran = spark_cells(as_magic("%sql SELECT 1 AS x"), "print(1)", options={"sql_only": True})
    assert ran.result.failure.cell == 2
    assert "a SQL warehouse runs SQL only" in ran.result.failure.message


def test_a_time_out_cancels_the_spark_jobs(spark_cells: Callable[..., Any], driver: str) -> None:
    from medallion.compute import gateway
    from medallion.compute.connection import Connection

    cell = "import time\nspark.range(2).rdd.map(lambda x: time.sleep(100)).collect()"
    assert spark_cells(cell, timeout=6).result.failure.kind == "Timeout"
    connection = Connection.load(Path(driver))
    with gateway.open_gateway(connection.port, connection.secret) as jvm:
        tracker = gateway.root_session(jvm).sparkContext().statusTracker()
        limit = time.monotonic() + 20
        while len(tracker.getActiveJobIds()) and time.monotonic() < limit:
            time.sleep(0.1)
        assert len(tracker.getActiveJobIds()) == 0


def test_a_called_notebook_has_a_session_of_its_own(
    spark_cells: Callable[..., Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    write(
        tmp_path / "child.py", "print(spark.catalog.tableExists('mine'))\ndbutils.notebook.exit(spark.range(7).count())"
    )
    ran = spark_cells("spark.range(1).createOrReplaceTempView('mine')\nprint(dbutils.notebook.run('child', 60))")
    assert ran.lines == ["[child] False", "7"]


def test_a_lost_driver_is_a_failure_that_a_retry_mends(
    run_cells: Callable[..., Any], settings: Settings, tmp_path: Path
) -> None:
    from medallion.compute.connection import Connection
    from medallion.compute.driver import DriverSpec
    from medallion.compute.pool import DriverPool

    pool = DriverPool(settings)
    file = pool.acquire(DriverSpec(master="local[1]", memory="512m"), "to be killed")
    pid = Connection.load(file).pid
    ran = run_cells(
        f"import os, signal, time\nos.kill({pid}, signal.SIGKILL)\ntime.sleep(1)\nspark.range(1).count()",
        driver=str(file),
        tag=f"lost-{uuid4().hex}",
    )
    pool.release("to be killed")
    assert (ran.result.failure.kind, ran.result.failure.transient, ran.result.failure.cell) == ("DriverLost", True, 1)


STREAMS = """
import json, pathlib, time
folder = pathlib.Path(dbutils.widgets.get("folder"))
source, inbox = str(folder / "source"), folder / "in"
for number in range(4):
    spark.range(10).coalesce(1).write.format("delta").mode("append").save(source)
    inbox.mkdir(exist_ok=True)
    (inbox / f"{number}.json").write_text('{"a": 1}')
    time.sleep(0.02)

def start(frame, name):
    options = {"checkpointLocation": str(folder / f"cp_{name}")}
    return (frame.writeStream.format("delta").queryName(name).options(**options)
            .trigger(processingTime="1 hour").start(str(folder / f"out_{name}")))

table = spark.readStream.format("delta").option("maxFilesPerTrigger", 1).load(source)
files = spark.readStream.schema("a INT").option("maxFilesPerTrigger", 1).json(str(inbox))
queries = [start(table, "from_table"), start(files, "from_files")]
record = pathlib.Path(dbutils.widgets.get("record"))
for _ in range(1200):
    streams = json.loads(record.read_text())["streams"] if record.exists() else {}
    if sum(len(samples) >= 3 for samples in streams.values()) == 2:
        break
    time.sleep(0.1)
for query in queries:
    query.stop()
dbutils.notebook.exit(json.dumps(streams))
"""


def test_streams_of_a_table_and_a_folder_are_sampled_while_they_run(
    spark_cells: Callable[..., Any], tmp_path: Path
) -> None:
    parameters = {"folder": str(tmp_path / "work"), "record": str(tmp_path / "out" / "streams.json")}
    ran = spark_cells(STREAMS, options={"watch_streams": 0.2}, parameters=parameters)
    assert ran.result.success, ran.lines
    streams = json.loads(ran.result.exit_value)
    found = {name: samples[-1] for name, samples in streams.items()}
    assert (found["from_table"]["files"], found["from_table"]["records"]) == (3, 30)
    assert found["from_files"]["files"] == 3
    assert found["from_table"]["bytes"] > 0
    assert found["from_table"]["seconds"] > 0
    limits = {"STREAMING_BACKLOG_FILES": 2, "STREAMING_BACKLOG_RECORDS": 30}
    (excess,) = excesses(streams, limits, streams["from_table"][-1]["at"], window=0.3)
    assert (excess.metric, excess.value) == ("STREAMING_BACKLOG_FILES", 3)


OUTSIDE = """\
def refused(do):
    try:
        do()
    except Exception as error:
        return str(error)
    return "done"

path = "/Volumes/../etc/passwd"
told = [
    refused(lambda: spark.read.text(path)),
    refused(lambda: spark.read.format("text").load([path])),
    refused(lambda: spark.readStream.text("/Volumes/main/../../etc")),
    refused(lambda: spark.range(1).write.csv("/dbfs/../tmp/x")),
    refused(lambda: spark.range(1).write.format("json").save(path=path)),
    refused(lambda: spark.sql("SELECT * FROM text.`/Volumes/../etc/passwd`")),
    refused(lambda: spark.sql("CREATE TABLE main.default.x (a INT) LOCATION '/Volumes/../tmp/x'")),
    refused(lambda: spark.sql("COPY INTO main.default.x FROM '/Volumes/../etc' FILEFORMAT = CSV")),
    refused(lambda: dbutils.fs.ls(path)),
    refused(lambda: dbutils.fs.head("file:" + path)),
    refused(lambda: open(path)),
]
for line in told:
    print(line)
print(spark.sql("SELECT '/Volumes/../x' AS text").first().text)
"""


def test_dots_lead_nothing_out_of_volumes(spark_cells: Callable[..., Any]) -> None:
    ran = spark_cells(OUTSIDE)
    assert ran.result.success, ran.text
    *told, literal = ran.lines
    assert len(told) == 11
    assert all("leads out of /" in line for line in told), told
    assert literal == "/Volumes/../x"


@pytest.mark.parametrize("error", ["ValueError('no ' + held)", "KeyError(held)", "Odd()"])
def test_an_error_in_a_batch_brings_no_secret_into_the_driver_s_log(
    spark_cells: Callable[..., Any], answers: Any, driver: str, error: str
) -> None:
    secret = f"secret-{uuid4().hex}"
    code = (
        "held = dbutils.secrets.get('scope', 'key')\n"
        "class Odd(Exception):\n    def __str__(self):\n        return 'odd ' + held\n"
        "def take(batch, number):\n"
        "    try:\n        raise OSError('first ' + held)\n"
        f"    except OSError as first:\n        raise {error} from first\n"
        "spark.readStream.format('rate').load().writeStream.foreachBatch(take).start().awaitTermination()"
    )
    ran = spark_cells(code, answers=answers(vault={"scope": {"key": secret}}))
    assert not ran.result.success
    assert "[REDACTED]" in ran.text
    folder = Path(driver).parent
    logs = [file for file in (folder, *folder.parents[:3]) for file in file.rglob("*.log") if file.is_file()]
    assert any("[REDACTED]" in file.read_text(errors="replace") for file in logs)
    assert not [file for file in logs if secret in file.read_text(errors="replace")]
