"""`medallion cron next --batch`: a question a line, an answer a line. In the user's shell; no rich, no Spark.

A question is `{"expr": …, "tz": …, "after": …, "n": …}`; an answer `{"next": [epoch, …]}` or `{"error": "…"}`.
Only `expr` is needed: the zone is UTC, the time now and the number 5 unless given. Expressions are Quartz's alone.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable

from medallion.errors import MedallionError
from medallion.spec.quartz import Quartz

CHUNK = 1 << 16
MOST = 100_000
"""Most fire times that one question may ask for."""

Reader = Callable[[int], bytes]
Writer = Callable[[bytes], object]


def run(source: int, sink: int) -> None:
    """Answer every line of one file descriptor on another, each as soon as its line is there."""
    answer_all(lambda size: os.read(source, size), lambda data: write_all(sink, data))


def write_all(sink: int, data: bytes) -> None:
    """Write all bytes; a pipe may take them in parts."""
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def answer_all(read: Reader, write: Writer) -> None:
    """Answer what `read` gives until it gives nothing."""
    rest = b""
    while chunk := read(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            write("".join([answer(line) for line in lines if line.strip()]).encode())
    if rest.strip():
        write(answer(rest).encode())


def answer(line: bytes) -> str:
    """The answer to one line, with its line feed."""
    try:
        times = times_of(json.loads(line))
    except MedallionError as error:
        return json.dumps({"error": str(error)}) + "\n"
    except (ValueError, TypeError, RecursionError) as error:
        return json.dumps({"error": f"not a question: {error}"}) + "\n"
    return f'{{"next":{times}}}\n'


def times_of(question: object) -> list[int]:
    """Fire times of one question. Raises MedallionError for a wrong expression, TypeError or ValueError else."""
    if not isinstance(question, dict) or not isinstance(question.get("expr"), str):
        raise TypeError('expected {"expr": text, "tz": text, "after": epoch, "n": number}')
    after, count, zone = question.get("after"), question.get("n", 5), question.get("tz", "UTC")
    if type(after) is not int:
        after = epoch_of(after)
    if type(count) is not int or not 0 <= count <= MOST:
        raise ValueError(f"n is not a number from 0 to {MOST}")
    if not isinstance(zone, str):
        raise TypeError("tz is not text")
    return Quartz.parse(question["expr"]).next_times(after, zone, count)


def epoch_of(after: object) -> int:
    """Epoch seconds of what `after` says: nothing is now, a fraction is cut off, text is ISO 8601 in UTC."""
    if after is None:
        return int(time.time())
    if isinstance(after, float):
        return int(after // 1)
    if isinstance(after, str):
        from medallion.cli.cron import instant

        return instant(after, "UTC")
    raise TypeError("after is neither epoch seconds nor ISO text")
