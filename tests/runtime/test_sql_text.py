"""SQL text is split where Spark would split it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medallion.errors import MedallionError
from medallion.runtime.pipelines.file_reading import owner
from medallion.runtime.pipelines.statements import statements
from medallion.runtime.spark.copy_text import parse_copy
from medallion.runtime.spark.statements import split_arguments, streamed, without_auto
from medallion.runtime.sql_markers import fill_markers
from medallion.runtime.sql_text import END, closing, read_tokens, split_statements, substitute, tokens


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("SELECT 1", ["SELECT 1"], id="one"),
        pytest.param("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"], id="two"),
        pytest.param(";;\n ; ", [], id="nothing"),
        pytest.param("-- only a comment; really\n", [], id="a comment is no statement"),
        pytest.param("SELECT ';' ; SELECT \";\"", ["SELECT ';'", 'SELECT ";"'], id="strings"),
        pytest.param(r"SELECT 'it\'s;' ; SELECT 2", [r"SELECT 'it\'s;'", "SELECT 2"], id="escaped quote"),
        pytest.param(r"SELECT r'\'; SELECT 2", [r"SELECT r'\'", "SELECT 2"], id="raw string"),
        pytest.param("SELECT `a;b`; SELECT 2", ["SELECT `a;b`", "SELECT 2"], id="quoted name"),
        pytest.param("SELECT 1 -- ; no\n; SELECT 2", ["SELECT 1 -- ; no", "SELECT 2"], id="line comment"),
        pytest.param("SELECT /* ; /* ; */ ; */ 1; SELECT 2", ["SELECT /* ; /* ; */ ; */ 1", "SELECT 2"], id="nested"),
        pytest.param(
            "BEGIN SELECT 1; SELECT 2; END; SELECT 3", ["BEGIN SELECT 1; SELECT 2; END", "SELECT 3"], id="block"
        ),
        pytest.param(
            "BEGIN IF a THEN SELECT 1; END IF; CASE b WHEN 1 THEN SELECT 2; END CASE; END; SELECT 3",
            ["BEGIN IF a THEN SELECT 1; END IF; CASE b WHEN 1 THEN SELECT 2; END CASE; END", "SELECT 3"],
            id="statements with an end of their own",
        ),
        pytest.param(
            "SELECT begin, end FROM t; SELECT 2", ["SELECT begin, end FROM t", "SELECT 2"], id="begin as a name"
        ),
        pytest.param(
            "SELECT CASE WHEN a THEN 1 END; SELECT 2",
            ["SELECT CASE WHEN a THEN 1 END", "SELECT 2"],
            id="case expression",
        ),
    ],
)
def test_statements_are_split_at_their_semicolons(text: str, wanted: list[str]) -> None:
    assert [statement.text for statement in split_statements(text)] == wanted


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("SELECT :a, :b_1", {"a", "b_1"}, id="markers"),
        pytest.param("SELECT ':a', `:b`, x::int -- :c", set(), id="not in strings, names, casts, comments"),
        pytest.param("SELECT * FROM IDENTIFIER(:t || '.x')", {"t"}, id="identifier"),
        pytest.param("SELECT raw:field, raw[0]:x", set(), id="paths into JSON"),
    ],
)
def test_parameter_markers_are_found(text: str, names: set[str]) -> None:
    assert split_statements(text)[0].parameters == names


def test_a_statement_knows_its_line() -> None:
    assert [statement.line for statement in split_statements("\n-- c\nSELECT 1;\n\nSELECT\n2")] == [2, 4]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("SELECT '$a' FROM ${t}", "SELECT 'x y' FROM cat.s.t", id="both spellings"),
        pytest.param("${spark.x} $unknown $1", "${spark.x} $unknown $1", id="unknown names stay"),
        pytest.param("$ab $a", "$ab x y", id="whole names only"),
    ],
)
def test_known_names_are_replaced_in_the_text(text: str, wanted: str) -> None:
    assert substitute(text, {"a": "x y", "t": "cat.s.t"}) == wanted


@given(st.text(alphabet=st.sampled_from("a;'\"`-/*\\\n :$rBEGINDCAS")))
def test_any_text_is_cut_into_tokens_without_loss(text: str) -> None:
    assert "".join(piece for _, piece, _ in tokens(text)) == text
    for statement in split_statements(text):
        assert statement.text in text


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(text * 50_000, id=text)
        for text in ('"\\', "'\\", "`", "$$", "/*", "${", "{{", "r'", "BEGIN ", "'a")
    ],
)
def test_no_text_takes_long(text: str) -> None:
    begun = time.process_time()
    split_statements(text)
    substitute(text, {"a": "b"})
    assert time.process_time() - begun < 2


def test_a_string_without_an_end_is_one_token_with_the_rest() -> None:
    assert [piece for _, piece, _ in tokens("SELECT 'a; b \\")] == ["SELECT", " ", "'a; b \\"]


PIECES = st.sampled_from(
    [
        *("COPY", "INTO", "FROM", "SELECT", "BY", "POSITION", "FILEFORMAT", "FILES", "PATTERN", "FORMAT_OPTIONS", "t"),
        *(
            "CREATE",
            "STREAMING",
            "TABLE",
            "MATERIALIZED",
            "VIEW",
            "CONSTRAINT",
            "EXPECT",
            "FLOW",
            "AUTO",
            "CDC",
            "KEYS",
        ),
        *("STREAM", "read_files", "cloud_files", "(", ")", ",", "=", ">", ".", "'x'", "`n`", "-- c\n", "/* c */", "AS"),
        *("IDENTIFIER", "COPY_OPTIONS", "SEQUENCE", "CLUSTER", "LIST", "APPLY", "CHANGES", "''", '"', "/*", "{{a}}"),
    ]
)


class Constants:
    """The texts of the expressions, without Spark."""

    def of(self, expressions: list[str]) -> list[str]:
        return list(expressions)


@settings(max_examples=400)
@given(
    st.lists(PIECES, max_size=14), st.sampled_from(["", "COPY INTO ", "COPY INTO t FROM ", "FROM STREAM(", "CREATE "])
)
def test_a_broken_statement_is_an_error_of_ours(pieces: list[str], start: str) -> None:
    """Each reader meets the end of the text as a token: no statement ends in an IndexError."""
    text = start + " ".join(pieces)
    words = read_tokens(text)
    readers: list[Callable[[], object]] = [
        lambda: parse_copy(text, words, Constants()),  # type: ignore[arg-type]
        lambda: without_auto(text, words),
        lambda: list(statements(text)),
        lambda: [streamed(words, place, closing(words, place + 1)) for place in range(len(words))],
        lambda: split_arguments(text, words),
        lambda: owner(text, ""),
        lambda: fill_markers(text, {}),
    ]
    for read in readers:
        with suppress(MedallionError):
            read()


def test_behind_the_last_token_is_the_end() -> None:
    words = read_tokens("a -- b")
    assert (len(words), words[0].word, words[1].kind, words[99].text, words[-1].text) == (1, "A", END, "", "a")
    assert read_tokens("-- nothing")[0].kind == END
    assert [token.text for token in read_tokens("a b c")[1:]] == ["b", "c"]
