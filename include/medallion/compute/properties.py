"""Spark's settings as a file for spark-submit: a command line is seen by every user of the machine. Pure.

Spark reads the file as Java's properties in UTF-8. Settings of a command line win over it; there are none beside it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

PROPERTIES_FILE = "spark.properties"
SPECIAL = re.compile(r"[^A-Za-z0-9_./-]")
"""What a name or value might be read otherwise with: separators, escapes, spaces at an end, comments."""


def properties_text(conf: Mapping[str, str]) -> str:
    """The settings as text of a properties file, the last of two equal names winning in Java too."""
    return "".join(f"{plain(name)}={plain(value)}\n" for name, value in sorted(conf.items()))


def plain(text: str) -> str:
    """A name or value in letters that no reader takes for anything else."""
    return SPECIAL.sub(lambda found: "".join(f"\\u{unit:04x}" for unit in utf16(found[0])), text)


def utf16(letter: str) -> list[int]:
    """A character's units as Java counts them: two for one beyond the first 65,536."""
    data = letter.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[place : place + 2], "big") for place in range(0, len(data), 2)]
