"""What a plain YAML scalar means, by the rules that Databricks' CLI reads bundles with. Runs at parse; pure.

Only `true` and `false` (three spellings each) are booleans; `no`, `on` and `12:30` are text; `010` is ten; a date keeps
its text. Source: reference §17.1, the CLI's output for bundle 05_scalars, the tag rules of its YAML library.
"""

from __future__ import annotations

import math
import re
from datetime import date
from typing import Any

from medallion.spec.bundle.tree import Timestamp

TRUE = frozenset({"true", "True", "TRUE"})
FALSE = frozenset({"false", "False", "FALSE"})
NULL = frozenset({"", "~", "null", "Null", "NULL"})
INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)")
NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})
DECIMAL = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<hex>_?[0-9a-fA-F_]+)|0[bB](?P<bin>_?[01_]+)|0[oO](?P<oct>_?[0-7_]+)|(?P<dec>[0-9][0-9_]*))"
)
TIMESTAMP = re.compile(
    r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})"
    r"(?:[Tt](?P<h>\d{1,2}):(?P<min>\d{1,2}):(?P<s>\d{1,2})(?:[.,]\d+)?(?:Z|[-+]\d{2}:\d{2})"
    r"|\ (?P<h2>\d{1,2}):(?P<min2>\d{1,2}):(?P<s2>\d{1,2})(?:[.,]\d+)?)?"
)
MAX_DIGITS = 400
"""Longer numbers are text: no 64-bit number needs them, and turning them into one is slow."""
SMALLEST, LARGEST = -(2**63), 2**63 - 1


class ScalarError(ValueError):
    """A scalar has a tag that its text does not fit."""


def resolve_tag(text: str) -> str:
    """The tag of a plain scalar: str, null, bool, int, float or timestamp."""
    if text in NULL:
        return "null"
    if text in TRUE or text in FALSE:
        return "bool"
    first = text[0]
    if first not in "+-.0123456789" or len(text) > MAX_DIGITS:
        return "str"
    if text in NOT_A_NUMBER or INFINITE.fullmatch(text):
        return "float"
    if first == ".":
        return "float" if finite(text) is not None else "str"
    if is_timestamp(text):
        return "timestamp"
    bare = text.replace("_", "")
    if parse_integer(bare) is not None or is_unsigned(bare):
        return "int"
    return "float" if DECIMAL.fullmatch(bare) and finite(bare) is not None else "str"


def scalar_value(text: str, tag: str) -> Any:
    """The value of a scalar with a known tag.

    :raises ScalarError: the text does not fit the tag, or the tag is not one that a bundle may use.
    """
    reader = READERS.get(tag)
    if reader is None:
        raise ScalarError(f"the tag {tag} is not known")
    return reader(text)


def read_bool(text: str) -> bool:
    """true or false, in any case."""
    if text.lower() not in {"true", "false"}:
        raise ScalarError(f"{text!r} is not a boolean")
    return text.lower() == "true"


def read_int(text: str) -> int:
    """A decimal number even with leading zeros, else a number with a base prefix."""
    stripped = text.lstrip("0")
    if len(text) <= MAX_DIGITS and re.fullmatch(r"[-+]?[0-9]+", stripped):
        value: int | None = int(stripped)
    else:
        value = parse_integer(text)
    if value is None or not SMALLEST <= value <= LARGEST:
        raise ScalarError(f"{text!r} is not a whole number of 64 bits")
    return value


def read_float(text: str) -> float:
    """A decimal number, an infinity or not-a-number."""
    if text.lower().lstrip("+-") == ".nan":
        return math.nan
    if text.lower().lstrip("+-") == ".inf":
        return -math.inf if text.startswith("-") else math.inf
    value = finite(text)
    if value is None:
        raise ScalarError(f"{text!r} is not a number")
    return value


def read_timestamp(text: str) -> Timestamp:
    """A date or time, as the text it was written as."""
    if not is_timestamp(text):
        raise ScalarError(f"{text!r} is not a date or time")
    return Timestamp(text)


READERS: dict[str, Any] = {
    "str": str,
    "null": lambda _text: None,
    "bool": read_bool,
    "int": read_int,
    "float": read_float,
    "timestamp": read_timestamp,
}


def finite(text: str) -> float | None:
    """The number that a decimal text states; None when it is none or is out of range."""
    if len(text) > MAX_DIGITS or not DECIMAL.fullmatch(text):
        return None
    value = float(text)
    return None if math.isinf(value) else value


def parse_integer(text: str) -> int | None:
    """A number with an optional base prefix; a leading 0 means octal; underscores may part digits. 64 bits at most."""
    found = INTEGER.fullmatch(text)
    if found is None or len(text) > MAX_DIGITS or "__" in text or text.endswith("_"):
        return None
    sign = -1 if found["sign"] == "-" else 1
    for name, base in (("hex", 16), ("bin", 2), ("oct", 8)):
        if found[name] is not None:
            return within(sign * int(found[name].replace("_", ""), base))
    digits = found["dec"].replace("_", "")
    if len(digits) == 1 or digits[0] != "0":
        # Underscores part digits only where a prefix states the base or the number is decimal with base 0.
        return within(sign * int(digits))
    return within(sign * int(digits, 8)) if re.fullmatch("[0-7]+", digits) else None


def within(value: int) -> int | None:
    """The value when it fits 64 signed bits."""
    return value if SMALLEST <= value <= LARGEST else None


def is_unsigned(text: str) -> bool:
    """Whether the text is a decimal number that fits 64 unsigned bits but not signed ones."""
    return re.fullmatch("[1-9][0-9]{18,19}", text) is not None and int(text) < 2**64


def is_timestamp(text: str) -> bool:
    """Whether the text is a date, or a date and time in one of the four allowed layouts."""
    found = TIMESTAMP.fullmatch(text)
    if found is None:
        return False
    try:
        date(int(found["y"]) or 4, int(found["m"]), int(found["d"]))  # Go has a year 0, a leap year as 4 is
    except ValueError:
        return False
    hour, minute, second = (int(found[name] or found[name + "2"] or 0) for name in ("h", "min", "s"))
    return hour < 24 and minute < 60 and second < 60
