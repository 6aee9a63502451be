"""Which addresses of Git repositories are taken. Pure."""

from __future__ import annotations

import re

HELPER = re.compile(r"[A-Za-z0-9_+.-]+::")
"""`ext::sh -c …` and the like: a program of Git's own choosing is run for such an address."""


def refused_url(url: str) -> tuple[str, str] | None:
    """Why Git is not given an address, and what to do; None for one that it is given."""
    if url.startswith("-"):
        return (
            f"git_url {url!r} begins with a dash, so Git would take it for an option",
            "give the repository's address",
        )
    if HELPER.match(url):
        return f"git_url {url!r} names a program for Git to run", "give an https:, ssh: or file: address"
    return None
