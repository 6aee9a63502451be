"""Secrets and their removal from text. Runs in the task process and on the worker; pure."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Iterator

REDACTED = "[REDACTED]"
# A shorter text would be found in innocent words; nobody keeps a secret of two letters.
SHORTEST = 3


class Masks:
    """The secrets that a task has seen. Whatever leaves the task goes through `apply`."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for secret in secrets:
            self.add(secret)

    def add(self, secret: str) -> None:
        """Mask this text from now on, as it stands, in HTML and in JSON; each long line of it too."""
        known = len(self._secrets)
        for text in (secret, secret.strip(), *(line for line in secret.splitlines() if len(line) >= SHORTEST * 2)):
            if len(text.strip()) >= SHORTEST:
                self._secrets |= {text, html.escape(text), json.dumps(text)[1:-1], json.dumps(html.escape(text))[1:-1]}
        if len(self._secrets) > known:
            longest_first = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def apply(self, text: str) -> str:
        """The text with each secret replaced by [REDACTED]."""
        return self._pattern.sub(REDACTED, text) if self._pattern else text

    def __iter__(self) -> Iterator[str]:
        """Every text that is masked, in all its spellings."""
        return iter(sorted(self._secrets))
