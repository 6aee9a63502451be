"""The official SDK and `medallion token` against a real API server: login, identity, errors."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.web.jobs_api.conftest import jwt_of

pytestmark = pytest.mark.airflow


def medallion(address: str, *arguments: str, name: str = "ada", role: str = "admin") -> CompletedProcess[str]:
    """`medallion token …` for the server, in a process of its own as users have it."""
    environ = {**os.environ, "MEDALLION_API_URL": address, "MEDALLION_API_TOKEN": jwt_of(role, name)}
    command = [str(Path(sys.executable).with_name("medallion")), "token", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)


def made(address: str, *arguments: str, name: str = "ada") -> dict[str, Any]:
    """A new token, as `--json` tells it."""
    answer = medallion(address, "create", "--json", *arguments, name=name)
    assert answer.returncode == 0, answer.stderr
    return dict(json.loads(answer.stdout))


def client(address: str, token: str) -> Any:
    """The official client, unmodified."""
    from databricks.sdk import WorkspaceClient
    from databricks.sdk.core import Config

    return WorkspaceClient(config=Config(host=address, token=token, retry_timeout_seconds=5, http_timeout_seconds=20))


def raw(address: str, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, dict[str, str]]:
    """Status, JSON and headers of one request."""
    request = urllib.request.Request(address + path, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer), {k.lower(): v for k, v in answer.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), {k.lower(): v for k, v in error.headers.items()}


def test_a_token_of_ours_tells_the_sdk_who_it_is(address: str) -> None:
    me = client(address, made(address)["token"]).current_user.me()
    assert (me.user_name, me.active, [item.value for item in me.emails]) == ("ada", True, ["ada"])
    assert me.id


def test_a_token_of_airflow_is_taken_too(address: str) -> None:
    assert client(address, jwt_of("viewer", "eve")).current_user.me().user_name == "eve"


def test_the_sdk_reads_the_workspace_id(address: str) -> None:
    asked = client(address, made(address)["token"])
    found = asked.get_workspace_id()
    status, told, _ = raw(address, "/.well-known/databricks-config")
    assert (status, told["workspace_id"]) == (200, str(found))
    assert found > 0


@pytest.mark.parametrize("token", ["wrong", "dapi" + 32 * "0", "a.b.c", "dapi'; --"])
def test_a_wrong_token_is_refused_as_the_sdk_reads_it(address: str, token: str) -> None:
    from databricks.sdk.errors import Unauthenticated

    with pytest.raises(Unauthenticated, match="medallion token create"):
        client(address, token).current_user.me()


@pytest.mark.parametrize("header", ["", "Basic YTpi", "Bearer", "Bearer   ", "nonsense"])
def test_without_a_token_the_answer_is_401_in_json(address: str, header: str) -> None:
    status, told, headers = raw(address, "/api/2.0/preview/scim/v2/Me", Authorization=header)
    assert (status, told["error_code"]) == (401, "UNAUTHENTICATED")
    assert "location" not in headers


def test_a_cookie_is_no_login(address: str) -> None:
    status, _, _ = raw(address, "/api/2.0/preview/scim/v2/Me", Cookie=f"_token={jwt_of('admin')}")
    assert status == 401


@pytest.mark.parametrize("version", ["2.0", "2.1", "2.2"])
@pytest.mark.parametrize("path", ["/jobs/no-such-thing", "/", "/jobs/get/", "/..%2f..%2fui"])
def test_what_nothing_answers_is_an_error_in_json_that_names_it(address: str, version: str, path: str) -> None:
    status, told, headers = raw(address, f"/api/{version}{path}", Authorization=f"Bearer {jwt_of('admin')}")
    assert (status, told["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert f"GET /api/{version}" in told["message"]
    assert headers["x-databricks-org-id"].isdigit()


def test_a_wrong_method_is_no_endpoint(address: str) -> None:
    status, told, _ = raw(address, "/api/2.0/preview/scim/v2/Me", "DELETE")
    assert (status, told["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
    assert "DELETE" in told["message"]


def test_the_sdk_raises_not_found_for_an_unknown_endpoint(address: str) -> None:
    from databricks.sdk.errors import NotFound

    with pytest.raises(NotFound, match=r"No API found for 'GET /api/2\.2/jobs/no-such-thing'"):
        client(address, jwt_of("admin")).api_client.do("GET", "/api/2.2/jobs/no-such-thing")


def test_airflows_own_interface_is_where_it_was(address: str) -> None:
    status, told, headers = raw(address, "/api/v2/version")
    assert (status, "x-databricks-org-id" in headers) == (200, False)
    assert told["version"].startswith("3.")


def test_a_revoked_token_is_over_at_once(address: str) -> None:
    from databricks.sdk.errors import Unauthenticated

    token = made(address, "--comment", "short")
    asked = client(address, token["token"])
    asked.current_user.me()
    assert medallion(address, "revoke", token["token_id"]).returncode == 0
    with pytest.raises(Unauthenticated):
        asked.current_user.me()


def test_a_token_ends(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token = made(address, "--days", "1")
    now = token["creation_time"]
    assert token["expiry_time"] - now == 24 * 3600 * 1000
    monkeypatch.setattr("medallion.web.tokens.millis", lambda: now + 24 * 3600 * 1000 - 1)
    headers = {"Authorization": f"Bearer {token['token']}"}
    assert raw(address, "/api/2.0/preview/scim/v2/Me", **headers)[0] == 200
    monkeypatch.setattr("medallion.web.tokens.millis", lambda: now + 24 * 3600 * 1000)
    assert raw(address, "/api/2.0/preview/scim/v2/Me", **headers)[0] == 401


def test_each_user_sees_and_ends_the_own_tokens_alone(address: str) -> None:
    token = made(address, "--comment", "of bob", name="bob")
    listed = medallion(address, "list", name="bob")
    assert token["token_id"] in listed.stdout
    assert "of bob" in listed.stdout
    assert token["token"] not in listed.stdout
    assert token["token_id"] not in medallion(address, "list", name="carol").stdout
    told = medallion(address, "revoke", token["token_id"], name="carol")
    assert told.returncode != 0
    assert client(address, token["token"]).current_user.me().user_name == "bob"


def test_create_prints_the_token_alone(address: str) -> None:
    printed = medallion(address, "create").stdout
    assert client(address, printed.strip()).current_user.me().user_name == "ada"
    assert printed.count("\n") == 1


def test_only_the_digest_is_kept_in_a_file_of_its_owner(address: str, tokens_file: Path) -> None:
    secret = made(address)["token"]
    parts = [file for file in tokens_file.parent.iterdir() if file.name.startswith(tokens_file.name)]
    assert not [file for file in parts if secret.encode() in file.read_bytes()]
    assert stat.S_IMODE(tokens_file.stat().st_mode) == 0o600


def test_one_who_may_start_nothing_gets_no_token(address: str) -> None:
    answer = medallion(address, "create", role="viewer")
    assert answer.returncode != 0
    assert "dapi" not in answer.stdout
