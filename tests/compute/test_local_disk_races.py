"""Hadoop's local files while others make, rename and remove the same ones: the errors of Hadoop's contract and no others."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import pytest
from java_jars import build_jar

from medallion.compute.catalog import JAR
from medallion.compute.jars import spark_jars_folder
from medallion.compute.java import find_java

pytestmark = pytest.mark.spark

HADOOP = "org.apache.hadoop.fs"
NOT_FOUND = "java.io.FileNotFoundException"


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp("races")
    source = Path(__file__).with_name("DiskRaces.java").read_text()
    jar = build_jar(folder, "races", {"medallion.disk.DiskRaces": source}, [JAR])
    java = find_java()
    path = f"{jar}:{JAR}:{spark_jars_folder()}/*"
    return [str(java.program), "-XX:TieredStopAtLevel=1", "-cp", path, "medallion.disk.DiskRaces"]


def lines(command: list[str], *arguments: object) -> list[str]:
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def told(command: list[str], *arguments: object) -> dict[str, str]:
    return dict(line.rsplit(" ", 1) for line in lines(command, *arguments))


def test_the_answer_of_the_system_decides_though_the_file_is_there_by_now(command: list[str], tmp_path: Path) -> None:
    assert told(command, "answers", tmp_path / "there") == {
        "NoSuchFileException": NOT_FOUND,
        "AccessDeniedException": "org.apache.hadoop.security.AccessControlException",
        "FileAlreadyExistsException": f"{HADOOP}.FileAlreadyExistsException",
        "DirectoryNotEmptyException": f"{HADOOP}.PathIsNotEmptyDirectoryException",
        "FileSystemException": "java.nio.file.FileSystemException",
        "IOException": "java.io.IOException",
    }


def test_errors_are_those_of_the_contract(command: list[str], tmp_path: Path) -> None:
    assert told(command, "contract", tmp_path / "folder") == {
        "status of nothing": NOT_FOUND,
        "status below a file": NOT_FOUND,
        "status of a name that is too long": NOT_FOUND,
        "list of nothing": NOT_FOUND,
        "list below a file": NOT_FOUND,
        "list of a file": "1",
        "folder on a file": f"{HADOOP}.FileAlreadyExistsException",
        "folder below a file": f"{HADOOP}.ParentNotDirectoryException",
        "folders two deep below a file": f"{HADOOP}.ParentNotDirectoryException",
        "folder that is there": "true",
        "delete nothing": "false",
        "delete below a file": "false",
        "delete a full folder": f"{HADOOP}.PathIsNotEmptyDirectoryException",
        "file that is there": f"{HADOOP}.FileAlreadyExistsException",
        "file below a file": f"{HADOOP}.FileAlreadyExistsException",
        "file without its folder": NOT_FOUND,
        "and the folder": "false",
        "rename nothing": NOT_FOUND,
        "rename to no folder": NOT_FOUND,
        "rename to a file": f"{HADOOP}.FileAlreadyExistsException",
        "rename a folder to a folder": "true",
        "rename a file to a folder": "java.io.IOException",
        "replace a file": "true",
        "and the source": "false",
        "delete all": "true",
    }


def test_folders_that_come_and_go_are_there_or_not_found(command: list[str], tmp_path: Path) -> None:
    assert set(lines(command, "churn", tmp_path / "lake", 3)) <= {NOT_FOUND}


def test_a_file_that_is_replaced_is_there_at_any_time(command: list[str], tmp_path: Path) -> None:
    assert lines(command, "replace", tmp_path / "views", 2) == []


def test_of_many_processes_that_commit_a_version_one_wins(command: list[str], tmp_path: Path) -> None:
    folder, versions = tmp_path / "log", 300
    folder.mkdir()
    running = [
        subprocess.Popen([*command, "commits", str(folder), who, str(versions)], stdout=subprocess.PIPE, text=True)
        for who in ("one", "two")
    ]
    won = [process.communicate(timeout=120)[0].split() for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert Counter(won[0] + won[1]) == dict.fromkeys(map(str, range(versions)), 1)
    assert not [file.name for file in folder.iterdir() if file.name.startswith(".draft")]
