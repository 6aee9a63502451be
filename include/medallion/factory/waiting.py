"""Which tasks may not end before all their parents have. Runs at parse time; pure.

Airflow calls a task of `none_failed_min_one_success` upstream_failed as soon as one parent failed. On Databricks every rule
waits for all parents. Nobody can tell while nothing runs after such a failure; but a failure handler below would start
beside a parent that still runs, such as a clean-up beside a write.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from graphlib import TopologicalSorter

HANDLERS = frozenset({"ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED", "AT_LEAST_ONE_SUCCESS"})
"""Rules that let a task run though a parent failed."""

Parents = Mapping[str, Sequence[str]]


def must_wait(parents: Parents, rules: Mapping[str, str], hasty: Collection[str]) -> frozenset[str]:
    """Keys of tasks that need a gate, so that no task that handles failures starts too early.

    :param parents: parents by task key.
    :param rules: `run_if` by task key.
    :param hasty: tasks that Airflow ends at the first failure of a parent.
    """
    if not hasty or HANDLERS.isdisjoint(rules.values()):
        return frozenset()
    above, certain = ancestors(parents, ()), ancestors(parents, hasty)
    gated: set[str] = set()
    for key in parents:
        if rules[key] in HANDLERS:
            ended = set().union(*({parent} | certain[parent] for parent in parents[key]))
            open_still = above[key] - ended
            gated |= {task for task in above[key].intersection(hasty) if above[task] & open_still}
    return frozenset(gated)


def ancestors(parents: Parents, hasty: Collection[str]) -> dict[str, set[str]]:
    """By task: the tasks that have ended for certain when it has, where a hasty one waits for one parent only."""
    found: dict[str, set[str]] = {}
    for key in TopologicalSorter(parents).static_order():
        sets = [{parent} | found[parent] for parent in parents[key]]
        merge = set.intersection if key in hasty else set.union
        found[key] = merge(*sets) if sets else set()
    return found
