"""Airflow's REST API on this machine: log in, start a run, read its states. In the user's shell."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medallion.components.places import places_of
from medallion.components.secret_files import ADMIN, admin_password
from medallion.errors import RunError, TargetError
from medallion.runs.stored import snapshot_of

if TYPE_CHECKING:
    from medallion.runs.snapshot import Snapshot
    from medallion.settings import Settings

TIMEOUT = 30.0


class ApiClient:
    """The API server of `medallion up`.

    :param url: the server's address, without a slash at the end.
    """

    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings
        self.url = url
        self.password = admin_password(places_of(settings).passwords)
        self.token = ""

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
            raise RunError(f"{refusal}{reason(error)}") from None

    def log_in(self) -> None:
        """Get a token; it holds for a day."""
        try:
            answer = self.send("POST", "/auth/token", {"username": ADMIN, "password": self.password})
        except urllib.error.HTTPError as error:
            hint = "`medallion down`, then `medallion up`"
            raise TargetError(f"the login at {self.url} failed: {reason(error)}", hint=hint) from None
        self.token = str(answer["access_token"])

    def send(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """One request as JSON, one answer."""
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)  # noqa: S310  our own address
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310
                told: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError:
            raise
        except OSError as error:
            raise TargetError(f"Airflow at {self.url} does not answer: {error}", hint="medallion status") from None
        return told

    def run_now(self, dag_id: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Start a run, within the job's limits.

        :param request: `job_parameters`, `only`, `idempotency_token`, `queue`, as run-now of the Jobs API has them.
        :returns: `run_id`, `airflow_run_id`, `state`, `new`, `skipped` (why, when it will not run).
        :raises RunError: the job is unknown, or a value is refused.
        """
        return self.own("POST", f"/jobs/{quoted(dag_id)}/run-now", request)

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
