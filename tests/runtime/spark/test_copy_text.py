"""The grammar of COPY INTO."""

from __future__ import annotations

from typing import Any

import pytest

from medallion.errors import MedallionError
from medallion.runtime.spark.copy_text import Copy, parse_copy
from medallion.runtime.sql_text import read_tokens


class Literals:
    """Values without Spark: text in quotes, numbers, parameters."""

    def of(self, expressions: list[str]) -> list[Any]:
        return [text[1:-1] if text[0] in "'\"" else {":path": "/p"}.get(text, text) for text in expressions]


def parse(text: str) -> Copy:
    return parse_copy(text, read_tokens(text), Literals())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "copy"),
    [
        pytest.param("COPY INTO a.b.c FROM '/x' FILEFORMAT = CSV", Copy("a.b.c", "/x", "CSV"), id="plain"),
        pytest.param("copy into `t` from :path fileformat=json", Copy("`t`", "/p", "json"), id="parameter"),
        pytest.param(
            "COPY INTO delta.`/t` (a, `b`) FROM '/x' -- note\n FILEFORMAT = CSV",
            Copy("delta.`/t`", "/x", "CSV", columns=("a", "b")),
            id="path and columns",
        ),
        pytest.param(
            "COPY INTO t BY POSITION FROM '/x' FILEFORMAT = CSV PATTERN = '*.csv'",
            Copy("t", "/x", "CSV", by_position=True, pattern="*.csv"),
            id="by position",
        ),
        pytest.param(
            "COPY INTO t FROM (SELECT a, coalesce(b, ')') AS b FROM '/x') FILEFORMAT = PARQUET FILES = ('1', '2')",
            Copy("t", "/x", "PARQUET", select="a, coalesce(b, ')') AS b", files=("1", "2")),
            id="select and files",
        ),
        pytest.param(
            "COPY INTO t FROM '/x' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true', 'sep' = ';') "
            "COPY_OPTIONS ('force' = 'TRUE', 'mergeSchema' = 'true')",
            Copy("t", "/x", "CSV", format_options={"header": "true", "sep": ";"}, force=True, merge_schema=True),
            id="options",
        ),
    ],
)
def test_a_statement_is_read(text: str, copy: Copy) -> None:
    assert parse(text) == copy


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("COPY INTO t '/x' FILEFORMAT = CSV", "FROM is expected", id="no from"),
        pytest.param("COPY INTO t FROM ('/x') FILEFORMAT = CSV", "must be SELECT", id="brackets"),
        pytest.param("COPY INTO t FROM '/x' FORMAT = CSV", "no clause 'FORMAT'.*FILEFORMAT", id="misspelt"),
        pytest.param("COPY INTO t FROM '/x' FILEFORMAT = CSV FILES = ('a'", "not closed", id="open bracket"),
        pytest.param("COPY INTO t FROM '/x' FILEFORMAT = CSV FORMAT_OPTIONS ('a')", "'name' = 'value'", id="no value"),
    ],
)
def test_what_is_wrong_is_said(text: str, words: str) -> None:
    with pytest.raises(MedallionError, match=words):
        parse(text)
