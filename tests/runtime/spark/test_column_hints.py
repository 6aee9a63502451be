"""The names of columns of the system tables, by what people call them."""

from __future__ import annotations

import pytest

from medallion.runs.system_tables.schema import TABLES
from medallion.runtime.spark.column_hints import MEANT, column_hint, column_meant

MESSAGE = (
    "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `r`.`start_time` cannot be "
    "resolved. Did you mean one of the following? [`r`.`run_type`, `r`.`job_id`]. SQLSTATE: 42703; line 1 pos 7;\n'Project"
)


@pytest.mark.parametrize(
    ("table", "wrong", "meant"),
    [
        pytest.param("job_run_timeline", "start_time", "period_start_time", id="start"),
        pytest.param("job_run_timeline", "END_TIME", "period_end_time", id="end"),
        pytest.param("job_run_timeline", "status", "result_state", id="state"),
        pytest.param("job_run_timeline", "duration", "run_duration_seconds", id="duration of a run"),
        pytest.param("job_task_run_timeline", "duration", "execution_duration_seconds", id="duration of a task"),
        pytest.param("job_task_run_timeline", "task_name", "task_key", id="task"),
        pytest.param("jobs", "job_name", "name", id="job"),
        pytest.param("job_run_timeline", "job_name", "run_name", id="name of a run's job"),
        pytest.param("job_run_timeline", "result_sate", "result_state", id="letters"),
        pytest.param("jobs", "zzzz", None, id="nothing like it"),
    ],
)
def test_a_column_is_found_by_its_meaning(table: str, wrong: str, meant: str | None) -> None:
    assert column_meant(wrong, [name for name, _ in TABLES[table].columns]) == meant


def test_every_meaning_is_a_column_of_a_system_table() -> None:
    assert set(MEANT) <= {name for table in TABLES.values() for name, _ in table.columns}


@pytest.mark.parametrize(
    ("message", "text", "hint"),
    [
        pytest.param(
            MESSAGE,
            "SELECT r.start_time FROM `system`.lakeflow.`job_run_timeline` r",
            "system.lakeflow.job_run_timeline calls it period_start_time",
            id="a system table",
        ),
        pytest.param(MESSAGE, "SELECT start_time FROM main.x.y", None, id="another table"),
        pytest.param("[PARSE_SYNTAX_ERROR] start_time", "FROM system.lakeflow.jobs", None, id="another error"),
    ],
)
def test_a_hint_is_for_system_tables_alone(message: str, text: str, hint: str | None) -> None:
    def columns(name: str) -> list[str]:
        return [column for column, _ in TABLES[name.rpartition(".")[2]].columns]

    assert column_hint(message, text, columns) == hint
