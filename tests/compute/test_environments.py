"""Python environments: made once per distinct set, shared, repaired, and what is said when uv cannot.

The packages are small wheels that the tests write, so no index is asked unless a test says so.
"""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from medallion.compute.environments import READY, Recipe, Site, installed, provide
from medallion.compute.libraries import Shelf, content_of
from medallion.runtime.protocol import Places
from medallion.settings import Settings
from medallion.spec.libraries import LibraryError, Wanted


def write_wheel(folder: Path, name: str, version: str = "1.0", body: str = "X = 1\n", entry_points: str = "") -> Path:
    """A wheel of one module."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}.py", body)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        if entry_points:
            archive.writestr(f"{info}/entry_points.txt", entry_points)
        archive.writestr(f"{info}/RECORD", "")
    return file


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(tmp_path, environ={"MEDALLION_CACHE": str(tmp_path / "cache")})


@pytest.fixture
def shelf(settings: Settings, tmp_path: Path) -> Shelf:
    places = Places(
        lake=str(tmp_path / "lake"),
        volumes=str(tmp_path / "volumes"),
        dbfs=str(tmp_path / "dbfs"),
        workspace={"/Workspace/Shared": str(tmp_path / "shared")},
    )
    return Shelf(settings, places, tmp_path, None, lambda _: None)


def recipe(file: Path) -> Recipe:
    return Recipe((str(file),), ((str(file), content_of(file)),))


def quiet(_: str) -> None:
    pass


def test_a_second_run_takes_no_time_and_another_place_of_the_same_file_is_the_same(
    settings: Settings, tmp_path: Path
) -> None:
    file = write_wheel(tmp_path / "a", "pack_one")
    first = provide(settings, recipe(file), quiet)
    assert (first.folder / "pack_one.py").read_text() == "X = 1\n"
    assert first.forkable
    began = time.monotonic()
    assert provide(settings, recipe(file), quiet) == first
    assert time.monotonic() - began < 0.3
    (tmp_path / "b").mkdir()
    assert provide(settings, recipe(Path(shutil.copy2(file, tmp_path / "b"))), quiet) == first
    changed = write_wheel(tmp_path / "a", "pack_one", body="X = 2\n")
    assert (provide(settings, recipe(changed), quiet).folder / "pack_one.py").read_text() == "X = 2\n"


def test_two_tasks_at_once_make_it_once(settings: Settings, tmp_path: Path) -> None:
    file = write_wheel(tmp_path, "pack_raced")
    told: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        sites = set(pool.map(lambda _: provide(settings, recipe(file), told.append), range(4)))
    assert len(sites) == 1
    assert len(told) == 1


@pytest.mark.parametrize("broken", ["draft", "no record", "a module is gone"])
def test_a_half_made_environment_is_repaired(settings: Settings, tmp_path: Path, broken: str) -> None:
    file = write_wheel(tmp_path, "pack_half")
    site = provide(settings, recipe(file), quiet)
    if broken == "draft":
        site.folder.rename(site.folder.with_name(f"{site.folder.name}.part1"))
    elif broken == "no record":
        (site.folder / READY).unlink()
    else:
        (site.folder / "pack_half.py").unlink()
    assert provide(settings, recipe(file), quiet) == site
    assert (site.folder / "pack_half.py").is_file()
    assert not list(site.folder.parent.glob("*.part*"))


def test_what_the_product_has_is_shared_and_another_version_asks_for_a_fresh_process(
    settings: Settings, tmp_path: Path
) -> None:
    product = installed()
    assert product["pyspark"] == "4.2.0"
    older = write_wheel(tmp_path, "tqdm", "0.0.1")
    site = provide(settings, recipe(older), quiet)
    assert not site.forkable
    assert json.loads((site.folder / READY).read_text())["replaced"] == ["tqdm"]


def test_pyspark_keeps_its_version(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(LibraryError) as caught:
        provide(settings, recipe(write_wheel(tmp_path, "pyspark", "3.5.0")), quiet)
    assert "could not be installed; uv said" in str(caught.value)


@pytest.mark.parametrize(
    ("line", "index", "told"),
    [
        pytest.param("pack-nowhere==1", "file", "check the package's name and version", id="wrong name"),
        pytest.param("pack-nowhere", "http://user:hunter2@127.0.0.1:9/simple", "cannot be reached", id="offline"),
    ],
)
def test_what_cannot_be_installed_is_said_in_words(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, index: str, told: str
) -> None:
    empty = tmp_path / "index"
    empty.mkdir()
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_DEFAULT_INDEX", empty.as_uri() if index == "file" else index)
    with pytest.raises(LibraryError) as caught:
        provide(settings, Recipe((line,)), quiet)
    assert told in str(caught.value)
    assert "pack-nowhere" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("dist/pack_a-1.0-py3-none-any.whl", id="relative"),
        pytest.param("./dist/*.whl", id="pattern"),
        pytest.param("/Workspace/Shared/pack_a-1.0-py3-none-any.whl", id="workspace"),
        pytest.param("/Volumes/c/s/v/pack_a-1.0-py3-none-any.whl", id="volume"),
        pytest.param("dbfs:/libs/pack_a-1.0-py3-none-any.whl", id="dbfs"),
    ],
)
def test_a_wheel_is_found_wherever_databricks_would(shelf: Shelf, tmp_path: Path, place: str) -> None:
    for folder in ("dist", "shared", "volumes/c/s/v", "dbfs/libs"):
        write_wheel(tmp_path / folder, "pack_a")
    (line,) = shelf.recipe(Wanted(wheels=(place,))).lines
    assert Path(line).is_file()


def test_requirements_files_include_each_other_and_local_lines(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_wheel(tmp_path / "sub", "pack_b")
    (tmp_path / "requirements.txt").write_text("six==1.17.0  # a comment\n-r sub/more.txt\n")
    (tmp_path / "sub" / "more.txt").write_text("attrs>=20\n./pack_b-1.0-py3-none-any.whl\n")
    lines = shelf.recipe(Wanted(requirements=("requirements.txt",), packages=("-r ./requirements.txt",))).lines
    assert lines == ("six==1.17.0", "attrs>=20", str(tmp_path / "sub" / "pack_b-1.0-py3-none-any.whl"))


def test_a_base_environment_adds_its_dependencies(shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "base.yml").write_text("environment_version: '3'\ndependencies:\n  - six==1.17.0\n")
    assert shelf.recipe(Wanted(base="base.yml", packages=("attrs",))).lines == ("attrs", "six==1.17.0")


def test_a_missing_library_says_the_nearest(shelf: Shelf, tmp_path: Path) -> None:
    write_wheel(tmp_path / "dist", "pack_a")
    with pytest.raises(LibraryError) as caught:
        shelf.recipe(Wanted(wheels=("dist/pack_b-1.0-py3-none-any.whl",)))
    assert "did you mean pack_a-1.0-py3-none-any.whl?" in str(caught.value)


def test_an_environment_is_a_folder_on_the_path() -> None:
    assert Site(Path("/x"), True).options() == {"site": ["/x"], "forkable": True}


@pytest.mark.parametrize("folder", ["my wheels", "x --target y", "a;b", "100%20", "quote'\"", "dash/-t"])
def test_a_wheels_place_is_a_name_and_nothing_else(settings: Settings, tmp_path: Path, folder: str) -> None:
    file = write_wheel(tmp_path / folder, "pack_placed", body=f"X = {folder!r}\n")
    assert (provide(settings, recipe(file), quiet).folder / "pack_placed.py").is_file()


def test_the_options_of_lines_hold_for_finding_and_for_installing(
    settings: Settings, shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(tmp_path / "own", "pack_of_mine", "2.0")
    (tmp_path / "requirements.txt").write_text(f"--no-index\n--find-links {tmp_path / 'own'}\npack_of_mine\n")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    made = provide(settings, shelf.recipe(Wanted(requirements=("requirements.txt",))), quiet)
    assert (made.folder / "pack_of_mine.py").is_file()


def test_a_wrong_hash_is_not_installed(settings: Settings, shelf: Shelf, tmp_path: Path) -> None:
    write_wheel(tmp_path / "own", "pack_hashed")
    lines = ("--no-index", f"--find-links {tmp_path / 'own'}", f"pack_hashed==1.0 --hash=sha256:{'0' * 64}")
    with pytest.raises(LibraryError, match=r"(?i)hash"):
        provide(settings, shelf.recipe(Wanted(packages=lines)), quiet)


def test_passwords_of_indexes_are_in_no_command_line(
    settings: Settings, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def run(command: list[str], **_: object) -> None:
        seen.extend(command)
        raise LibraryError("seen")

    monkeypatch.setattr("medallion.compute.environments.run_program", run)
    lines = ("--index-url https://me:hunter2@i.example", "--extra-index-url https://me:hunter2@e.example", "pack_a")
    with pytest.raises(LibraryError, match="seen"):
        provide(settings, shelf.recipe(Wanted(packages=lines, indexes=("https://me:hunter2@x.example",))), quiet)
    assert seen
    assert "hunter2" not in " ".join(seen)
