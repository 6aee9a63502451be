"""Secrets and their removal from text. Runs in the task process and on the worker; pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[REDACTED]"
# A shorter text would be found in innocent words; nobody keeps a secret of two letters.
SHORTEST = 3
# Words of the formats that are masked member by member: a secret that reads like one must not break a record.
NAMES_KEPT = frozenset(
    (  # notebooks, results and contexts
        *("cell_type", "cells", "data", "display_data", "ename", "evalue", "execution_count", "id", "language_info"),
        *("metadata", "name", "nbformat", "nbformat_minor", "output", "output_type", "outputs", "pygments_lexer"),
        *("source", "text", "title", "traceback", "success", "exit_value", "failure", "seconds", "kind", "message"),
        *("cell", "line", "trace", "transient", "path", "places", "ids", "workspace_path", "parameters", "argv"),
        *("driver", "root", "environment", "tag", "in_job", "options", "lake", "volumes", "dbfs", "workspace"),
        *("job_id", "job_name", "run_id", "task_run_id", "task_key", "attempt", "airflow_run_id"),
    )
)
VALUES_KEPT = frozenset({"cell_type", "output_type"})


class Masks:
    """The secrets that a task has seen. Whatever leaves the task goes through `apply` or `document`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask this text from now on, as it stands and as HTML, JSON, Python and URLs spell it; each long line too."""
        known = len(self._secrets)
        for text in (secret, secret.strip(), *(line for line in secret.splitlines() if len(line) >= SHORTEST * 2)):
            if len(text.strip()) >= SHORTEST:
                self._secrets |= spellings(text)
        if len(self._secrets) > known:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    @property
    def longest(self) -> int:
        """Characters of the longest text that is masked."""
        return max(map(len, self._secrets), default=0)

    def apply(self, text: str) -> str:
        """The text with each secret replaced by [REDACTED]."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def document(self, value: Any) -> Any:
        """A JSON-able value with each secret in its texts replaced. A number that is a secret becomes a text.

        The value stays what its format wants: numbers that only hold the digits of a secret, a format's own words and
        images in base64 stand as they are.
        """
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.apply(value)
        if isinstance(value, dict):
            return {self._name(name): self._member(name, item) for name, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.document(item) for item in value]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return REDACTED if number and str(value) in self._secrets else value

    def in_json(self, text: str) -> str:
        """JSON text with each secret in its texts replaced."""
        return json.dumps(self.document(json.loads(text))) if self._pattern else text

    def _name(self, name: Any) -> Any:
        return name if name in NAMES_KEPT else self.document(name)

    def _member(self, name: Any, item: Any) -> Any:
        image = isinstance(name, str) and name.startswith("image/") and name != "image/svg+xml"
        return item if image or name in VALUES_KEPT else self.document(item)

    def __iter__(self) -> Iterator[str]:
        """Every text that is masked, in all its spellings."""
        return iter(sorted(self._secrets))


def spellings(text: str) -> set[str]:
    """A text as it is written in other texts."""
    plain = {text, html.escape(text), html.escape(text, quote=False)}
    escaped = {json.dumps(item, ensure_ascii=pure)[1:-1] for item in plain for pure in (True, False)}
    return plain | escaped | {repr(text)[1:-1], quote(text), quote(text, safe=""), quote_plus(text)}
