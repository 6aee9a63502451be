"""Airflow's REST API, of the own `up` or of a deployment: log in, start a run, read its states. In the user's shell."""

from __future__ import annotations

import http.client
import json
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from medallion.components.deployment import login_file
from medallion.components.secret_files import ADMIN, admin_password
from medallion.errors import RunError, TargetError
from medallion.runs.ids import new_run_id
from medallion.runs.stored import snapshot_of

if TYPE_CHECKING:
    from medallion.components.deployment import Server
    from medallion.runs.snapshot import Snapshot
    from medallion.settings import Settings

TIMEOUT = 60.0
LOGIN = "/auth/token"
START_SECONDS = 90.0
"""How long a start is asked for again when no answer comes."""
RETRY_SECONDS = 1.0
WRONG_TOKEN = "Invalid JWT token"  # noqa: S105  Airflow's words
"""What Airflow says, with status 403, of a token that is none of its own."""


class LoginError(TargetError):
    """There is no token or password for the server, or it takes none of them."""

    exit_code = 2


class UnreachableError(TargetError):
    """Nobody listens at the address, so that nothing was asked."""


class NoAnswerError(TargetError):
    """The server gave no answer, so that nobody knows whether it did what was asked."""


class NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: the token would go along, to whatever address an answer names."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """No second request."""


OPENER = urllib.request.build_opener(NoRedirect)


class ApiClient:
    """An API server of Airflow with Medallion's interface.

    :param server: where it is. A token of the settings goes to the server of the settings alone, and the password of the
        own `up` to the own one alone.
    """

    def __init__(self, settings: Settings, server: Server) -> None:
        self.settings = settings
        self.server = server
        self.url = server.url.rstrip("/")
        given = settings.api_token
        self.given = "" if server.own or given is None else given.get_secret_value()
        self.token = self.given

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call; logs in first when needed.

        :param path: below `/api/v2`.
        :raises RunError: the server refuses it; carries its reason.
        :raises TargetError: the server does not answer.
        """
        return self.ask(method, f"/api/v2{path}", body, f"Airflow refuses {method} {path}: ")

    def own(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """One call of Medallion's own interface.

        :param path: below `/lakeflow/api`.
        :raises RunError: the server refuses it; its reason in its own words.
        :raises TargetError: the server does not answer.
        """
        return self.ask(method, f"/lakeflow/api{path}", body, "")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None, refusal: str) -> dict[str, Any]:
        """One call; logs in first when needed.

        :param refusal: what the error begins with when the server refuses.
        """
        if not self.token:
            self.log_in()
        try:
            return self.send(method, path, body)
        except urllib.error.HTTPError as error:
            why = reason(error)
            if error.code == HTTPStatus.UNAUTHORIZED or why == WRONG_TOKEN:
                hint = "is MEDALLION_API_TOKEN over, or another server's?" if self.given else "medallion status"
                raise LoginError(f"the API server at {self.url} refuses the login: {why}", hint=hint) from None
            raise RunError(f"{refusal}{why}") from None

    def log_in(self) -> None:
        """Get a token; it holds for a day.

        :raises LoginError: the server takes no password that is known here.
        """
        file = login_file(self.settings)
        if file is None:
            raise LoginError(
                f"no token for the API server at {self.url}",
                hint="set MEDALLION_API_TOKEN to one: the answer to POST /auth/token with username and password has it",
            )
        try:
            answer = self.send("POST", LOGIN, {"username": ADMIN, "password": admin_password(file)})
        except urllib.error.HTTPError as error:
            hint = "`medallion down`, then `medallion up`" if self.server.own else f"the password is that of {file}"
            raise TargetError(f"the login at {self.url} failed: {reason(error)}", hint=hint) from None
        self.token = str(answer["access_token"])

    def send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """One request as JSON, one answer."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  http alone: see the setting
        try:
            with OPENER.open(request, timeout=TIMEOUT) as answer:
                told: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError:
            raise
        except (OSError, http.client.HTTPException) as error:
            raise self.silence(method, path, error) from None
        except ValueError:
            raise TargetError(f"{self.url}{path} is no API server of Airflow: it answers no JSON") from None
        return told

    def silence(self, method: str, path: str, error: Exception) -> TargetError:
        """The error for a request without an answer: it says whether what was asked may have been done."""
        cause = getattr(error, "reason", error)
        hint = "medallion status" if self.server.own else "is MEDALLION_API_URL right, and the server up?"
        text = f"Airflow at {self.url} does not answer: {error}"
        if isinstance(cause, (ConnectionRefusedError, socket.gaierror)) or path == LOGIN:
            return UnreachableError(text, hint=hint)
        if method == "GET":
            return NoAnswerError(text, hint=hint)
        return NoAnswerError(
            f"{text}; what was asked may have been done, or not",
            hint=f"{hint}; `medallion runs` tells, once it answers",
        )

    def run_now(self, dag_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a run, within the job's limits. Where no answer comes it asks again, for the same run.

        :param request: `job_parameters`, `only`, `idempotency_token`, `queue`, as run-now of the Jobs API has them.
        :returns: `run_id`, `airflow_run_id`, `state`, `new`, `skipped` (why, when it will not run).
        :raises RunError: the job is unknown, or a value is refused.
        :raises NoAnswerError: nobody knows whether the run was made; says how to ask safely again.
        """
        # The run's name is made here, so that a second request finds the run of the first.
        own_name = {} if request.get("idempotency_token") else {"airflow_run_id": new_run_id(datetime.now(UTC))}
        asked = {**request, **own_name}
        end = time.monotonic() + START_SECONDS
        tries = 0
        while True:
            tries += 1
            try:
                started = self.own("POST", f"/jobs/{quoted(dag_id)}/run-now", asked)
            except (NoAnswerError, UnreachableError) as error:
                if tries == 1 and isinstance(error, UnreachableError):
                    raise
                if time.monotonic() > end:
                    raise unknown_start(self.url, dag_id, asked) from None
                time.sleep(RETRY_SECONDS)
            else:
                return {**started, "new": True} if own_name and tries > 1 else started

    def backfill(self, dag_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a run for each date of a range; gives `runs`, each as `run_now` does.

        :param request: `from`, `to`, `every`, `job_parameters`, `max_concurrent`.
        :raises RunError: the job is unknown, or a value is refused.
        """
        return self.own("POST", f"/jobs/{quoted(dag_id)}/backfill", request)

    def start(self, dag_id: str, conf: Mapping[str, Any]) -> str:
        """Start a run; gives Airflow's run id. See `run_now`."""
        return str(self.run_now(dag_id, conf)["airflow_run_id"])

    def dag(self, dag_id: str) -> dict[str, Any] | None:
        """What the server knows of a DAG; None when it knows none of that id."""
        try:
            return self.call("GET", f"/dags/{quoted(dag_id)}")
        except RunError:
            return None

    def snapshot(self, dag_id: str, run_id: str, only: tuple[str, ...] = ()) -> Snapshot:
        """The run and its task instances now, earlier attempts too. `only` is what the run's conf says."""
        del only
        return snapshot_of(self.own("GET", f"/jobs/{quoted(dag_id)}/runs/{quoted(run_id)}/snapshot"))


def unknown_start(url: str, dag_id: str, asked: Mapping[str, Any]) -> NoAnswerError:
    """The error of a start without an answer: the run may be there, and how to find out without a second one."""
    look = f"`medallion runs show {asked.get('airflow_run_id')} --job {dag_id}` tells, once the server answers"
    hint = "the same command with the same token gives that run" if asked.get("idempotency_token") else look
    return NoAnswerError(f"Airflow at {url} does not answer; the run may have been started, or not", hint=hint)


def quoted(text: str) -> str:
    """A part of a path."""
    return urllib.parse.quote(text, safe="")


def reason(error: urllib.error.HTTPError) -> str:
    """What the server said."""
    try:
        detail = json.load(error).get("detail")
    except (ValueError, AttributeError):
        detail = None
    return detail if isinstance(detail, str) else f"status {error.code} {json.dumps(detail) if detail else ''}".strip()
