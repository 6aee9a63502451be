"""Every route of `/lakeflow`, as the application itself lists them: headers, login and rights."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.airflow

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; "
    "frame-ancestors 'self'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "cache-control": "no-store",
    "referrer-policy": "same-origin",
}
BODIES = {"backfill": {"from": "2026-01-01", "to": "2026-01-02"}}
"""Bodies that a route takes, where an empty object will not do."""


@pytest.fixture(scope="module")
def client(airflow_database: None) -> Iterator[Any]:
    """A client of Airflow's own application in this process, with ours mounted by the plugin."""
    from airflow.api_fastapi.app import create_app
    from fastapi.testclient import TestClient

    with TestClient(create_app(apps="core"), raise_server_exceptions=False) as client:
        yield client


def routes() -> list[tuple[str, str]]:
    """Method and address of each route, with names that nothing has."""
    from medallion.web.app import build

    found = [
        (method, "/lakeflow" + re.sub(r"{(\w+)}", r"no_\1", route.path))
        for route in build().routes
        for method in sorted(route.methods - {"HEAD"})
    ]
    assert len(found) >= 13
    return found


def headers_of(role: str | None) -> dict[str, str]:
    """The headers of a user with a role of Airflow's simple auth manager; of one who may nothing for None."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=f"a {role}", role=role))
    return {"Authorization": f"Bearer {token}"}


def asked(client: Any, method: str, path: str, headers: dict[str, str] | None = None) -> Any:
    """The answer to a request, with a body that the route takes."""
    if method == "GET":
        return client.get(path, params={"run": "1"}, headers=headers)
    body = BODIES.get(path.rpartition("/")[2], {})
    return client.request(method, path, json=body, headers={"Origin": "http://testserver", **(headers or {})})


@pytest.mark.parametrize("who", ["nobody", "without a role", "viewer", "admin"])
def test_every_answer_has_the_headers(client: Any, who: str) -> None:
    headers = {"nobody": None, "without a role": headers_of(None)}.get(who, headers_of(who))
    places = [*routes(), ("GET", "/lakeflow/nothing"), ("DELETE", "/lakeflow/api/runs"), ("GET", "/lakeflow/")]
    for method, path in places:
        answer = asked(client, method, path, headers)
        missing = {name for name, value in HEADERS.items() if answer.headers.get(name) != value}
        assert not missing, f"{method} {path}, {answer.status_code}"
        assert "set-cookie" not in answer.headers or who != "nobody"


def test_a_fault_has_the_headers_and_no_traceback(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr("medallion.runs.lookup.find_run", fail)
    answer = asked(client, "GET", "/lakeflow/runs/no_dag/no_run", headers_of("admin"))
    assert answer.status_code == 500
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert "inside" not in answer.text


def test_nothing_is_answered_without_a_login(client: Any) -> None:
    assert {f"{method} {path}": asked(client, method, path).status_code for method, path in routes()} == {
        f"{method} {path}": 401 for method, path in routes()
    }


def test_one_without_rights_is_refused_everywhere(client: Any) -> None:
    headers = headers_of(None)
    assert {f"{method} {path}": asked(client, method, path, headers).status_code for method, path in routes()} == {
        f"{method} {path}": 403 for method, path in routes()
    }


def test_a_viewer_reads_and_changes_nothing(client: Any) -> None:
    headers = headers_of("viewer")
    for method, path in routes():
        status = asked(client, method, path, headers).status_code
        assert status == 403 if method != "GET" else status not in {401, 403, 500}, f"{method} {path}: {status}"


def test_one_who_may_change_is_let_in(client: Any) -> None:
    headers = headers_of("admin")
    statuses = {f"{method} {path}": asked(client, method, path, headers).status_code for method, path in routes()}
    assert not [place for place, status in statuses.items() if status in {401, 403, 405, 422, 500}], statuses


def test_no_route_changes_anything_by_get() -> None:
    changing = re.compile(r"run-now|backfill|cancel|repair|restart|pause|resume")
    assert not [path for method, path in routes() if method == "GET" and changing.search(path)]
