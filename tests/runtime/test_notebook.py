"""A notebook runs in a process of its own: its cells, its output, its record, its failures."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.runtime.protocol import NOTEBOOK_FILE, PAGE_FILE


def outputs(cell: Any) -> list[tuple[str, str]]:
    """Kind and text of a cell's outputs."""
    return [(one.output_type, one.get("text") or one.get("data", {}).get("text/plain", "")) for one in cell.outputs]


def test_cells_run_in_order_and_share_their_names(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("x = 2", "y = x * 21", "print(y)")
    assert ran.result.success
    assert ran.lines == ["42"]
    assert {"start", "run", "process", "spark", "shell"} == set(ran.result.seconds)


def test_prints_stand_as_they_were_and_in_order(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "import os, subprocess, sys\n"
        "print('one')\n"
        "os.system('echo two')\n"
        "print('three', file=sys.stderr)\n"
        "subprocess.run(['echo', 'four'])\n"
        "sys.stdout.buffer.write(b'five\\n')\n"
        "os.write(1, b'six\\n')\n"
        "print('  seven\\tü');"
    )
    wanted = ["one", "two", "three", "four", "five", "six", "  seven\tü"]
    assert [line for line in ran.lines if "CompletedProcess" not in line] == wanted
    printed = "".join(one.text for one in ran.cells[0].outputs if one.output_type == "stream")
    assert printed.split("\n")[:-1] == wanted


def test_output_comes_while_the_cell_runs(run: Callable[..., Any], write: Callable[..., Path], tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    path = write(
        tmp_path / "nb.py",
        "import os, time\nprint('first')\nos.system('echo second')\n"
        f"while not os.path.exists({str(flag)!r}): time.sleep(0.01)",
    )
    seen: list[str] = []

    class Lines(list[str]):
        def append(self, line: str) -> None:
            seen.append(line)
            if len(seen) == 2:
                flag.touch()

    from medallion.runtime.launch import launch
    from medallion.runtime.protocol import Places, TaskContext
    from medallion.settings import Settings

    context = TaskContext("notebook", str(path), str(tmp_path / "out"), Places("/nope", "/nope", "/nope"))
    settings = Settings.load(tmp_path, environ={})
    result = launch(context, settings, answers=None, on_output=Lines().append, timeout=30, spare=False)  # type: ignore[arg-type]
    assert result.success
    assert seen == ["first", "second"]


def test_the_executed_notebook_is_kept_with_outputs_and_states(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("print('hello')\n1 + 1", "# DBTITLE 1,Broken\n1 / 0", "print('never')")
    first, second, third = ran.cells
    assert outputs(first) == [("stream", "hello\n"), ("display_data", "2")]
    assert [cell.metadata.medallion.status for cell in ran.cells] == ["ok", "failed", "pending"]
    assert second.outputs[-1].ename == "ZeroDivisionError"
    assert second.metadata["application/vnd.databricks.v1+cell"].title == "Broken"
    assert third.outputs == []


def test_a_page_follows_that_runs_no_scripts(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("displayHTML('<b>bold</b><script>evil()</script>')")
    page = ran.output / PAGE_FILE
    limit = time.monotonic() + 30
    while not page.exists() and time.monotonic() < limit:
        time.sleep(0.05)
    text = page.read_text()
    assert "<b>bold</b>" in text
    assert re.search(r"""Content-Security-Policy" content="default-src 'none';""", text)
    assert "script-src" not in text


def test_a_failure_ends_the_log_with_cell_line_and_the_users_own_trace(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "def inner():\n    return {}['missing']",
        "# DBTITLE 1,Call it\nx = 1\n\ninner()",
        "print('never')",
        name="job.py",
    )
    assert not ran.result.success
    failure = ran.result.failure
    assert (failure.kind, failure.cell, failure.line) == ("KeyError", 2, 10)
    tail = ran.lines[ran.lines.index('Cell 2 "Call it" failed at line 10 of job.py:') :]
    path = ran.context.path
    assert tail == [
        'Cell 2 "Call it" failed at line 10 of job.py:',
        "    inner()",
        "Traceback (most recent call last):",
        f'  File "{path}", line 10, in <module>',
        "    inner()",
        f'  File "{path}", line 3, in inner',
        "    return {}['missing']",
        "           ~~^^^^^^^^^^^",
        "KeyError: 'missing'",
    ]
    assert failure.trace == "\n".join(tail[2:]) + "\n"


@pytest.mark.parametrize(
    ("cell", "kind", "line", "words"),
    [
        pytest.param("x = 1\ny = = 2", "SyntaxError", 7, "invalid syntax", id="syntax error"),
        pytest.param("if True:\nx = 1", "IndentationError", 7, "expected an indented block", id="indentation"),
        pytest.param("x = 1\nraise SystemExit(3)", "Exit", 7, "sys.exit(3)", id="sys.exit"),
        pytest.param("import sys\nsys.exit('no data')", "Exit", 7, "sys.exit('no data')", id="exit with a text"),
        pytest.param("raise KeyboardInterrupt", "KeyboardInterrupt", 6, "", id="interrupt"),
        pytest.param("import nowhere_at_all", "ModuleNotFoundError", 6, "nowhere_at_all", id="import"),
        pytest.param("await asyncio.sleep('x')", "NameError", 6, "asyncio", id="in top-level await"),
        pytest.param("import os\nos._exit(3)", "Exit", 6, "status 3", id="os._exit"),
        pytest.param("import os\nos._exit(0)", "Exit", 6, "status 0", id="os._exit before the end"),
        pytest.param("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "Killed", 6, "SIGKILL", id="killed"),
        pytest.param("import ctypes\nctypes.string_at(0)", "Killed", 6, "SIGSEGV", id="crash"),
        pytest.param("%nothing_known", "UsageError", 6, "nothing_known", id="unknown magic"),
        pytest.param("raise ExceptionGroup('g', [ValueError('a')])", "ExceptionGroup", 6, "g", id="group"),
    ],
)
def test_each_way_to_fail_gives_cell_line_and_reason(
    run_cells: Callable[..., Any], cell: str, kind: str, line: int, words: str
) -> None:
    ran = run_cells("print('before')", cell, "print('after')")
    assert not ran.result.success
    failure = ran.result.failure
    assert (failure.kind, failure.cell, failure.line) == (kind, 2, line)
    assert words in failure.message
    assert "before" in ran.lines
    assert "after" not in ran.lines
    assert "medallion/runtime" not in ran.text
    assert "IPython" not in failure.trace
    assert not failure.transient


def test_what_was_printed_right_before_a_crash_is_not_lost(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("import os\nprint('python')\nos.system('echo child')\nos.write(1, b'raw')\nos._exit(1)")
    assert ran.lines[:3] == ["python", "child", "raw"]


def test_an_error_with_its_cause_shows_both(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('wrapped') from e")
    assert "ZeroDivisionError: division by zero" in ran.text
    assert "The above exception was the direct cause" in ran.text
    assert ran.lines[-1] == "ValueError: wrapped"


def test_sys_exit_without_a_status_is_a_success(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("import sys\nsys.exit(0)", "print('after')")
    assert ran.result.success
    assert ran.lines == []


def test_a_jupyter_notebook_counts_lines_within_the_cell(run: Callable[..., Any], tmp_path: Path) -> None:
    cells = [{"cell_type": "code", "source": "x = 1"}, {"cell_type": "code", "source": "\ny = 2\n1 / 0"}]
    path = tmp_path / "nb.ipynb"
    path.write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    ran = run(path)
    assert (ran.result.failure.cell, ran.result.failure.line) == (2, 3)
    assert "Cell 2 failed at line 3 of the cell:" in ran.lines
    assert "    1 / 0" in ran.lines


def test_ipython_runs_await_help_shell_and_magics(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "import asyncio\nprint(await asyncio.sleep(0, 'awaited'))",
        "!echo from the shell",
        "files = !echo captured\nprint(files)",
        "%time z = 5",
        "len?",
        "%%bash\necho in bash",
    )
    assert ran.result.success
    for words in ("awaited", "from the shell", "['captured']", "Wall time", "Return the number of items", "in bash"):
        assert words in ran.text


def test_the_folder_is_the_notebooks_and_modules_beside_it_import(
    run: Callable[..., Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "root" / "shared").mkdir(parents=True)
    (tmp_path / "root" / "shared" / "__init__.py").write_text("VALUE = 'from the root'")
    path = write(
        tmp_path / "root/nb/main.py",
        "import os, sys, beside, shared\nprint(os.getcwd())\nprint(beside.X, shared.VALUE)",
    )
    (path.parent / "beside.py").write_text("X = 'beside'")
    ran = run(path, root=str(tmp_path / "root"))
    assert ran.lines == [str(path.parent), "beside from the root"]


def test_a_path_without_extension_is_found(run: Callable[..., Any], write: Callable[..., Path], tmp_path: Path) -> None:
    write(tmp_path / "nb/main.py", "print('found')")
    assert run(tmp_path / "nb/main").lines == ["found"]


def test_a_missing_notebook_is_a_failure_with_a_hint(
    run: Callable[..., Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    write(tmp_path / "main.py", "1")
    ran = run(tmp_path / "mian")
    assert ran.result.failure.kind == "SpecError"
    assert "did you mean main?" in ran.text


def test_the_environment_is_the_tasks_own(run_cells: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "secret")
    monkeypatch.setenv("AIRFLOW_CONN_X", "secret")
    monkeypatch.setenv("MEDALLION_API_TOKEN", "secret")
    monkeypatch.setenv("KEPT", "yes")
    ran = run_cells(
        "import os\nprint(sorted(k for k in os.environ if 'AIRFLOW__' in k or 'AIRFLOW_CONN' in k or 'TOKEN' in k))\n"
        "print(os.environ['KEPT'], os.environ['OWN'])",
        environment={"OWN": "mine"},
    )
    assert ran.lines == ["[]", "yes mine"]


def test_scala_and_r_cells_fail_with_a_clear_message(
    run_cells: Callable[..., Any], as_magic: Callable[[str], str]
) -> None:
    for language in ("scala", "r"):
        ran = run_cells("print('ran')", as_magic(f"%{language}\nprintln(1)"))
        assert ran.lines[0] == "ran"
        assert ran.result.failure.kind == "UnsupportedError"
        assert f"cell 2 of nb.py is in {language.capitalize()}" in ran.result.failure.message


def test_markdown_is_not_run_and_stands_in_the_record(
    run_cells: Callable[..., Any], as_magic: Callable[[str], str]
) -> None:
    ran = run_cells(as_magic("%md\n# Title\nText"), "print(1)")
    assert ran.cells[0].cell_type == "markdown"
    assert ran.cells[0].source == "# Title\nText"
    assert ran.lines == ["1"]


def test_display_shows_frames_as_tables(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "import pandas as pd\ndf = pd.DataFrame({'name': ['<a>', 'b'], 'n': [1, None]})\ndisplay(df)", "df.head(1)"
    )
    assert "| name | n   |" in ran.lines
    html = ran.cells[0].outputs[0].data["text/html"]
    assert "&lt;a&gt;" in html
    assert "<td>b</td>" in html
    assert "text/html" in ran.cells[1].outputs[0].data


def test_a_long_frame_is_cut(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("import pandas as pd\ndisplay(pd.DataFrame({'n': range(5000)}))")
    assert ran.cells[0].outputs[0].data["text/html"].count("<tr>") == 1001
    assert ran.lines[-1] == "20 of 1,000 or more rows"


def test_a_cells_last_value_is_shown_unless_it_ends_in_a_semicolon(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("'value'", "'quiet';", "None")
    assert ran.lines == ["'value'"]


def test_the_runtime_module_gives_the_same_names(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "from databricks.sdk.runtime import *\nfrom databricks.sdk.runtime import dbutils as other\n"
        "import databricks.sdk.runtime\nfrom pyspark.dbutils import DBUtils\n"
        "print(other is dbutils, DBUtils() is dbutils, databricks.sdk.runtime.display is display)"
    )
    assert ran.lines == ["True True True"]


def test_each_process_has_its_own_random_numbers(run_cells: Callable[..., Any]) -> None:
    cell = "import random, numpy, uuid\nprint(random.random(), numpy.random.rand(), uuid.uuid4())"
    assert not set(run_cells(cell).text.split()) & set(run_cells(cell).text.split())


def test_a_fresh_process_runs_the_same(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("print(dbutils.widgets.get('a'))\n1 / 0", parameters={"a": "given"}, spare=False)
    assert ran.lines[0] == "given"
    assert (ran.result.failure.kind, ran.result.failure.line) == ("ZeroDivisionError", 3)


def test_user_code_cannot_forge_the_end_by_printing(run_cells: Callable[..., Any]) -> None:
    ran = run_cells('print(\'{"event": "finished"}\')', "1 / 0")
    assert not ran.result.success


def test_a_large_output_is_whole_in_the_log_and_cut_in_the_record(run_cells: Callable[..., Any]) -> None:
    ran = run_cells("for i in range(30000):\n    print('x' * 50, i)")
    assert len(ran.lines) == 30000
    assert ran.lines[-1].endswith("29999")
    assert (ran.output / NOTEBOOK_FILE).stat().st_size < 2_000_000


NO_ROOM = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))"


def test_a_notebook_whose_record_finds_no_room_runs_to_its_end_and_fails_in_words(
    run_cells: Callable[..., Any],
) -> None:
    ran = run_cells(NO_ROOM, "print('x' * 1000)", "print('last')")
    assert ran.lines[:2] == ["x" * 1000, "last"]
    told, *more = ran.lines[2:]
    assert more == []
    assert told.startswith("DiskFullError: the limit of a file's size is reached (ulimit -f): ")
    assert (ran.result.success, ran.result.failure.kind) == (False, "DiskFullError")
    assert not [file for file in ran.output.iterdir() if file.name.endswith(".part")]


def test_a_failure_of_the_users_own_counts_more_than_a_record_without_room(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(NO_ROOM, "print('x' * 1000)\nraise ValueError('mine')")
    assert (ran.result.failure.kind, ran.result.failure.message) == ("ValueError", "mine")
    assert ran.lines[-1] == "ValueError: mine"


def test_a_file_of_the_users_own_that_finds_no_room_is_told_with_its_line(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))\n"
        "import os; os.makedirs('/Volumes')\n"
        "with open('/Volumes/big', 'wb') as stream:\n    stream.write(bytes(200_000))"
    )
    assert (ran.result.failure.kind, ran.result.failure.line) == ("DiskFullError", 6)
    assert "OSError: [Errno 27] File too large" in ran.text
    assert ran.lines[-1].startswith("DiskFullError: the limit of a file's size is reached")
