"""`dbutils.secrets`: asked from the worker, masked wherever they come out. Runs in the task process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from medallion.runtime.dbutils.errors import SecretError
from medallion.runtime.dbutils.module import Module

if TYPE_CHECKING:
    from medallion.runtime.channel import ChannelAnswers
    from medallion.runtime.task import Task


class SecretMetadata(NamedTuple):
    """A secret's name."""

    key: str


class SecretScope(NamedTuple):
    """A scope's name."""

    name: str

    def getName(self) -> str:  # noqa: N802
        """The name."""
        return self.name


class Secrets(Module):
    """Passwords and keys, from Airflow's connections and variables."""

    name = "secrets"

    def __init__(self, task: Task) -> None:
        self._task = task

    def get(self, scope: str, key: str) -> str:
        """A secret's text.

        :raises SecretError: there is no such secret.
        """
        try:
            value = self._answers.secret(scope, key)
        except KeyError as error:
            message = f"Secret does not exist with scope: {scope} and key: {key}"
            raise SecretError(message, hint=str(error.args[0]) if error.args else None) from None
        self._task.masks.add(value)
        return value

    def getBytes(self, scope: str, key: str) -> bytes:  # noqa: N802
        """A secret as bytes."""
        return self.get(scope, key).encode()

    def list(self, scope: str) -> Sequence[SecretMetadata]:
        """The secrets of a scope."""
        try:
            return [SecretMetadata(key) for key in self._answers.secrets(scope)]
        except KeyError:
            raise SecretError(f"Secret scope does not exist: {scope}") from None

    def listScopes(self) -> Sequence[SecretScope]:  # noqa: N802
        """The scopes."""
        return [SecretScope(name) for name in self._answers.secret_scopes()]

    @property
    def _answers(self) -> ChannelAnswers:
        from medallion.runtime.channel import ChannelAnswers

        return ChannelAnswers(self._task.channel)
