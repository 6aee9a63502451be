"""JAR tasks in a driver that they share with other tasks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from java_jars import build_jar

from medallion.compute.connection import Connection
from medallion.runtime.launch import TaskProcess
from medallion.runtime.protocol import Places, TaskContext
from medallion.settings import Settings

pytestmark = pytest.mark.spark

MAIN = """
package shop;

import java.util.Arrays;
import org.apache.spark.SparkContext;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.types.DataTypes;

public class Main {
  public static void main(String[] args) throws Exception {
    SparkSession spark = SparkSession.builder().appName("shop").getOrCreate();
    switch (args[0]) {
      case "table" -> {
        System.out.println("said " + String.join("|", args));
        System.err.println("and to stderr");
        Thread thread = new Thread(() -> System.out.println("from a thread"));
        thread.start();
        thread.join();
        spark.sql("CREATE CATALOG IF NOT EXISTS jar");
        spark.sql("CREATE SCHEMA IF NOT EXISTS jar.made");
        spark.udf().register("twice", (UDF1<Long, Long>) x -> Helper.twice(x), DataTypes.LongType);
        spark.range(3).selectExpr("twice(id) AS id").write().mode("overwrite").saveAsTable("jar.made.numbers");
        JavaSparkContext context = JavaSparkContext.fromSparkContext(SparkContext.getOrCreate());
        System.out.println("sum " + context.parallelize(Arrays.asList(1, 2, 3)).map(x -> Helper.twice(x)).reduce(Long::sum));
        spark.stop();
      }
      case "exit" -> {
        System.out.println("before");
        System.exit(Integer.parseInt(args[1]));
      }
      case "fail" -> inner();
      case "sleep" -> {
        new Thread(Main::dream).start();
        System.out.println("asleep");
        Thread.sleep(120_000);
      }
      case "work" -> {
        System.out.println("at work");
        spark.range(0, 2_000_000_000_000L, 1, 2).selectExpr("sum(id % 7)").collect();
      }
      default -> throw new IllegalArgumentException(args[0]);
    }
  }

  private static void dream() {
    try {
      Thread.sleep(120_000);
    } catch (InterruptedException woken) {
      Thread.currentThread().interrupt();
    }
  }

  private static void inner() {
    try {
      Helper.broken();
    } catch (IllegalStateException error) {
      throw new RuntimeException("could not go on", error);
    }
  }
}
"""
HELPER = """
package shop;

class Helper {
  static long twice(long x) {
    return 2 * x;
  }

  static void broken() {
    throw new IllegalStateException("broken");
  }
}
"""


class NoAnswers:
    """JARs ask the worker for nothing."""


@pytest.fixture(scope="module")
def jar(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_jar(tmp_path_factory.mktemp("jar"), "shop", {"shop.Main": MAIN, "shop.Helper": HELPER})


@pytest.fixture(scope="module")
def driver(settings: Settings) -> Iterator[str]:
    from medallion.compute.driver import DriverSpec
    from medallion.compute.pool import DriverPool

    pool = DriverPool(settings)
    yield str(pool.acquire(DriverSpec(master="local[2]", memory="1g"), "jar tests"))
    pool.stop()


@pytest.fixture
def context(jar: Path, driver: str, settings: Settings, tmp_path: Path) -> TaskContext:
    return TaskContext(
        kind="jar",
        path="shop.Main",
        output=str(tmp_path / "out"),
        places=Places(str(settings.lake), str(settings.volumes), str(settings.dbfs)),
        driver=driver,
        tag=f"jar-{uuid4().hex}",
        options={"main_class_name": "shop.Main", "jars": [str(jar)], "user_metadata": "by a jar"},
    )


@pytest.fixture
def run_main(context: TaskContext, settings: Settings) -> Callable[..., Any]:
    """`run_main(*arguments)` gives the result and the lines of the log."""

    def go(*arguments: str, **options: Any) -> tuple[Any, list[str]]:
        lines: list[str] = []
        told = replace(context, argv=arguments, options={**context.options, **options})
        process = TaskProcess(told, settings, answers=NoAnswers(), on_output=lines.append)
        return process.run(timeout=240), lines

    return go


def test_a_main_class_runs_with_the_shared_session(run_main: Callable[..., Any], settings: Settings) -> None:
    from deltalake import DeltaTable

    result, lines = run_main("table", "two words")
    assert result.success, lines
    for line in ("said table|two words", "and to stderr", "from a thread", "sum 12"):
        assert line in lines, lines
    assert any("stop() does nothing here" in line for line in lines)
    table = DeltaTable(str(settings.lake / "jar" / "made" / "numbers"))
    assert sorted(table.to_pyarrow_table()["id"].to_pylist()) == [0, 2, 4]
    assert table.history(1)[0]["userMetadata"] == "by a jar"


@pytest.mark.parametrize(
    ("status", "success"), [pytest.param("0", True, id="zero"), pytest.param("3", False, id="three")]
)
def test_system_exit_ends_the_task_and_not_the_driver(
    run_main: Callable[..., Any], driver: str, status: str, success: bool
) -> None:
    result, lines = run_main("exit", status)
    assert result.success is success
    assert lines[0] == "before"
    assert Connection.load(Path(driver)).alive()
    if not success:
        assert (result.failure.kind, result.failure.message) == ("Exit", "System.exit(3)")


def test_a_failure_ends_the_log_with_the_users_own_stack(run_main: Callable[..., Any]) -> None:
    result, lines = run_main("fail")
    assert (result.failure.kind, result.failure.message) == ("RuntimeException", "could not go on")
    assert lines[0] == "java.lang.RuntimeException: could not go on"
    text = "\n".join(lines)
    assert "Caused by: java.lang.IllegalStateException: broken\n\tat shop.Helper.broken(Helper.java:" in text
    assert lines[-1].strip().startswith(("at shop.Main", "..."))
    assert "at shop.Main.main(Main.java:" in text
    assert "medallion" not in text
    assert "reflect" not in text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"main_class_name": "shop.Mian"}, "class shop.Mian is in none of the task's JARs", id="misspelt"),
        pytest.param(
            {"main_class_name": "shop.Helper"}, "class shop.Helper has no method main(String[])", id="no main"
        ),
        pytest.param({"main_class_name": ""}, "names no main_class_name", id="none"),
    ],
)
def test_a_wrong_main_class_is_said(run_main: Callable[..., Any], options: dict[str, str], words: str) -> None:
    result, lines = run_main("table", **options)
    assert not result.success
    assert any(words in line for line in lines), lines


@pytest.mark.parametrize("what", ["sleep", "work"])
def test_a_cancelled_task_leaves_nothing_in_the_driver(
    context: TaskContext, settings: Settings, driver: str, what: str
) -> None:
    lines: list[str] = []
    process = TaskProcess(replace(context, argv=(what,)), settings, answers=NoAnswers(), on_output=lines.append)
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(process.run(timeout=240)))
    thread.start()
    wait_for(lambda: any(line in ("asleep", "at work") for line in lines))
    wait_for(lambda: what == "sleep" or going_on(driver)[0] > 0)
    process.terminate()
    thread.join(60)
    assert found[0].failure.kind == "Killed"
    wait_for(lambda: going_on(driver) == (0, 0))


def going_on(driver: str) -> tuple[int, int]:
    """Spark jobs of the driver, and threads that run code of the JAR."""
    from medallion.compute import gateway as gateways

    connection = Connection.load(Path(driver))
    with gateways.open_gateway(connection.port, connection.secret) as gateway:
        jobs = gateways.root_session(gateway).sparkContext().statusTracker().getActiveJobIds()
        threads = dict(gateways.java_class(gateway, "java.lang.Thread").getAllStackTraces())
        ours = [thread for thread, frames in threads.items() if any(of_jar(frame) for frame in frames)]
        return len(list(jobs)), len(ours)


def of_jar(frame: Any) -> bool:
    """Whether a Java stack frame is the JAR's."""
    return str(frame.getClassName()) == "shop.Main"


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.1)
