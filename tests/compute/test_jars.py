from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

from medallion.compute import jars
from medallion.compute.jars import (
    MAVEN_CENTRAL,
    PINNED,
    Jar,
    fetch_jars,
    jars_folder,
    missing_jars,
    root,
    spark_jars_folder,
    verify_jars,
)
from medallion.errors import TargetError
from medallion.settings import Settings

BODY = b"not really a JAR"
SMALL = Jar("org.example", "small", "1.0", hashlib.sha256(BODY).hexdigest())


class Mirror:
    """A repository on loopback that counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        asked: list[str] = []

        class Handler(SimpleHTTPRequestHandler):
            def __init__(self, *args: object) -> None:
                super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

            def do_GET(self) -> None:
                asked.append(self.path)
                super().do_GET()

            def log_message(self, *args: object) -> None:
                pass

        self.asked = asked
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/maven"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    file = tmp_path / "web" / "maven" / SMALL.path
    file.parent.mkdir(parents=True)
    file.write_bytes(BODY)
    mirror = Mirror(tmp_path / "web")
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture
def settings(tmp_path: Path, mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(jars, "PINNED", (SMALL,))
    monkeypatch.setattr(jars, "RETRIES", 0)
    environ = {"MEDALLION_CACHE": str(tmp_path / "cache"), "MEDALLION_MAVEN_REPOSITORY": mirror.url}
    return Settings.load(tmp_path, environ=environ)


def test_a_jar_is_fetched_once(settings: Settings, mirror: Mirror) -> None:
    assert missing_jars(settings) == [SMALL]
    assert [path.read_bytes() for path in fetch_jars(settings)] == [BODY]
    fetch_jars(settings)
    assert mirror.asked == [f"/maven/{SMALL.path}"]


def test_a_corrupted_jar_is_fetched_again(settings: Settings) -> None:
    (path,) = fetch_jars(settings)
    path.write_bytes(b"half")
    assert verify_jars(settings)[0].read_bytes() == BODY


def test_wrong_bytes_in_the_repository_are_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "web" / "maven" / SMALL.path).write_bytes(b"changed by somebody")
    with pytest.raises(TargetError, match=r"small-1\.0\.jar"):
        fetch_jars(settings)
    assert missing_jars(settings) == [SMALL]


def test_offline_the_error_names_the_file_and_the_setting(tmp_path: Path, settings: Settings) -> None:
    offline = settings.model_copy(update={"maven_repository": "http://127.0.0.1:9/maven"})
    with pytest.raises(TargetError) as raised:
        fetch_jars(offline)
    text = str(raised.value)
    assert "small-1.0.jar" in text
    assert "MEDALLION_MAVEN_REPOSITORY" in text
    assert str(jars_folder(settings)) in text


def test_two_processes_at_once_fetch_once(settings: Settings, mirror: Mirror, tmp_path: Path) -> None:
    code = f"""
from pathlib import Path
from medallion.compute import jars
from medallion.settings import Settings
jars.PINNED = (jars.Jar(*{(SMALL.group, SMALL.artifact, SMALL.version, SMALL.sha256)!r}),)
environ = {{"MEDALLION_CACHE": {str(settings.cache)!r}, "MEDALLION_MAVEN_REPOSITORY": {mirror.url!r}}}
jars.fetch_jars(Settings.load(Path({str(tmp_path)!r}), environ=environ))
"""
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(timeout=60) for process in both] == [0, 0]
    assert len(mirror.asked) == 1


def test_a_bar_is_shown_when_asked_for(settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    fetch_jars(settings, progress=True)
    assert SMALL.file in capfd.readouterr().err


def test_the_repository_is_spark_s_own_unless_a_setting_names_another(tmp_path: Path) -> None:
    archives = sorted(spark_jars_folder().glob("ivy-*.jar"))
    resolvers = [ZipFile(archive).read("org/apache/ivy/plugins/resolver/IBiblioResolver.class") for archive in archives]
    assert any(MAVEN_CENTRAL.encode() in resolver for resolver in resolvers)
    assert root(Settings.load(tmp_path, environ={})) == MAVEN_CENTRAL
    mirror = {"MEDALLION_MAVEN_REPOSITORY": "https://mirror.example/maven"}
    assert root(Settings.load(tmp_path, environ=mirror)) == "https://mirror.example/maven/"


def test_every_pinned_jar_has_a_hash() -> None:
    assert len({jar.file for jar in PINNED}) == 8
    assert all(len(jar.sha256) == 64 for jar in PINNED)


@pytest.mark.parametrize(
    ("why", "words"),
    [
        pytest.param(
            "[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer", "REQUESTS_CA_BUNDLE", id="certificate"
        ),
        pytest.param("Connection refused", "check the network", id="network"),
    ],
)
def test_the_advice_fits_the_reason(tmp_path: Path, why: str, words: str) -> None:
    told = jars.advice(why, tmp_path)
    assert words in told
    assert "maven_repository" in told
