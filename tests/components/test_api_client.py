"""The client of an API server: starts that are asked for twice, tokens that go nowhere else, answers that are none."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from medallion.components import api_client
from medallion.components.api_client import ApiClient, LoginError, NoAnswerError, UnreachableError
from medallion.components.deployment import Server
from medallion.errors import MedallionError, RunError, TargetError
from medallion.runs.ids import NEW_RUN_ID
from medallion.settings import Settings

TOKEN = "ey.the.token"
STARTED = {"dag_id": "job", "airflow_run_id": "r", "run_id": 1, "state": "queued", "new": False, "skipped": ""}
Answer = tuple[int, dict[str, str], bytes] | None


@dataclass
class Upstream:
    """A server on loopback that answers in turn; None: it closes the connection without a word."""

    answers: list[Answer]
    seen: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    url: str = ""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        upstream = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                upstream.seen.append((self.path, dict(self.headers), json.loads(body or b"{}")))
                answer = upstream.answers.pop(0) if len(upstream.answers) > 1 else upstream.answers[0]
                if answer is None:
                    self.close_connection = True
                    return
                status, headers, text = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def serve() -> Iterator[Callable[..., Upstream]]:
    servers = []

    def start(*answers: Answer) -> Upstream:
        upstream = Upstream(list(answers))
        server = ThreadingHTTPServer(("127.0.0.1", 0), upstream.handler())
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        servers.append(server)
        upstream.url = f"http://127.0.0.1:{server.server_port}"
        return upstream

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def ok(told: dict[str, Any]) -> Answer:
    return 200, {"Content-Type": "application/json"}, json.dumps(told).encode()


def client_of(tmp_path: Path, url: str, **environ: str) -> ApiClient:
    settings = Settings.load(tmp_path, environ={"MEDALLION_API_URL": url, "MEDALLION_API_TOKEN": TOKEN, **environ})
    return ApiClient(settings, Server(url, own=False))


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_client, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(api_client, "START_SECONDS", 0.3)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("token", ["", "order-4711"])
def test_a_start_without_an_answer_is_asked_for_again_as_the_same_run(
    serve: Callable[..., Upstream], tmp_path: Path, token: str
) -> None:
    upstream = serve(None, None, ok(STARTED))
    request = {"idempotency_token": token} if token else {}
    started = client_of(tmp_path, upstream.url).run_now("job", request)
    bodies = [body for _, _, body in upstream.seen]
    assert bodies == [bodies[0]] * 3
    assert set(bodies[0]) == {"idempotency_token" if token else "airflow_run_id"}
    # By a token of the user's own the run may be an older one; a name made here is nobody else's.
    assert started["new"] is (not token)


@pytest.mark.usefixtures("hurried")
def test_a_start_that_never_gets_an_answer_says_how_to_find_out(serve: Callable[..., Upstream], tmp_path: Path) -> None:
    upstream = serve(None)
    client = client_of(tmp_path, upstream.url)
    with pytest.raises(NoAnswerError, match=rf"may have been started.*runs show {NEW_RUN_ID} --job job"):
        client.run_now("job", {})
    with pytest.raises(NoAnswerError, match="same token"):
        client.run_now("job", {"idempotency_token": "mine"})


def test_a_start_that_reached_nobody_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match="MEDALLION_API_URL") as raised:
        client_of(tmp_path, "http://127.0.0.1:9").run_now("job", {})
    assert "may have been" not in str(raised.value)


@pytest.mark.parametrize(("method", "open_"), [("GET", False), ("POST", True)])
def test_a_change_without_an_answer_says_that_it_may_have_been_done(
    serve: Callable[..., Upstream], tmp_path: Path, method: str, *, open_: bool
) -> None:
    with pytest.raises(NoAnswerError) as raised:
        client_of(tmp_path, serve(None).url).own(method, "/jobs/job/runs/r/repair", {} if open_ else None)
    assert ("may have been done" in str(raised.value)) == open_


def test_a_token_goes_to_its_server_and_no_further(serve: Callable[..., Upstream], tmp_path: Path) -> None:
    other = serve(ok({}))
    upstream = serve((307, {"Location": f"{other.url}/api/v2/dags"}, b""))
    with pytest.raises(RunError) as raised:
        client_of(tmp_path, upstream.url).call("GET", "/dags")
    assert upstream.seen[0][1]["Authorization"] == f"Bearer {TOKEN}"
    assert other.seen == []
    assert TOKEN not in str(raised.value)


def test_the_own_server_does_not_get_the_token_of_another(serve: Callable[..., Upstream], tmp_path: Path) -> None:
    upstream = serve(ok({"access_token": "own"}), ok({}))
    settings = Settings.load(tmp_path, environ={"MEDALLION_API_TOKEN": TOKEN})
    (settings.home / "airflow").mkdir(parents=True)
    ApiClient(settings, Server(upstream.url, own=True)).call("GET", "/dags")
    assert [path for path, _, _ in upstream.seen] == ["/auth/token", "/api/v2/dags"]
    assert TOKEN not in repr(upstream.seen)


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        pytest.param((401, {}, b'{"detail": "Token Expired"}'), LoginError, "MEDALLION_API_TOKEN", id="over"),
        pytest.param((403, {}, b'{"detail": "Invalid JWT token"}'), LoginError, "MEDALLION_API_TOKEN", id="foreign"),
        pytest.param((403, {}, b'{"detail": "Forbidden"}'), RunError, "Forbidden", id="no right"),
        pytest.param((200, {}, b"<html>"), TargetError, "no API server", id="a page"),
        pytest.param((404, {}, b"<html>"), RunError, "404", id="another program"),
        pytest.param(None, NoAnswerError, "MEDALLION_API_URL", id="nothing"),
    ],
)
def test_what_is_wrong_is_said(
    serve: Callable[..., Upstream], tmp_path: Path, answer: Answer, kind: type[MedallionError], says: str
) -> None:
    upstream = serve(answer)
    with pytest.raises(kind, match=says) as raised:
        client_of(tmp_path, upstream.url).call("GET", "/dags")
    assert type(raised.value) is kind
    assert TOKEN not in str(raised.value)


def test_an_address_below_a_path_is_kept(serve: Callable[..., Upstream], tmp_path: Path) -> None:
    upstream = serve(ok({"runs": []}))
    client_of(tmp_path, f"{upstream.url}/airflow/").own("GET", "/runs")
    assert upstream.seen[0][0] == "/airflow/lakeflow/api/runs"
