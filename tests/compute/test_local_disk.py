"""Hadoop's local files in a driver: what Hadoop says of them, without a process for each."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from compute.catalog_spark import Lake, SparkProcess, open_lake

pytestmark = pytest.mark.spark

PROGRAMS = ("chmod", "ls", "readlink")


@pytest.fixture(scope="module")
def calls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file with a line for each call of a program that Hadoop runs for local files."""
    folder = tmp_path_factory.mktemp("programs")
    log = folder / "calls.txt"
    for name in PROGRAMS:
        program = folder / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >> {log}\nexec {shutil.which(name)} "$@"\n')
        program.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        yield log


@pytest.fixture(scope="module")
def lake(calls: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with open_lake(tmp_path_factory.mktemp("lake")) as lake:
        yield lake


@pytest.fixture(scope="module")
def spark(lake: Lake) -> SparkProcess:
    return lake.spark()


def told(calls: Path) -> list[str]:
    return calls.read_text().splitlines() if calls.exists() else []


def test_no_process_is_started_for_files(spark: SparkProcess, lake: Lake, calls: Path) -> None:
    landing = lake.volumes / "main" / "s" / "landing"
    landing.mkdir(parents=True)
    for number in range(3):
        (landing / f"{number}.json").write_text(f'{{"id": {number}}}\n')

    def work(spark: Any) -> int:
        spark.sql("CREATE SCHEMA main.s")
        spark.sql("CREATE TABLE main.s.t AS SELECT id FROM range(3)")
        spark.sql("UPDATE main.s.t SET id = 7 WHERE id = 1")
        source = spark.readStream.schema("id BIGINT").json("/Volumes/main/s/landing")
        writer = source.writeStream.option("checkpointLocation", "/Volumes/main/s/checkpoint")
        writer.trigger(availableNow=True).toTable("main.s.streamed").awaitTermination(120)
        spark.range(2).write.parquet("dbfs:/numbers")
        return spark.table("main.s.streamed").count() + spark.read.parquet("dbfs:/numbers").count()

    assert spark.call(work) == 5
    assert told(calls) == []


def statuses(kind: str, paths: list[str]) -> Callable[[Any], list[tuple[Any, ...]]]:
    """What a file system says of paths; the name of the error where it says none."""

    def work(spark: Any) -> list[tuple[Any, ...]]:
        from py4j.protocol import Py4JJavaError

        jvm = spark._jvm
        system = reduce(getattr, kind.split("."), jvm)()
        system.initialize(jvm.java.net.URI("file:///"), spark._jsc.hadoopConfiguration())
        found: list[tuple[Any, ...]] = []
        for path in paths:
            for ask in (system.getFileStatus, system.getFileLinkStatus, system.listStatus):
                try:
                    answer = ask(jvm.org.apache.hadoop.fs.Path(path))
                except Py4JJavaError as error:
                    found.append((error.java_exception.getClass().getName(), error.java_exception.getMessage()))
                    continue
                every = list(answer) if ask is system.listStatus else [answer]
                found += sorted(described(item) for item in every)
        return found

    def described(item: Any) -> tuple[Any, ...]:
        who = (item.getOwner(), item.getGroup(), item.getPermission().toShort())
        what = (item.isDirectory(), item.isSymlink(), item.getLen(), item.getModificationTime())
        return (item.getPath().toString(), *who, *what)

    return work


def test_files_are_told_as_hadoop_tells_them(spark: SparkProcess, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o750)
    (tmp_path / "folder" / "private.txt").write_text("a")
    (tmp_path / "folder" / "private.txt").chmod(0o600)
    (tmp_path / "folder" / "program").write_text("abc")
    (tmp_path / "folder" / "program").chmod(0o755)
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o1777)
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    names = [
        "folder",
        "folder/private.txt",
        "folder/program",
        "sticky",
        "link",
        "broken",
        "none",
        "folder/program/below",
    ]
    paths = [str(tmp_path / name) for name in names]
    ours = spark.call(statuses("medallion.disk.LocalDisk", paths))
    assert ours == spark.call(statuses("org.apache.hadoop.fs.LocalFileSystem", paths))
    assert len(ours) > len(paths)


@pytest.mark.parametrize("mode", [0o600, 0o644, 0o751, 0o1777, 0o000], ids=oct)
def test_permissions_are_set(spark: SparkProcess, tmp_path: Path, mode: int) -> None:
    file = tmp_path / "file"
    file.write_text("")

    def work(spark: Any) -> None:
        jvm = spark._jvm
        path = jvm.org.apache.hadoop.fs.Path(str(file))
        system = path.getFileSystem(spark._jsc.hadoopConfiguration())
        system.setPermission(path, jvm.org.apache.hadoop.fs.permission.FsPermission(f"{mode:04o}"))

    spark.call(work)
    assert file.stat().st_mode & 0o7777 == mode


def test_what_spark_writes_has_the_modes_of_the_umask(spark: SparkProcess, lake: Lake) -> None:
    spark.sql("CREATE SCHEMA main.modes")
    spark.sql("CREATE TABLE main.modes.t AS SELECT 1 AS a")
    files = [file for file in (lake.path / "main" / "modes" / "t").rglob("*.parquet") if file.is_file()]
    assert files
    assert {file.stat().st_mode & 0o777 for file in files} == {0o644}
    assert (lake.path / "main" / "modes" / "t" / "_delta_log").stat().st_mode & 0o777 == 0o755
