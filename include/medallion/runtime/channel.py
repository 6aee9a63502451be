"""Questions from the task process to its worker: JSON lines on one socket. Both halves.

The child asks `{"id": 1, "ask": "secret", "args": ["scope", "key"]}` and gets `{"id": 1, "value": …}` or
`{"id": 1, "error": {"kind": "KeyError", "message": …}}`. It tells `{"event": "cell", …}` without an answer.
When the worker is gone the socket ends; then the child must end too.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from medallion.errors import MedallionError
from medallion.runtime.masks import Masks
from medallion.runtime.protocol import Answers

QUESTIONS = ("task_value", "set_task_value", "secret", "secrets", "secret_scopes")


class Channel:
    """The child's half. Safe to use from several threads."""

    def __init__(self, connection: socket.socket, on_lost: Callable[[], None]) -> None:
        self._connection = connection
        self._on_lost = on_lost
        self._lock = threading.Lock()
        self._last = 0
        self._waiting: dict[int, SimpleQueue[dict[str, Any]]] = {}
        threading.Thread(target=self._read, name="medallion-channel", daemon=True).start()

    def tell(self, event: str, **facts: Any) -> None:
        """Send an event. A worker that is gone is no error here: `on_lost` deals with it."""
        self._send({"event": event, **facts})

    def ask(self, question: str, *args: Any) -> Any:
        """The worker's answer.

        :raises KeyError: there is no such value or secret.
        :raises MedallionError: the worker refused; its text says why.
        """
        queue: SimpleQueue[dict[str, Any]] = SimpleQueue()
        with self._lock:
            self._last += 1
            number = self._last
            self._waiting[number] = queue
        self._send({"id": number, "ask": question, "args": args})
        answer = queue.get()
        error = answer.get("error")
        if error is None:
            return answer.get("value")
        raise KeyError(error["message"]) if error["kind"] == "KeyError" else MedallionError(error["message"])

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps(message).encode() + b"\n"
        try:
            with self._lock:
                self._connection.sendall(data)
        except OSError:
            self._on_lost()

    def _read(self) -> None:
        for line in lines(self._connection):
            answer = json.loads(line)
            queue = self._waiting.pop(answer["id"], None)
            if queue is not None:
                queue.put(answer)
        self._on_lost()


def lines(connection: socket.socket) -> Any:
    """Whole lines from a socket until it ends."""
    with connection.makefile("rb") as stream:
        try:
            yield from stream
        except OSError:
            return


class ChannelAnswers:
    """`Answers` of a nested notebook: passes each question on to the worker of the calling task.

    :param masks: of the calling task, whose notebook must not show what the called one asked for.
    """

    def __init__(self, channel: Channel, masks: Masks | None = None) -> None:
        self._channel = channel
        self._masks = masks

    def task_value(self, task_key: str, key: str) -> Any:
        """The latest value that the task set in this run."""
        return self._channel.ask("task_value", task_key, key)

    def set_task_value(self, key: str, value: Any) -> None:
        """Keep a value of the calling task."""
        self._channel.ask("set_task_value", key, value)

    def secret(self, scope: str, key: str) -> str:
        """A secret's text."""
        found = str(self._channel.ask("secret", scope, key))
        if self._masks is not None:
            self._masks.add(found)
        return found

    def secrets(self, scope: str) -> list[str]:
        """Names of the secrets of a scope."""
        return list(self._channel.ask("secrets", scope))

    def secret_scopes(self) -> list[str]:
        """Names of the scopes."""
        return list(self._channel.ask("secret_scopes"))


def answer_question(message: dict[str, Any], answers: Answers, masks: Masks) -> bytes:
    """The worker's half: the reply line to one question. A secret that goes out is masked from then on."""
    question, args = message["ask"], message["args"]
    try:
        if question not in QUESTIONS:
            raise MedallionError(f"the worker does not know the question {question!r}")
        if question == "set_task_value":
            # Task values are kept where everybody who may see the run may read them.
            args = masks.document(args)
        value = getattr(answers, question)(*args)
        if question == "secret":
            masks.add(value)
        reply: dict[str, Any] = {"id": message["id"], "value": value}
        return json.dumps(reply).encode() + b"\n"
    except Exception as error:  # noqa: BLE001  whatever went wrong, the child must not wait for ever
        text = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
        kind = "KeyError" if isinstance(error, KeyError) else type(error).__name__
        return json.dumps({"id": message["id"], "error": {"kind": kind, "message": text}}).encode() + b"\n"
