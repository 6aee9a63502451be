"""The text of a for-each task's inputs. Pure; read by the check and, when the loop starts, by the worker."""

from __future__ import annotations

import json
from typing import Any, NoReturn


def parse_inputs(text: str) -> Any:
    """The value of JSON text.

    :raises ValueError: the text is not JSON. Python's own NaN and Infinity are not.
    :raises RecursionError: it is nested too deep.
    """
    return json.loads(text, parse_constant=refuse)


def refuse(word: str) -> NoReturn:
    """A word that Python reads as a number and JSON does not know."""
    raise ValueError(f"{word} is not JSON")
