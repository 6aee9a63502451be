"""DAG ids of job names."""

from __future__ import annotations

import pytest

from medallion.factory import naming


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("RetailHub_Medallion_Pipeline", "RetailHub_Medallion_Pipeline", id="as it is"),
        pytest.param("a.b-c_1", "a.b-c_1", id="dots and dashes"),
        pytest.param("[dev someone] timed job", "dev_someone_timed_job", id="brackets and spaces"),
        pytest.param("Zażółć gęślą", "Zazoc_gesla", id="letters with marks"),
        pytest.param("  spaced  ", "spaced", id="ends trimmed"),
    ],
)
def test_dag_id_of_a_name(name: str, expected: str) -> None:
    assert naming.dag_id(name) == expected


@pytest.mark.parametrize(
    "name", ["日本", "…", "x" * 4000, "a b" * 100], ids=["no latin letter", "dots", "long", "long slug"]
)
def test_dag_id_is_stable_valid_and_short(name: str) -> None:
    found = naming.dag_id(name)
    assert found == naming.dag_id(name)
    assert 0 < len(found) <= naming.MAX_DAG_ID
    assert all(letter.isascii() and (letter.isalnum() or letter in "_.-") for letter in found)


def test_internal_task_ids_are_none_that_a_job_can_have() -> None:
    ours = [naming.cluster_start("c"), naming.cluster_stop("c"), naming.run_if_gate("t"), naming.for_each_result("t")]
    assert all(naming.is_internal(name) for name in ours)
    assert not naming.is_internal("gold_daily-orders")
