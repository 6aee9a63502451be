"""Budgets of work, in calls: what a parse, a refresh and a task's start may cost. One table, so that none creeps.

A budget is what the work took when it was set, and a tenth. Who needs more says here why; who saves calls lowers it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

BUDGETS = {
    # Function calls, Python's own included; jobs of 8 tasks. Two thirds of a parse are Airflow's operators.
    "parse of a job": 6_700,
    "a task's own parse": 6_950,
    # All 50 jobs: 4 for each, and what it takes to look at the environment.
    "refresh without a change": 400,
    # What a task asks before it finds the driver that runs: 20 calls for each of Spark's JARs.
    "plan of a driver": 6_600,
    # From the fork of the spare process to the first line of the first cell, without Spark.
    "start of a notebook": 28_800,
    # Questions that a task's process asks the driver's JVM until it has its session.
    "attach to a driver": 115,
}
PLACES = 15


def over_budget(name: str, places: Mapping[str, float]) -> str:
    """What to say when work takes more calls than its budget; empty when it does not.

    :param places: calls by place, `package/module.py:function`.
    """
    took, budget = sum(places.values()), BUDGETS[name]
    if took <= budget:
        return ""
    modules: Counter[str] = Counter()
    for place, calls in places.items():
        modules[place.partition(":")[0]] += calls  # type: ignore[assignment]
    lines = [
        f"{name}: {took:,.0f} calls, {took / budget - 1:.0%} over the budget of {budget:,}",
        "most calls by module:",
    ]
    lines += [f"  {calls:>9,.0f}  {place}" for place, calls in modules.most_common(PLACES)]
    lines += ["most calls by function:"]
    lines += [f"  {calls:>9,.0f}  {place}" for place, calls in Counter(dict(places)).most_common(PLACES)]  # type: ignore[arg-type]
    return "\n".join(lines)
