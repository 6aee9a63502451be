"""A run through the scheduler of `medallion up`. In the user's shell."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from medallion.components.api_client import ApiClient
from medallion.components.deployment import OtherDeploymentError, Server, server_of
from medallion.errors import RunError, TargetError
from medallion.runs import ids
from medallion.runs.snapshot import Snapshot

if TYPE_CHECKING:
    from medallion.components.jobs import Chosen
    from medallion.settings import Settings

POLL = 0.5
APPEAR_SECONDS = 30
"""How long a job that was just written may take to become a DAG."""
ABSENT_SECONDS = 90
"""How long the API server may be gone while a run is watched: it is started again when it dies, and the run goes on."""

Show = Callable[[Snapshot], None]


@dataclass(frozen=True, slots=True)
class Through:
    """A server that is up.

    :param takes_it: it runs this very job; else the run goes beside it, with a database of its own.
    """

    server: Server
    takes_it: bool


def through_server(
    settings: Settings, chosen: Chosen, *, target: str | None, variables: Mapping[str, str]
) -> Through | None:
    """The server that is up and whether it runs a job as it was chosen; None when a run goes in a process of its own.

    :raises OtherDeploymentError: it is a deployment's, and does not run this job: nothing runs here in its place.
    """
    server = server_of(settings)
    if server is None:
        return None
    takes_it = chosen.served and not target and not variables
    if not takes_it and not server.own:
        why = "with --target or --var" if chosen.served else f"of {chosen.source}, outside {settings.jobs_folder}"
        raise OtherDeploymentError(
            f"the deployment at {server.url} runs jobs as it was set up to, not one {why}",
            hint="take MEDALLION_API_URL away to run it on this machine",
        )
    return Through(server, takes_it)


def run_served(
    settings: Settings, server: Server, dag_id: str, conf: Mapping[str, Any], show: Show, say: Callable[[str], None]
) -> Snapshot:
    """Start a run and watch it to its end. Ctrl-C stops the watching, not the run.

    :raises RunError: the scheduler does not know the DAG.
    :raises TargetError: the server does not answer.
    """
    client = ApiClient(settings, server)
    known = wait_for_dag(client, dag_id, say)
    if known.get("is_paused"):
        say(f"the DAG is paused in Airflow: the run waits until it is not; {server.url}/dags/{dag_id}")
    started = client.run_now(dag_id, conf)
    run_id = str(started["airflow_run_id"])
    say(f"{server.url}/dags/{dag_id}/runs/{run_id}")
    if started["skipped"]:
        say(str(started["skipped"]))
    return watch(client, dag_id, run_id, tuple(conf.get("only") or ()), show)


def watch(client: ApiClient, dag_id: str, run_id: str, only: tuple[str, ...], show: Show) -> Snapshot:
    """Watch a run to its end.

    :param show: told each time something has changed.
    :raises TargetError: the server is gone for good.
    """
    last: Snapshot | None = None
    try:
        while True:
            snapshot = patiently(client, lambda: client.snapshot(dag_id, run_id, only))
            if snapshot != last:
                show(snapshot)
                last = snapshot
            if snapshot.state in {"success", "failed"}:
                return snapshot
            time.sleep(POLL)
    except KeyboardInterrupt:
        number = ids.run_id(dag_id, run_id)
        text = f"stopped watching; the run goes on. `medallion cancel {number}` ends it"
        raise KeyboardInterrupt(text) from None


def patiently(client: ApiClient, ask: Callable[[], Snapshot], seconds: float = ABSENT_SECONDS) -> Snapshot:
    """The answer of a server that may be about to come back.

    :raises TargetError: it did not within the seconds, or nobody starts it again.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            return ask()
        except TargetError:
            if time.monotonic() > end or server_of(client.settings) is None:
                raise
        time.sleep(POLL)


def wait_for_dag(client: ApiClient, dag_id: str, say: Callable[[str], None]) -> dict[str, Any]:
    """What the server knows of the DAG, as soon as it knows it."""
    end = time.monotonic() + APPEAR_SECONDS
    told = False
    while True:
        known = client.dag(dag_id)
        if known is not None:
            return known
        if time.monotonic() > end:
            hint = f"{client.url}/dags shows import errors, `medallion check` too"
            raise RunError(f"Airflow does not know the DAG {dag_id}", hint=hint)
        if not told:
            say("waiting for Airflow to read the job")
            told = True
        time.sleep(POLL)
