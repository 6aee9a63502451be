"""For-each tasks: the inputs and the result. The iterations are mapped tasks. Executed in the Airflow task process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from medallion.core.moments import Moment
from medallion.core.stored import pack
from medallion.errors import MedallionError
from medallion.factory import naming
from medallion.factory.log import show
from medallion.factory.loop_limit import STARTED
from medallion.factory.operators.base import LakeflowOperator, states_of
from medallion.factory.scope import AttemptScope
from medallion.spec.inputs import parse_inputs
from medallion.spec.references import resolve

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from medallion.factory.attempt import Attempt
    from medallion.settings import Settings

MAX_BYTES = 48 * 1024
"""The largest `inputs` (Databricks page "For each task": what a task value may hold)."""
MAX_ITERATIONS = 5000
NAMED = 10
"""Failed iterations that the log names."""


class ForEachInputs(LakeflowOperator):
    """Resolves `inputs` and gives one mapping per iteration. Carries the `run_if` of the for-each task."""

    ui_color = "#f3e8fd"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> list[dict[str, Any]]:
        """The iterations: `{"input": element}` each."""
        text = resolve(self.task.payload.inputs, AttemptScope(context, self, attempt, settings))
        elements = read_inputs(self.task.task_key, text)
        if self.task.timeout_seconds:
            context["ti"].xcom_push(key=STARTED, value=Moment.now().to_json())
        show(f"{len(elements)} iterations, {self.task.payload.concurrency or 1} at a time")
        return [{"input": pack(element)} for element in elements]

    def left_out(self) -> list[dict[str, Any]]:
        """No iterations in a partial run without this task."""
        return []


class ForEachResult(LakeflowOperator):
    """Ends when all iterations have. It fails when one failed."""

    ui_color = "#f3e8fd"

    def work(self, context: Context, attempt: Attempt, settings: Settings) -> None:
        """Look at the states. Nothing of it is said of a for-each task that did not run."""
        key = self.task.task_key
        inputs, iterations = naming.for_each_inputs(key), naming.for_each_iterations(key)
        if states_of(context, [inputs]).get(inputs) != "success":
            raise AirflowSkipException(f"task {key} did not run")
        # Airflow names mapped tasks <task id>_<index>, and one that was never mapped by its task id.
        states = {name: str(state) for name, state in states_of(context, [iterations]).items() if name != iterations}
        failed = [int(name.removeprefix(f"{iterations}_")) for name, state in states.items() if state != "success"]
        show(f"{len(states)} iterations, {len(failed)} failed")
        if failed:
            named = ", ".join(map(str, sorted(failed)[:NAMED])) + (", …" if len(failed) > NAMED else "")
            raise MedallionError(
                f"task {key}: {len(failed)} of {len(states)} iterations failed", hint=f"numbers {named}"
            )


def read_inputs(task_key: str, text: str) -> list[Any]:
    """The elements of a for-each task.

    :raises MedallionError: the text is no JSON array, too long, or holds too many elements.
    """
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_BYTES:
        raise MedallionError(
            f"task {task_key}: inputs are {size:,} bytes, at most {MAX_BYTES:,} are allowed",
            hint="loop over keys and look the rest up in the iteration",
        )
    try:
        found = parse_inputs(text)
    except (ValueError, RecursionError) as error:
        raise MedallionError(
            f"task {task_key}: inputs are not JSON: {error}: {text[:200]!r}", hint='give an array, such as ["pl", "de"]'
        ) from None
    if not isinstance(found, list):
        raise MedallionError(f"task {task_key}: inputs are {kind_of(found)}, not an array: {text[:200]!r}")
    if len(found) > MAX_ITERATIONS:
        raise MedallionError(f"task {task_key}: {len(found):,} iterations, at most {MAX_ITERATIONS:,} are allowed")
    return found


def kind_of(value: object) -> str:
    """The JSON word for a value."""
    names = {dict: "an object", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")
