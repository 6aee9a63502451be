"""dbutils as notebooks use it, in real processes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from medallion.runtime.protocol import RunIds


def test_exit_gives_its_value_and_no_broad_except_stops_it(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "try:\n    dbutils.notebook.exit({'a': 1})\nexcept Exception:\n    print('caught')", "print('after')"
    )
    assert ran.result.success
    assert ran.result.exit_value == "{'a': 1}"
    assert ran.lines == []
    assert [cell.metadata.medallion.status for cell in ran.cells] == ["exit", "pending"]


def test_parameters_reach_widgets_and_arguments(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "dbutils.widgets.text('day', 'never')\nprint(dbutils.widgets.get('day'), getArgument('day'))\n"
        "print(dbutils.widgets.getAll())",
        parameters={"day": "2026-01-31", "x": "1"},
    )
    assert ran.lines == ["2026-01-31 2026-01-31", "{'day': '2026-01-31', 'x': '1'}"]


def test_a_missing_widget_fails_with_databricks_name_and_a_hint(run_cells: Callable[..., Any]) -> None:
    failure = run_cells("dbutils.widgets.get('dya')", parameters={"day": "1"}).result.failure
    assert failure.kind == "InputWidgetNotDefined"
    assert "did you mean day?" in failure.message


@pytest.mark.parametrize("value", [1, 2.5, "text", True, None, [1, {"a": None}], {"k": ["v"]}], ids=repr)
def test_a_task_value_keeps_its_type(run_cells: Callable[..., Any], value: object) -> None:
    ran = run_cells(f"dbutils.jobs.taskValues.set(key='k', value={value!r})")
    assert ran.result.success
    assert ran.answers.kept == {"k": value}


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        pytest.param("set('k', {1, 2})", "TaskValueError", "is not JSON", id="a set"),
        pytest.param("set('k', float('nan'))", "TaskValueError", "is not JSON", id="not a number"),
        pytest.param("set('k', 'x' * 50_000)", "TaskValueError", "48 KiB", id="too large"),
        pytest.param("set(5, 1)", "TypeError", "is a text", id="key"),
        pytest.param("get('other', 'k')", "TaskValueError", "has no task value 'k'", id="missing"),
        pytest.param("get('forbidden', 'k')", "MedallionError", "not upstream", id="refused by the worker"),
    ],
)
def test_task_values_say_what_is_wrong(run_cells: Callable[..., Any], call: str, kind: str, words: str) -> None:
    failure = run_cells(f"dbutils.jobs.taskValues.{call}").result.failure
    assert failure.kind == kind
    assert words in failure.message


def test_task_values_of_others_are_read(run_cells: Callable[..., Any], answers: Callable[..., Any]) -> None:
    given = answers(values={("up", "k"): {"a": [1]}, ("up", "zero"): 0})
    ran = run_cells(
        "v = dbutils.jobs.taskValues\nprint(v.get('up', 'k'), v.get(taskKey='up', key='zero', default=5, debugValue=9))\n"
        "print(v.get('up', 'none', default='d'))",
        answers=given,
    )
    assert ran.lines == ["{'a': [1]} 0", "d"]


def test_outside_a_job_task_values_take_debug_values(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "dbutils.jobs.taskValues.set('k', 1)\nprint(dbutils.jobs.taskValues.get('t', 'k', debugValue=7))",
        "dbutils.jobs.taskValues.get('t', 'k', default=1)",
        in_job=False,
    )
    assert ran.lines[0] == "7"
    assert ran.answers.kept == {}
    assert (ran.result.failure.kind, ran.result.failure.cell) == ("TypeError", 2)
    assert "Must pass debugValue" in ran.result.failure.message


def test_secrets_are_read_and_masked(run_cells: Callable[..., Any], answers: Callable[..., Any]) -> None:
    given = answers(vault={"vault": {"pass": "hunter22", "other": "x"}})
    ran = run_cells(
        "s = dbutils.secrets.get(scope='vault', key='pass')\nprint(s, len(s), dbutils.secrets.getBytes('vault', 'pass'))\n"
        "print([x.key for x in dbutils.secrets.list('vault')], [x.name for x in dbutils.secrets.listScopes()])\n"
        "import os\nos.system(f'echo {s}')",
        "dbutils.notebook.exit(s)",
        answers=given,
    )
    assert ran.lines == [
        "[REDACTED] 8 b'[REDACTED]'",
        "['other', 'pass'] ['vault']",
        "[REDACTED]",
        "0",
    ]
    assert ran.result.exit_value == "[REDACTED]"
    assert "hunter22" not in (ran.output / "notebook.ipynb").read_text() + (ran.output / "result.json").read_text()


LEAK = """
import json, sys
from urllib.parse import quote
import pandas as pd
s, port = dbutils.secrets.get('vault', 'pass'), dbutils.secrets.get('vault', 'port')
print(json.dumps(s), repr(s), quote(s, safe=''))
print(s, file=sys.stderr)
display(pd.DataFrame({'a': [s], s: [1]}))
displayHTML('<b>' + s + '</b>')
dbutils.jobs.taskValues.set('v', {'of': [s, int(port), 155432.5], s: 1})
print(dbutils.notebook.run('inner', 60, {'given': s}) == s)
raise ValueError('no entry with ' + s)
"""


def test_a_secret_is_in_no_file_of_the_task_and_of_the_notebooks_it_calls(
    run_cells: Callable[..., Any], answers: Callable[..., Any], write: Callable[..., Any], tmp_path: Path
) -> None:
    secret, variable = "hunter2/a 'long' \"one\" of more than forty letters & signs", "of-a-file-4711"
    given = answers(vault={"vault": {"pass": secret, "port": "55432"}})
    inner = "s = dbutils.widgets.get('given')\nimport os\nprint('inner', s, len(s), len(os.environ['OF_A_FILE']))\n"
    write(tmp_path / "inner.py", inner + "dbutils.notebook.exit(s)")
    ran = run_cells(LEAK, answers=given, environment={"OF_A_FILE": variable}, parameters={"plain": "stays"})
    assert ran.result.failure.kind == "ValueError"
    assert f"[inner] inner [REDACTED] {len(secret)} {len(variable)}" in ran.lines
    assert given.kept == {"v": {"of": ["[REDACTED]", "[REDACTED]", 155432.5], "[REDACTED]": 1}}
    files = [file for file in ran.output.rglob("*") if file.is_file()]
    assert {"context.json", "result.json", "notebook.ipynb"} <= {file.name for file in files}
    text = "\n".join([ran.text, str(ran.result), *(file.read_text() for file in files)])
    assert not [part for part in (secret, "hunter2", variable) if part in text]
    assert '"plain": "stays"' in text
    assert {file.stat().st_mode & 0o777 for file in files if file.name == "context.json"} == {0o600}


def test_a_missing_secret_says_so(run_cells: Callable[..., Any]) -> None:
    failure = run_cells("dbutils.secrets.get('no', 'key')").result.failure
    assert failure.kind == "SecretError"
    assert "Secret does not exist with scope: no and key: key" in failure.message


def test_trap_26_notebook_run_shares_nothing_and_is_a_run_of_its_own(
    run_cells: Callable[..., Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    write(
        tmp_path / "deep/child.py",
        "print('in the child', 'x' in globals(), dbutils.widgets.get('n'))",
        "dbutils.notebook.exit('answer ' + dbutils.widgets.get('n'))",
    )
    write(tmp_path / "quiet.py", "1")
    ran = run_cells(
        "x = 1\nprint(dbutils.notebook.run('./deep/child', 60, {'n': 5}))\nprint(repr(dbutils.notebook.run('quiet', 0)))"
    )
    assert ran.result.success
    assert ran.lines == ["[child] in the child False 5", "answer 5", "[quiet] 1", "''"]
    assert (ran.output / "runs/1-child/notebook.ipynb").is_file()


def test_notebooks_run_beside_each_other_from_threads(
    run_cells: Callable[..., Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    write(tmp_path / "child.py", "dbutils.notebook.exit(dbutils.widgets.get('n'))")
    ran = run_cells(
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(3) as pool:\n"
        "    print(list(pool.map(lambda n: dbutils.notebook.run('child', 60, {'n': n}), range(5))))"
    )
    assert ran.lines == ["['0', '1', '2', '3', '4']"]


def test_a_called_notebook_that_fails_or_hangs_raises(
    run_cells: Callable[..., Any], write: Callable[..., Path], tmp_path: Path
) -> None:
    write(tmp_path / "bad.py", "x = 1\nraise ValueError('bad day')")
    write(tmp_path / "hang.py", "import time\ntime.sleep(100)")
    ran = run_cells(
        "try:\n    dbutils.notebook.run('bad', 60)\nexcept Exception as e:\n    print(e)",
        "dbutils.notebook.run('hang', 1)",
    )
    assert "notebook bad.py failed in cell 1, line 3: ValueError: bad day" in ran.lines
    assert ran.result.failure.kind == "NotebookRunError"
    assert "hang.py failed in cell 1, line 2: Timeout" in ran.result.failure.message


def test_the_context_tells_of_the_run(run_cells: Callable[..., Any]) -> None:
    ids = RunIds(job_id=11, job_name="j", run_id=22, task_run_id=33, task_key="t")
    ran = run_cells(
        "import json\nc = dbutils.notebook.entry_point.getDbutils().notebook().getContext()\n"
        "print(c.notebookPath().get(), c.jobId().get(), c.currentRunId().get().id, c.tags().apply('taskKey'))\n"
        "print(c.tags().get('nothing').isDefined(), c.tags().get('jobName').getOrElse('-'))\n"
        "dbutils.notebook.exit(c.toJson())",
        ids=ids,
        workspace_path="/Workspace/x/nb",
    )
    assert ran.lines == ["/Workspace/x/nb 11 33 t", "False j"]
    facts = json.loads(ran.result.exit_value)
    assert facts["currentRunId"] == {"id": 33}
    assert facts["tags"]["multitaskParentRunId"] == "22"
    assert facts["extraContext"]["notebook_path"] == "/Workspace/x/nb"


def test_restart_clears_the_variables_and_goes_on(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "x = 1\nimport json",
        "dbutils.library.restartPython()\nprint('not reached')",
        "print('x' in globals(), 'json' in globals(), 'dbutils' in globals())",
        "%restart_python",
        "print('on')",
    )
    assert ran.result.success
    assert ran.lines == ["False False True", "on"]


def test_help_and_refusals(run_cells: Callable[..., Any]) -> None:
    ran = run_cells(
        "dbutils.help()\ndbutils.fs.help('ls')",
        "try:\n    dbutils.credentials.assumeRole('x')\nexcept Exception as e:\n    print(e)",
        "import pandas as pd\ndbutils.data.summarize(pd.DataFrame({'n': [1, 2, 3]}))",
    )
    assert ran.result.success
    for words in ("dbutils.secrets:", "getAll", "List a folder", "no cloud role", "mean"):
        assert words in ran.text
