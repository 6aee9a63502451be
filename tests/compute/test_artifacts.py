"""Wheels of a bundle's artifacts: built when asked for, by content of the source."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from medallion.compute.artifacts import Artifact, artifacts_of, build, file_name_of
from medallion.settings import Settings
from medallion.spec.bundle.resolve import resolve_bundle
from medallion.spec.libraries import LibraryError

PACK = "mkdir -p dist && printf '%s' \"$(cat source.txt)\" > dist/pack-1.0-py3-none-any.whl && echo . >> ran.log"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path, environ={})


def artifact(folder: Path, command: str | None = PACK) -> Artifact:
    folder.mkdir(exist_ok=True)
    return Artifact("pack", "whl", folder, command, ("dist/*.whl",))


def quiet(_: str) -> None:
    pass


def test_a_command_builds_once_per_content(settings: Settings, tmp_path: Path) -> None:
    wanted = artifact(tmp_path / "pack", PACK.replace("ran.log", str(tmp_path / "ran.log")))
    for text in ("one", "one", "two"):
        (tmp_path / "pack" / "source.txt").write_text(text)
        (built,) = build(wanted, settings, quiet)
        assert built.stated == tmp_path / "pack" / "dist" / "pack-1.0-py3-none-any.whl"
        assert built.file.read_text() == text
    assert (tmp_path / "ran.log").read_text().count(".") == 2


@pytest.mark.parametrize(
    ("command", "told"),
    [
        pytest.param("echo broken >&2; exit 3", "failed with status 3:\nbroken", id="fails"),
        pytest.param("true", "left no dist/*.whl", id="no wheel"),
    ],
)
def test_a_build_that_fails_is_said_in_words(settings: Settings, tmp_path: Path, command: str, told: str) -> None:
    with pytest.raises(LibraryError) as caught:
        build(artifact(tmp_path / "pack", command), settings, quiet)
    assert told in str(caught.value)
    assert not list((settings.home / "artifacts").glob("*.whl"))


def test_artifacts_of_a_bundle_count_from_their_file(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "databricks.yml").write_text("bundle: {name: b}\ninclude: [parts/*.yml]\n")
    (tmp_path / "parts" / "a.yml").write_text("artifacts: {pack: {type: whl, path: ../pack, build: make}}\n")
    (found,) = artifacts_of(resolve_bundle(tmp_path).artifacts, tmp_path)
    assert (found.folder, found.command, found.patterns) == (tmp_path / "pack", "make", ("dist/*.whl",))


def test_sources_of_an_artifact_count_from_the_file_that_states_them(settings: Settings, tmp_path: Path) -> None:
    """As in the public example of a JAR task: the build runs in `path`, and `source` counts from databricks.yml."""
    (tmp_path / "print_args").mkdir()
    (tmp_path / "databricks.yml").write_text(
        "bundle: {name: b}\n"
        "artifacts:\n"
        "  code:\n"
        "    path: ./print_args\n"
        "    build: echo made > Args.jar\n"
        "    files: [{source: ./print_args/Args.jar}]\n"
    )
    (found,) = artifacts_of(resolve_bundle(tmp_path).artifacts, tmp_path)
    assert (found.folder, found.patterns) == (tmp_path / "print_args", ("Args.jar",))
    (built,) = build(found, settings, quiet)
    assert built.stated == tmp_path / "print_args" / "Args.jar"
    assert built.file.read_text() == "made\n"


def test_an_included_file_states_where_a_build_leaves_its_files(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "databricks.yml").write_text("bundle: {name: b}\ninclude: [parts/*.yml]\n")
    (tmp_path / "parts" / "a.yml").write_text(
        "artifacts: {code: {type: jar, build: 'mkdir -p out && echo made > out/A.jar', files: [{source: ../out/*.jar}]}}\n"
    )
    (found,) = artifacts_of(resolve_bundle(tmp_path).artifacts, tmp_path)
    assert found.folder == tmp_path
    assert [item.stated for item in build(found, settings, quiet)] == [tmp_path / "out" / "A.jar"]


def test_a_project_without_artifacts_is_one(tmp_path: Path) -> None:
    assert artifacts_of({}, tmp_path) == []
    (tmp_path / "pyproject.toml").write_text("")
    (found,) = artifacts_of({}, tmp_path)
    assert (found.folder, found.command) == (tmp_path, None)


@pytest.mark.parametrize("name", ["../../../out", "/etc/out", "a/b", "..", "-x", "new\nline", "x" * 300])
def test_an_artifacts_name_is_no_path(name: str) -> None:
    found = file_name_of(name)
    assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", found)
    assert found != file_name_of(f"{name} ")
