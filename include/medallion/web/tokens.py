"""Personal tokens of the Jobs API: made, looked up and revoked. Runs in the API server; no Airflow.

A token is shown once. What is kept is its digest, whom it stands for and when it ends, below Airflow's home folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medallion.core.databases import open_database

if TYPE_CHECKING:
    import sqlite3

FILE = "lakeflow_tokens.db"
PREFIX = "dapi"
"""How the personal tokens of Databricks begin."""
BUSY_SECONDS = 10
SCHEMA = """
CREATE TABLE IF NOT EXISTS token (
  digest TEXT PRIMARY KEY, token_id TEXT UNIQUE NOT NULL, owner TEXT NOT NULL, claims TEXT NOT NULL,
  comment TEXT NOT NULL, created INTEGER NOT NULL, ends INTEGER NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Token:
    """A token, without its secret.

    :param owner: name of the user it stands for.
    :param claims: the user as Airflow's auth manager writes it into its own tokens.
    :param created: epoch milliseconds.
    :param ends: epoch milliseconds.
    """

    token_id: str
    owner: str
    claims: Mapping[str, Any]
    comment: str
    created: int
    ends: int

    def to_json(self) -> dict[str, Any]:
        """As the Token API's `token_info` has it."""
        return {
            "token_id": self.token_id,
            "owner": self.owner,
            "comment": self.comment,
            "creation_time": self.created,
            "expiry_time": self.ends,
        }


class TokenStore:
    """The tokens of one API server.

    :param file: the database; made at the first token.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def create(self, owner: str, claims: Mapping[str, Any], *, seconds: int, comment: str = "") -> tuple[str, Token]:
        """A new token: its secret, which nobody can ask for again, and what is kept of it."""
        secret, now = PREFIX + secrets.token_hex(16), millis()
        token = Token(secrets.token_hex(8), owner, dict(claims), comment, now, now + seconds * 1000)
        row = (digest(secret), token.token_id, owner, json.dumps(token.claims), comment, now, token.ends)
        with closing(self.open()) as base:
            base.execute("INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        return secret, token

    def find(self, secret: str) -> Token | None:
        """The token of a secret; None when there is none, or it has ended."""
        found = self.rows("WHERE digest = ? AND ends > ?", digest(secret), millis())
        return found[0] if found else None

    def listed(self, owner: str) -> list[Token]:
        """A user's tokens, the oldest first, those that have ended too."""
        return self.rows("WHERE owner = ? ORDER BY created, token_id", owner)

    def revoke(self, token_id: str, owner: str) -> bool:
        """End one of a user's tokens for good; False when the user has none of that id."""
        if not self.file.is_file():
            return False
        with closing(self.open()) as base:
            return base.execute("DELETE FROM token WHERE token_id = ? AND owner = ?", (token_id, owner)).rowcount > 0

    def rows(self, clause: str, *values: object) -> list[Token]:
        """Tokens by a clause of SQL."""
        if not self.file.is_file():
            return []
        with closing(self.open()) as base:
            rows = base.execute(
                f"SELECT token_id, owner, claims, comment, created, ends FROM token {clause}",  # noqa: S608  our own clauses
                values,
            ).fetchall()
        return [Token(a, b, json.loads(claims), *rest) for a, b, claims, *rest in rows]

    def open(self) -> sqlite3.Connection:
        """A connection; the file is for its owner alone."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(self.file, os.O_CREAT | os.O_RDONLY, 0o600))
        return open_database(self.file, SCHEMA, seconds=BUSY_SECONDS, synchronous="FULL", autocommit=True)


def token_store() -> TokenStore:
    """The tokens of this API server."""
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow")).expanduser()
    return TokenStore(home / FILE)


def digest(secret: str) -> str:
    """What is kept of a secret. It has 128 random bits, so that a fast digest is safe."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def millis() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000
