"""`{{name}}` in the text of a SQL task is a value, as Databricks' mustache parameters are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medallion.runtime.sql_markers import MarkerError, fill_markers
from medallion.runtime.sql_text import split_statements, tokens

VALUES = {
    "catalog": "main",
    "schema": "ada-l",
    "target": "prod",
    "table": "main.sales.orders",
    "path": "/Volumes/main/in",
    "n": "10",
    "quoted": 'it\'s \\ "x"',
    "evil": "x'; DROP TABLE t; --",
    "env": "dev",
    "ticked": "a`b",
    "dollar": "$catalog {{catalog}} :n",
    "empty": "",
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        pytest.param("USE IDENTIFIER({{schema}})", "USE IDENTIFIER('ada-l')", id="identifier clause"),
        pytest.param('if({{ target }} = "prod", 1, 2)', "if('prod' = \"prod\", 1, 2)", id="compared"),
        pytest.param(
            "IDENTIFIER({{catalog}} || '.' || {{schema}})", "IDENTIFIER('main' || '.' || 'ada-l')", id="joined"
        ),
        pytest.param("USE CATALOG {{catalog}}", "USE CATALOG `main`", id="after USE CATALOG"),
        pytest.param("USE CATALOG `{{catalog}}`", "USE CATALOG `main`", id="in back-ticks"),
        pytest.param("SELECT '{{target}}', \"a {{target}}\"", "SELECT 'prod', \"a prod\"", id="in strings"),
        pytest.param("WHERE price < {{n}}", "WHERE price < '10'", id="a number is a text, as by :n"),
        pytest.param("SELECT {{quoted}}", r"""SELECT 'it\'s \\ "x"'""", id="quotes in a value"),
        pytest.param("SELECT '{{quoted}}'", r"""SELECT 'it\'s \\ "x"'""", id="quotes inside single quotes"),
        pytest.param('SELECT "{{quoted}}"', r"""SELECT "it's \\ \"x\"" """.strip(), id="quotes inside double quotes"),
        pytest.param("SELECT `{{ticked}}`", "SELECT `a``b`", id="a back-tick in back-ticks"),
        pytest.param("SELECT r'{{path}}'", "SELECT r'/Volumes/main/in'", id="in a raw string"),
        pytest.param("AS $$x {{quoted}}$$", 'AS $$x it\'s \\ "x"$$', id="between dollars"),
        pytest.param("SELECT * FROM {{catalog}}.{{schema}}.t", "SELECT * FROM `main`.`ada-l`.t", id="parts of a name"),
        pytest.param("SELECT * FROM {{table}}", "SELECT * FROM `main`.`sales`.`orders`", id="a table's name"),
        pytest.param("INSERT INTO {{table}} SELECT 1", "INSERT INTO `main`.`sales`.`orders` SELECT 1", id="INTO"),
        pytest.param("DROP TABLE IF EXISTS {{table}}", "DROP TABLE IF EXISTS `main`.`sales`.`orders`", id="IF EXISTS"),
        pytest.param("SHOW TABLES IN {{catalog}}.x", "SHOW TABLES IN `main`.x", id="SHOW … IN"),
        pytest.param("FROM STREAM({{table}})", "FROM STREAM(`main`.`sales`.`orders`)", id="STREAM"),
        pytest.param("SELECT raw_{{env}}.a, {{env}}_x", "SELECT raw_dev.a, dev_x", id="part of a word"),
        pytest.param("COPY INTO t FROM {{path}}", "COPY INTO t FROM '/Volumes/main/in'", id="a path after FROM"),
        pytest.param("EXTRACT(YEAR FROM {{target}})", "EXTRACT(YEAR FROM 'prod')", id="EXTRACT … FROM"),
        pytest.param("a IS DISTINCT FROM {{env}}", "a IS DISTINCT FROM 'dev'", id="DISTINCT FROM"),
        pytest.param("SELECT 1 LIMIT {{n}}", "SELECT 1 LIMIT 10", id="LIMIT takes numbers"),
        pytest.param("INTERVAL {{n}} MINUTE", "INTERVAL '10' MINUTE", id="interval"),
        pytest.param("SELECT {{evil}}", r"SELECT 'x\'; DROP TABLE t; --'", id="no way out of a value"),
        pytest.param("SELECT '{{evil}}'", r"SELECT 'x\'; DROP TABLE t; --'", id="no way out of a string"),
        pytest.param("FROM {{evil}}", r"FROM 'x\'; DROP TABLE t; --'", id="no name of it"),
        pytest.param("raw_{{evil}}", r"raw_'x\'; DROP TABLE t; --'", id="no word of it"),
        pytest.param("SELECT 1 -- {{catalog}} {{no}}", "SELECT 1 -- {{catalog}} {{no}}", id="comment"),
        pytest.param("/* {{catalog}} {{no}} */ SELECT 1", "/* {{catalog}} {{no}} */ SELECT 1", id="block comment"),
        pytest.param("SELECT '{{no}}'", "SELECT '{{no}}'", id="unknown name in a string"),
        pytest.param("SELECT {{dollar}}, $n", "SELECT '$catalog {{catalog}} :n', 10", id="a value is not read again"),
        pytest.param("SELECT {{empty}}", "SELECT ''", id="empty"),
        pytest.param("${catalog}.$env", "main.dev", id="the older spellings"),
        pytest.param("SELECT map('a', {'b': 1})", "SELECT map('a', {'b': 1})", id="other braces"),
    ],
)
def test_a_marker_is_what_can_stand_there(text: str, wanted: str) -> None:
    assert fill_markers(text, VALUES) == wanted


@pytest.mark.parametrize(
    ("text", "wanted", "line"),
    [
        pytest.param("SELECT 1;\nUSE {{catalgo}}", "did you mean catalog?", 2, id="misspelt"),
        pytest.param("SELECT {{zzzz}}", "known: catalog", 1, id="unknown"),
        pytest.param("\n\nSELECT {{job.run_id}}", "give it run_id: '{{job.run_id}}'", 3, id="a reference"),
        pytest.param("SELECT r'{{quoted}}'", "which ends the literal", 1, id="the end of a raw string"),
    ],
)
def test_a_marker_that_cannot_be_filled_says_where_and_what_to_do(text: str, wanted: str, line: int) -> None:
    with pytest.raises(MarkerError) as raised:
        fill_markers(text, VALUES)
    assert wanted in str(raised.value)
    assert raised.value.medallion_line == line


SURROUNDINGS = st.sampled_from(
    ["{}", "'{}'", '"a {}"', "`{}`", "x_{}", "{}.t", "FROM {}", "LIMIT {}", "/* {} */ 1", "IDENTIFIER({})", "{}{}"]
)


@given(st.text(alphabet="a1.'\"`-/*\\\n ;:$r(){}", max_size=12), SURROUNDINGS)
def test_no_value_ends_what_it_stands_in(value: str, around: str) -> None:
    """Whatever the value is, the statement has as many statements and words behind it as before."""
    text = f"SELECT {around.replace('{}', '{{v}}')} ; SELECT 2"
    filled = fill_markers(text, {"v": value})
    assert [statement.text for statement in split_statements(filled)][-1] == "SELECT 2"
    assert len(split_statements(filled)) == 2
    assert all(kind != "other" or len(piece) == 1 for kind, piece, _ in tokens(filled))
