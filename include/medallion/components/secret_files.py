"""Secrets made once and kept in files that only the user reads: Airflow's keys, the login. In the user's shell."""

from __future__ import annotations

import base64
import configparser
import json
import os
import secrets
from collections.abc import Callable
from pathlib import Path

from medallion.compute.processes import draft_of

ADMIN = "admin"


def fernet_key() -> str:
    """A key of the `cryptography` package's Fernet: 32 random bytes, URL-safe base64."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


KEYS: dict[tuple[str, str], Callable[[], str]] = {
    ("core", "fernet_key"): fernet_key,
    ("api", "secret_key"): lambda: secrets.token_urlsafe(32),
    # HS512 wants 64 bytes.
    ("api_auth", "jwt_secret"): lambda: secrets.token_urlsafe(64),
}
"""Section and option of each key of Airflow, and how it is made. They must stay the same between starts."""


def kept_keys(configuration: Path) -> dict[tuple[str, str], str]:
    """Airflow's keys: those of the configuration file when it has them, else new ones."""
    parser = configparser.RawConfigParser()
    if configuration.is_file():
        parser.read(configuration, encoding="utf-8")
    return {
        place: parser.get(*place).replace("%%", "%") if parser.has_option(*place) else make()
        for place, make in KEYS.items()
    }


def admin_password(passwords: Path) -> str:
    """The password of `admin`, made at the first call.

    Why a login at all, on loopback: who reaches the port can run any code as this user. Other users of the machine and
    pages in the user's own browser reach loopback ports too, so "all users are admins" is not used.
    """
    known: dict[str, str] = {}
    if passwords.is_file():
        known = json.loads(passwords.read_text(encoding="utf-8") or "{}")
    if ADMIN not in known:
        known[ADMIN] = secrets.token_urlsafe(12)
        write_private(passwords, json.dumps(known) + "\n")
    return known[ADMIN]


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    draft = draft_of(path, hidden=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)
    draft.replace(path)
