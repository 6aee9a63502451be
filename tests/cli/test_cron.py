"""`medallion cron`."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from medallion.cli.cron import TimeError, app, instant
from medallion.cli.cron_batch import answer, answer_all
from medallion.spec.quartz import QuartzError


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_next_prints_local_time_and_epoch():
    out = run("next", "0 0 2 * * ?", "--timezone", "America/New_York", "--after", "1774672630", "-n", "1")
    assert out == "Sat 2026-03-28 02:00:00 -0400  1774677600\n"


def test_next_prints_one_json_object():
    told = json.loads(run("next", "*/5 * * * *", "--after", "2026-01-01T00:00", "-n", "2", "--json"))
    assert told["next"] == [1767225900, 1767226200]
    assert told["times"][0] == "2026-01-01T00:05:00+00:00"
    assert "Unix cron" in told["note"]


def test_next_says_that_an_expression_never_fires():
    assert run("next", "0 0 0 30 2 ?", "--after", "0") == "never fires after 1970-01-01 00:00:00 +0000\n"


def test_explain_prints_a_sentence():
    assert run("explain", "0 15 10 ? * 6L") == "At 10:15, on the last Friday of the month\n"
    assert json.loads(run("explain", "0 9 * * *", "--json"))["description"] == "At 09:00, every day"


def test_a_wrong_expression_is_an_error_of_ours():
    with pytest.raises(QuartzError, match="hours: '25'"):
        CliRunner().invoke(app, ["next", "0 0 25 * * ?"], catch_exceptions=False, standalone_mode=False)


@pytest.mark.parametrize(
    ("text", "zone", "epoch"),
    [
        ("1774672630", "UTC", 1774672630),
        ("2026-03-28T00:00", "UTC", 1774656000),
        ("2026-03-28T01:00", "Europe/Warsaw", 1774656000),
        ("2026-03-28T02:00+02:00", "America/New_York", 1774656000),
        ("2026-03-28T00:00:00Z", "America/New_York", 1774656000),
        ("2026-03-28", "UTC", 1774656000),
    ],
)
def test_a_time_is_epoch_or_iso(text, zone, epoch):
    assert instant(text, zone) == epoch


@pytest.mark.parametrize("text", ["yesterday", "2026-13-01", "9" * 30, ""])
def test_a_wrong_time_is_an_error_with_an_example(text):
    with pytest.raises(TimeError, match="is not a time"):
        instant(text, "UTC")


@pytest.mark.parametrize(
    ("question", "told"),
    [
        ('{"expr":"0 0 2 * * ?","tz":"America/New_York","after":1774672630,"n":2}', {"next": [1774677600, 1774764000]}),
        ('{"expr":"0 0 2 * * ?","after":1774672630.5,"n":1}', {"next": [1774749600]}),
        ('{"expr":"0 0 2 * * ?","after":"2026-03-28T04:00:00Z","n":1}', {"next": [1774749600]}),
        ('{"expr":"0 0 2 * * ? 2020","after":1774672630}', {"next": []}),
    ],
)
def test_a_batch_line_is_answered(question, told):
    assert json.loads(answer(question.encode())) == told


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ('{"expr":"0 0 25 * * ?","after":0}', "hours"),
        ('{"expr":"0 0 * * *","after":0}', "6 or 7 fields"),
        ('{"expr":"* * * * * ?","tz":"Mars","after":0}', "time zone"),
        ('{"expr":"* * * * * ?","after":0,"n":-1}', "n is not"),
        ('{"expr":"* * * * * ?","after":0,"n":1000000000}', "n is not"),
        ('{"expr":"* * * * * ?","after":"soon"}', "is not a time"),
        ('{"expr":"* * * * * ?","after":NaN}', "NaN"),
        ('{"expr":"* * * * * ?","after":[]}', "after"),
        ('{"expr":"* * * * * ?","tz":1,"after":0}', "tz"),
        ('{"tz":"UTC"}', "expr"),
        ("[]", "expr"),
        ("{", "not a question"),
        ("[" * 100_000, "not a question"),
    ],
)
def test_a_wrong_batch_line_is_answered_with_an_error(question, says):
    told = json.loads(answer(question.encode()))
    assert list(told) == ["error"]
    assert says in told["error"]


@given(st.binary(max_size=60))
def test_any_batch_line_is_answered_with_one_line(line):
    told = answer(line)
    assert told.endswith("\n")
    assert told.count("\n") == 1
    assert set(json.loads(told)) <= {"next", "error"}


def test_lines_are_answered_wherever_the_pieces_end():
    text = b'{"expr":"* * * * * ?","after":0,"n":1}\n' * 3 + b'\n{"expr":"x"}'
    source, sink = io.BytesIO(text), io.BytesIO()
    answer_all(lambda _: source.read(7), sink.write)
    told = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert told[:3] == [{"next": [1]}] * 3
    assert "error" in told[3]


def test_a_batch_answers_before_the_input_ends():
    start = "import sys; from medallion.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", start, "cron", "next", "--batch"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b'{"expr":"* * * * * ?","after":0,"n":1}\n')
        process.stdin.flush()
        assert process.stdout.readline() == b'{"next":[1]}\n'
        process.stdin.close()
        assert process.wait(30) == 0
