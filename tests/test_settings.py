"""Settings: folders whose names a library cannot take."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from medallion.cli import app
from medallion.errors import SettingsError
from medallion.settings import Settings

UNFIT = ["[", "]", "|", "^", "\\", "%20", "%5b"]
FIT = [
    " ",
    "#",
    "%",
    "%zz",
    "&",
    ";",
    "*",
    "{",
    "'",
    '"',
    "`",
    "<",
    "~",
    "$",
    "+",
    "=",
    ",",
    "@",
    "!",
    "(",
    "é",
    "日",
]


@pytest.mark.parametrize("part", UNFIT)
def test_a_folder_that_the_delta_library_cannot_open_is_refused(tmp_path: Path, part: str) -> None:
    project = tmp_path / f"a{part}b"
    with pytest.raises(SettingsError) as caught:
        Settings.load(project, environ={})
    assert f"has {part} in its path" in str(caught.value)
    assert "MEDALLION_HOME" in (caught.value.hint or "")
    assert Settings.load(project, environ={"MEDALLION_HOME": str(tmp_path / "home")}).project == project
    with pytest.raises(SettingsError, match="`lake`"):
        Settings.load(tmp_path, environ={"MEDALLION_LAKE": str(project)})


def test_a_question_mark_is_refused_where_the_database_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"has \? in its path"):
        Settings.load(tmp_path / "a?b", environ={})
    assert Settings.load(tmp_path, environ={"MEDALLION_LAKE": str(tmp_path / "a?b")})


@pytest.mark.parametrize("part", FIT)
def test_other_folders_are_taken(tmp_path: Path, part: str) -> None:
    assert Settings.load(tmp_path / f"a{part}b", environ={}).home == tmp_path / f"a{part}b" / ".medallion"


@pytest.mark.parametrize(
    "command",
    [["list"], ["check"], ["run", "j"], ["status"], ["settings"], ["sql", "SELECT 1"], ["runs"], ["up"], ["down"]],
    ids=lambda words: words[0],
)
def test_every_command_says_so_and_makes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    project = tmp_path / "a[b]"
    project.mkdir()
    monkeypatch.setenv("MEDALLION_PROJECT", str(project))
    monkeypatch.delenv("MEDALLION_HOME", raising=False)
    ended = CliRunner().invoke(app, command)
    shown = " ".join((ended.output + str(ended.exception or "")).split())
    assert ended.exit_code == 2 or isinstance(ended.exception, SettingsError), shown
    assert "has [ and ] in its path" in shown
    assert list(project.iterdir()) == []


@pytest.mark.parametrize("part", UNFIT)
def test_the_library_still_cannot_open_them(tmp_path: Path, part: str) -> None:
    import pyarrow as pa
    from deltalake import DeltaTable, write_deltalake

    table = str(tmp_path / f"a{part}b" / "t")
    with pytest.raises(BaseException, match=r"object store url|Kernel error"):  # the first is a panic
        opened(DeltaTable, write_deltalake, table, pa.table({"a": [1]}))


def opened(reader: type, write: object, table: str, rows: object) -> None:
    write(table, rows)  # type: ignore[operator]
    reader(table)
