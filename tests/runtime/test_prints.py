"""What the user prints stands in the log as it was, and secrets do not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("print('Grüße, 世界 🎉')", ["Grüße, 世界 🎉"], id="any language"),
        pytest.param("print('one\\n\\n  two')", ["one", "", "  two"], id="blank lines and leading spaces"),
        pytest.param("print('\\x1b[31mred\\x1b[0m')", ["\x1b[31mred\x1b[0m"], id="colours"),
        pytest.param("print('a\\tb')", ["a\tb"], id="tabs"),
        pytest.param("import sys\nsys.stdout.buffer.write(b'caf\\xe9\\n')", ["caf\ufffd"], id="bytes that are no text"),
        pytest.param("print('half', end='')", ["half"], id="no newline at the end"),
        pytest.param("import os\nos.write(1, b'raw')", ["raw"], id="no newline from below Python"),
        pytest.param(
            "import sys\nfor n in range(3):\n    print(n)\n    print(-n, file=sys.stderr)",
            ["0", "0", "1", "-1", "2", "-2"],
            id="both streams in order",
        ),
        pytest.param(
            "import subprocess\nprint('before')\nsubprocess.run(['echo', 'child'])\nprint('after')",
            ["before", "child", "after"],
            id="a child process in between",
        ),
    ],
)
def test_prints_stand_as_they_were(run_cells: Callable[..., Any], code: str, expected: list[str]) -> None:
    assert run_cells(code + "\nNone").lines == expected


def test_a_progress_bar_is_one_line_of_its_last_state(run_cells: Callable[..., Any]) -> None:
    code = "for n in range(101):\n    print(f'\\r{n:3}% done', end='', flush=True)\nprint()"
    assert run_cells(code).lines == ["100% done"]


def test_a_progress_bar_of_tqdm_is_short(run_cells: Callable[..., Any]) -> None:
    code = "from tqdm import tqdm\nfor n in tqdm(range(1000), mininterval=0):\n    pass\nprint('end')"
    lines = run_cells(code).lines
    assert lines[-1] == "end"
    assert len("\n".join(lines)) < 2000
    assert "100%" in lines[-2]


def test_a_shorter_state_is_written_over_the_longer_one_and_windows_line_ends_stay_quiet(
    run_cells: Callable[..., Any],
) -> None:
    assert run_cells("print('abcdef\\rXY')\nprint('plain\\r')").lines == ["XYcdef", "plain"]


def test_a_line_of_three_million_characters_is_whole(run_cells: Callable[..., Any]) -> None:
    lines = run_cells("print('x' * 3_000_000 + 'end')").lines
    assert "".join(lines) == "x" * 3_000_000 + "end"


def test_a_secret_is_masked_in_every_file_of_the_attempt(run_cells: Callable[..., Any], answers: Any) -> None:
    secret = "s3cr3t-<&>-value"
    cells = (
        "held = dbutils.secrets.get('scope', 'key')\nprint('it is', held)",
        "display([held])\ndisplayHTML(f'<p>{held}</p>')\nheld",
        "dbutils.jobs.taskValues.set('k', {'inner': held})",
        "import sys\nsys.stderr.write(held)\nraise ValueError(held)",
    )
    ran = run_cells(*cells, answers=answers(vault={"scope": {"key": secret}}))
    assert not ran.result.success
    assert secret not in ran.text
    assert "it is [REDACTED]" in ran.lines
    for file in ran.output.iterdir():
        assert secret not in file.read_text(), file.name
    assert ran.answers.kept == {"k": {"inner": "[REDACTED]"}}


SECRET = "s3cr3t-of-thirty-characters-00"
GET = "held = dbutils.secrets.get('scope', 'key')\n"


@pytest.mark.parametrize(
    "code",
    [
        *(
            pytest.param(f"print('x' * {1_000_000 - part} + held + 'y' * 2_000_000)", id=f"{part}")
            for part in (0, 7, 29)
        ),
        pytest.param(
            "import os\nos.write(1, b'x' * 999_990);\nos.write(1, held.encode() + b'\\n');", id="below Python"
        ),
        pytest.param("print('x' * 65_530 + held, end='', flush=True)", id="at the end of a chunk"),
        pytest.param("print(held + '\\rXY')", id="written over"),
        pytest.param("print('of it: \\r' + held)", id="written over another"),
        pytest.param("print('ż' * 999_999 + held)", id="other letters"),
    ],
)
def test_a_secret_is_masked_where_a_line_is_cut_or_written_over(
    run_cells: Callable[..., Any], answers: Any, code: str
) -> None:
    ran = run_cells(GET + code, answers=answers(vault={"scope": {"key": SECRET}}))
    assert ran.result.success, ran.result.failure
    joined = "".join(ran.lines)
    assert not [part for part in (SECRET, SECRET[:8], SECRET[-8:], SECRET[4:12]) if part in joined]
    assert SECRET not in "".join(file.read_text() for file in ran.output.iterdir())


def test_what_a_called_notebook_asked_for_is_masked_in_the_caller_s(
    run_cells: Callable[..., Any], answers: Any, write: Callable[..., Any], tmp_path: Path
) -> None:
    write(tmp_path / "inner.py", f"{GET}open({str(tmp_path / 'held')!r}, 'w').write(held)")
    code = f"dbutils.notebook.run('inner', 60)\nprint('it is', open({str(tmp_path / 'held')!r}).read())"
    ran = run_cells(code, answers=answers(vault={"scope": {"key": SECRET}}))
    assert "it is [REDACTED]" in ran.lines
    assert SECRET not in "".join(file.read_text() for file in ran.output.iterdir() if file.is_file())
