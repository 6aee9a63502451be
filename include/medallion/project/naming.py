"""A job's name and the DAG ids that it may have. Runs everywhere; pure."""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterator

MAX_DAG_ID = 240
"""Airflow allows 250 characters; its log folder `dag_id=<id>` has to fit into a file's name of 255."""

SUFFIX = 6
"""Digits of the suffix that tells jobs of one name apart."""

BROKEN = "broken_jobs"
"""Id of a DAG of ours that is no job but says what is wrong; so are ids that go on with a dot (`factory/dagfile`)."""

_VALID = re.compile(r"[A-Za-z0-9_.-]+")
_INVALID_RUN = re.compile(r"[^A-Za-z0-9_.-]+")


def job_name(name: str | None) -> str:
    """A job's name; the Jobs API calls one without a name "Untitled"."""
    return name or "Untitled"


def dag_id(job_name: str) -> str:
    """The plain DAG id of a job: its name, or a stable slug of it where Airflow cannot hold the name.

    Airflow takes letters, digits, `_`, `-` and `.`. Names with one slug are told apart by the ledger.
    """
    if len(job_name) <= MAX_DAG_ID and _VALID.fullmatch(job_name) and job_name.strip("."):
        return job_name
    plain = unicodedata.normalize("NFKD", job_name).encode("ascii", "ignore").decode()
    slug = _INVALID_RUN.sub("_", plain).strip("_.-")
    if not slug or len(slug) > MAX_DAG_ID:
        digest = hashlib.sha256(job_name.encode(errors="surrogatepass")).hexdigest()[:8]
        slug = f"{slug[: MAX_DAG_ID - 9]}_{digest}" if slug else f"job_{digest}"
    return slug


def dag_ids(job_name: str, place: str) -> Iterator[str]:
    """The DAG ids that a job may have, best first: the plain one, then with longer and longer digests of its place."""
    plain = dag_id(job_name)
    if folded(plain).partition(".")[0] != BROKEN:
        yield plain
    digest = hashlib.sha256(place.encode(errors="surrogateescape")).hexdigest()
    for length in range(SUFFIX, len(digest) + 1, 2):
        yield f"{plain[: MAX_DAG_ID - length - 1]}_{digest[:length]}"


def folded(dag_id: str) -> str:
    """What may belong to one job only: files on macOS know no case, and folders of runs no leading dot."""
    return dag_id.lstrip(".").casefold()


def gone_file(dag_id: str) -> str:
    """The name of the DAG file of a job that no definition gives any more, while runs of it go on."""
    plain = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in dag_id)
    return f"gone_{plain[:80]}_{zlib.crc32(dag_id.encode()):08x}.py"
