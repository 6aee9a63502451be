"""The JARs of Delta that the driver needs beside pyspark's own: pinned, fetched once, kept in the cache. Runs at set-up
and before a driver starts.

They come from Maven Central; the setting maven_repository names a mirror.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from medallion.errors import TargetError

if TYPE_CHECKING:
    from medallion.settings import Settings

RETRIES = 3
LOCK_SECONDS = 600
MAVEN_CENTRAL = "https://repo1.maven.org/maven2/"
"""The repository that Spark's own resolver asks first, too."""


@dataclass(frozen=True, slots=True)
class Jar:
    """A JAR by its Maven coordinates and the SHA-256 of its bytes."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """File name, in a repository and in the cache."""
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        """Path below a repository's root, in Maven's layout."""
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file}"


# Delta 4.4.0 for Spark 4.2 and what it cannot start without. `spark.jars.packages` would resolve four times as many.
# group, artifact, version, SHA-256
TABLE = """\
io.delta delta-spark_4.2_2.13 4.4.0 27d4fd8b1f879535c573ed1c718177d6a27f24d3e626ba02e216369725721ead
io.delta delta-storage 4.4.0 c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc
io.delta delta-kernel-api 4.4.0 ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11
io.delta delta-kernel-defaults 4.4.0 225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b
io.delta delta-kernel-unitycatalog 4.4.0 cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa
io.unitycatalog unitycatalog-client 0.6.0 48257499a86b801a3e2372cec55ac226ca1c1c7eabe5c118e7302f29a1fdbc19
io.unitycatalog unitycatalog-hadoop 0.6.0 c47b63c961c87102b9e1d63809a0915ba4c86b7652f57c8d39ca3a05b441a150
org.locationtech.jts jts-core 1.20.0 6a783d8f9dba3d3cf7265435f134402f63c05838aa6cbcc4297ad3a5b2842baf
"""
PINNED = tuple(Jar(*row.split()) for row in TABLE.splitlines())


def jars_folder(settings: Settings) -> Path:
    """Where fetched JARs are kept."""
    return settings.cache / "jars"


def missing_jars(settings: Settings) -> list[Jar]:
    """The pinned JARs that are not in the cache yet. Looks at names only."""
    return [jar for jar in PINNED if not (jars_folder(settings) / jar.file).is_file()]


def fetch_jars(settings: Settings, *, progress: bool | None = None) -> list[Path]:
    """The pinned JARs on local disk, fetched when they are missing.

    A file in the cache has been checked by its SHA-256 before it got its name, so a warm call only looks at names;
    `verify_jars` reads every byte again.

    :param progress: show a bar on standard error; None shows one on a terminal.
    :raises TargetError: a JAR could not be fetched; says which and how to set a mirror.
    """
    if missing_jars(settings):
        verify_jars(settings, progress=progress)
    return [jars_folder(settings) / jar.file for jar in PINNED]


def verify_jars(settings: Settings, *, progress: bool | None = None) -> list[Path]:
    """As `fetch_jars`, and every file is compared with its SHA-256 first; a corrupted one is fetched again."""
    from filelock import FileLock, Timeout

    folder = jars_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    bar = sys.stderr.isatty() if progress is None else progress
    try:
        with FileLock(folder / ".lock", timeout=LOCK_SECONDS):
            return [fetch(jar, folder, settings, bar=bar) for jar in PINNED]
    except Timeout:
        raise TargetError(f"another process has been fetching JARs into {folder} for {LOCK_SECONDS} s") from None


def fetch(jar: Jar, folder: Path, settings: Settings, *, bar: bool) -> Path:
    """One JAR, from the cache when its hash is right, else from the repository."""
    import pooch
    from tqdm import tqdm

    pooch.get_logger().setLevel(logging.ERROR)
    source = root(settings) + jar.path
    store = pooch.create(
        path=folder,
        base_url="",
        registry={jar.file: f"sha256:{jar.sha256}"},
        urls={jar.file: source},
        retry_if_failed=RETRIES,
    )
    # pooch writes to a temporary file, checks the hash, then renames; the timeout is per read, in seconds.
    try:
        with tqdm(total=0, desc=jar.file, unit="B", unit_scale=True, leave=False, disable=not bar) as shown:
            downloader = pooch.HTTPDownloader(progressbar=shown if bar else False, timeout=60)
            return Path(store.fetch(jar.file, downloader=downloader))
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; a wrong hash is a ValueError
        why = reason(error)
        raise TargetError(f"could not fetch {jar.file} from {source}: {why}", hint=advice(why, folder)) from error


def advice(why: str, folder: Path) -> str:
    """What to do about a JAR that could not be had."""
    mirror = (
        "name a mirror of Maven Central with the setting maven_repository (MEDALLION_MAVEN_REPOSITORY), "
        f"or put the file into {folder}"
    )
    if "certificate" in why.lower():
        return f"name the file of your own authorities' certificates with the variable REQUESTS_CA_BUNDLE, or {mirror}"
    return f"check the network, or {mirror}"


def reason(error: Exception) -> str:
    """The innermost reason of a network error, on one line."""
    inner: BaseException = error
    while (deeper := inner.__cause__ or inner.__context__) is not None:
        inner = deeper
    return " ".join(str(inner).split()) or type(inner).__name__


def root(settings: Settings) -> str:
    """The repository's root with a slash at its end: the setting maven_repository, else Maven Central."""
    return (settings.maven_repository or MAVEN_CENTRAL).rstrip("/") + "/"


def spark_home() -> Path:
    """The folder of the installed pyspark, without importing it."""
    found = find_spec("pyspark")
    if found is None or not found.submodule_search_locations:
        raise TargetError("pyspark is not installed in this environment", hint="install medallion-airflow again")
    return Path(found.submodule_search_locations[0])


def spark_jars_folder() -> Path:
    """The folder of pyspark's own JARs."""
    return spark_home() / "jars"


def own_jars() -> Iterator[Path]:
    """The JARs that Medallion ships (FolderCatalog)."""
    yield from sorted((Path(__file__).parent / "jars").glob("*.jar"))
