"""What an operator answers while its task's process runs: task values from XCom, secrets from Airflow.

Runs in the Airflow task process. Implements `runtime.protocol.Answers`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from medallion.core.stored import pack, unpack

if TYPE_CHECKING:
    from airflow.sdk.types import RuntimeTaskInstanceProtocol

RETURN_VALUE = "return_value"
EXIT_VALUE_KEY = "returnValue"
"""The task value that a notebook's exit value answers to."""

VALUE_KEYS = "medallion_task_value_keys"
"""XCom with the names of the task values that a task has set."""

PLAIN_KEY = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_ .:@-]{1,200}")
"""Keys that can stand in a path of Airflow's API and in its table."""

RESERVED = frozenset({RETURN_VALUE, VALUE_KEYS, "output", "skipmixin_key"})
"""XComs that Airflow and the operators push themselves."""

CONNECTION_FIELDS = ("password", "login", "host", "schema", "port")


MISSING = object()


def stored_key(key: str) -> str:
    """The XCom key of a task value. One that no path or table can hold is told by its digest."""
    if key == EXIT_VALUE_KEY:
        return RETURN_VALUE
    if PLAIN_KEY.fullmatch(key) and key not in RESERVED:
        return key
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:20]
    return f"{re.sub('[^A-Za-z0-9_ .-]', '_', key)[:60]}~{digest}"


class AirflowAnswers:
    """Answers from Airflow's stores.

    :param ancestors: the tasks whose values may be asked for (Databricks page "Task values": upstream tasks only).
    :param scopes: names of the secret scopes to list (setting `secret_scopes`).
    """

    def __init__(
        self, instance: RuntimeTaskInstanceProtocol, *, ancestors: Collection[str], scopes: Collection[str] = ()
    ) -> None:
        self._instance = instance
        self._ancestors = frozenset(ancestors)
        self._scopes = tuple(scopes)
        self._keys: set[str] = set()
        self.given: set[str] = set()
        """The secrets that were asked for."""

    def task_value(self, task_key: str, key: str) -> Any:
        """The value of another task of this run; raises KeyError when it has none or is no ancestor."""
        if task_key not in self._ancestors and task_key != self._instance.task_id:
            raise KeyError(f"{task_key} is not upstream of {self._instance.task_id}")
        stored = stored_key(key)
        found = self._pull(task_key, stored)
        if found is MISSING and key not in (stored, EXIT_VALUE_KEY):
            # Earlier versions stored every key as it is; Airflow does not take all of them.
            with contextlib.suppress(Exception):
                found = self._pull(task_key, key)
        if found is MISSING:
            raise KeyError(f"task {task_key} has set no value {key!r}")
        return unpack(found)

    def _pull(self, task_key: str, key: str) -> Any:
        """An XCom of a task as it is stored, or MISSING."""
        return self._instance.xcom_pull(task_ids=task_key, key=key, default=MISSING, map_indexes=-1)

    def set_task_value(self, key: str, value: Any) -> None:
        """Keep a value at once, so that it is there when the task fails later."""
        self._instance.xcom_push(key=stored_key(key), value=pack(value))
        self._keys.add(key)

    def tell_keys(self) -> None:
        """Leave the names of the values that were set, for the hints of errors: Airflow lists no values of a task."""
        if self._keys:
            self._instance.xcom_push(key=VALUE_KEYS, value=pack(sorted(self._keys)))

    def secret(self, scope: str, key: str) -> str:
        """A secret: Airflow variable `<scope>__<key>` or `<scope>/<key>`, else a field or extra of connection `<scope>`.

        Raises KeyError when there is none. The text is masked in Airflow's log from here on.
        """
        from airflow.sdk.log import mask_secret

        text = self._variable(scope, key)
        if text is None:
            text = self._connection(scope).get(key)
        if text is None:
            raise KeyError(
                f"no secret {key!r} in scope {scope!r}: set the Airflow variable {scope}__{key}, "
                f"or {key} in the extra of the connection {scope}"
            )
        mask_secret(text)
        self.given.add(text)
        return text

    def secrets(self, scope: str) -> list[str]:
        """Names of the secrets in a connection's fields and extra. Airflow lets a task list no variables."""
        return sorted(self._connection(scope))

    def secret_scopes(self) -> list[str]:
        """The scopes that the settings name."""
        return sorted(self._scopes)

    @staticmethod
    def _variable(scope: str, key: str) -> str | None:
        from airflow.sdk import Variable

        for name in (f"{scope}__{key}", f"{scope}/{key}"):
            found = Variable.get(name, default=None)
            if found is not None:
                return found if isinstance(found, str) else json.dumps(found)
        return None

    @staticmethod
    def _connection(scope: str) -> dict[str, str]:
        from airflow.sdk import Connection
        from airflow.sdk.exceptions import AirflowNotFoundException

        try:
            found = Connection.get(scope)
        except AirflowNotFoundException:
            return {}
        named = {name: getattr(found, name, None) for name in CONNECTION_FIELDS}
        return {name: str(value) for name, value in {**named, **found.extra_dejson}.items() if value not in (None, "")}
