"""Builds JARs from Java for tests, with the JDK on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from medallion.compute.jars import spark_jars_folder


def build_jar(folder: Path, name: str, sources: Mapping[str, str], jars: Sequence[Path] = ()) -> Path:
    """Compile Java sources, by class name, against Spark and other JARs and pack their classes."""
    folder.mkdir(parents=True, exist_ok=True)
    classes = folder / f"{name}.classes"
    files = []
    for full, text in sources.items():
        file = folder / "src" / f"{full.replace('.', '/')}.java"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        files.append(str(file))
    compiler = shutil.which("javac")
    assert compiler, "these tests need a JDK"
    command = [
        compiler,
        "--release",
        "17",
        "-cp",
        os.pathsep.join([f"{spark_jars_folder()}/*", *map(str, jars)]),
        "-d",
        str(classes),
        *files,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    jar = folder / f"{name}.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for file in sorted(classes.rglob("*.class")):
            archive.write(file, file.relative_to(classes).as_posix())
    return jar
