"""Which tasks need a gate so that nothing starts beside a parent that still runs."""

from __future__ import annotations

import pytest

from medallion.factory.waiting import must_wait

JOIN = {"a": [], "slow": [], "join": ["a", "slow"]}


@pytest.mark.parametrize(
    ("more", "rules", "expected"),
    [
        pytest.param({}, {}, set(), id="nothing below"),
        pytest.param({"next": ["join"]}, {}, set(), id="what follows does not handle failures"),
        pytest.param({"alert": ["join"]}, {"alert": "AT_LEAST_ONE_FAILED"}, {"join"}, id="alert behind the join"),
        pytest.param({"next": ["join"], "audit": ["next"]}, {"audit": "ALL_DONE"}, {"join"}, id="audit further down"),
        pytest.param({"audit": ["join", "slow"]}, {"audit": "ALL_DONE"}, {"join"}, id="one parent is not waited for"),
        pytest.param({"audit": ["join", "a", "slow"]}, {"audit": "ALL_DONE"}, set(), id="waits for all by itself"),
        pytest.param(
            {"s2": ["slow"], "b2": ["a"], "audit": ["join", "s2", "b2"]}, {"audit": "ALL_DONE"}, set(), id="by others"
        ),
    ],
)
def test_a_join_waits_where_a_handler_could_overtake_it(
    more: dict[str, list[str]], rules: dict[str, str], expected: set[str]
) -> None:
    parents = {**JOIN, **more}
    all_rules = {key: rules.get(key, "ALL_SUCCESS") for key in parents}
    assert must_wait(parents, all_rules, {"join"}) == expected


def test_a_thousand_tasks_take_no_time() -> None:
    parents = {f"t{n}": [f"t{n - 1}", f"t{n - 2}"] if n > 1 else [] for n in range(1000)}
    rules = {key: "ALL_DONE" if n % 10 == 0 else "ALL_SUCCESS" for n, key in enumerate(parents)}
    hasty = {key for n, key in enumerate(parents) if n % 10 and n > 1}
    assert must_wait(parents, rules, hasty)
