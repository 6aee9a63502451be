"""The answer of the process that reads the record."""

from __future__ import annotations

import pytest

from medallion.components.run_reader import answer_in

LOGGED = "2026-11-29T08:30:52Z [info     ] Package apache-airflow-providers-http is not installed. [some.plugin]\n"


@pytest.mark.parametrize("printed", ['{"runs": []}', '{"runs": []}\n', LOGGED + '{"runs": []}'])
def test_what_a_plugin_of_airflow_logs_does_not_get_into_the_answer(printed: str) -> None:
    assert answer_in(printed) == {"runs": []}


@pytest.mark.parametrize("printed", ["", LOGGED, "[1]", "null"])
def test_no_answer_is_an_error(printed: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        answer_in(printed)
