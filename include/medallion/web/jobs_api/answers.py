"""Errors as the official clients read them, and the header that names the workspace. Runs in the API server."""

# No `from __future__ import annotations`: FastAPI reads the annotations of handlers.
import hashlib
import logging
from typing import Any

from fastapi import FastAPI, Request  # noqa: TID253  imported at the first request
from fastapi.exceptions import RequestValidationError  # noqa: TID253
from fastapi.responses import JSONResponse  # noqa: TID253
from starlette.exceptions import HTTPException

from medallion.errors import MedallionError
from medallion.project.projects import place

log = logging.getLogger(__name__)

ORG = b"x-databricks-org-id"
STATUS = {
    "INVALID_PARAMETER_VALUE": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "ENDPOINT_NOT_FOUND": 404,
    "RESOURCE_DOES_NOT_EXIST": 404,
    "INTERNAL_ERROR": 500,
}
BY_STATUS = {status: code for code, status in STATUS.items() if code != "ENDPOINT_NOT_FOUND"}


class ApiError(Exception):
    """An answer that is an error.

    :param code: the API's `error_code`, a key of `STATUS`.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def answer(code: str, message: str, status: int | None = None) -> JSONResponse:
    """An error as JSON."""
    return JSONResponse({"error_code": code, "message": message}, status or STATUS[code])


def add_handlers(app: FastAPI) -> None:
    """Make every error of an application JSON of the API. What nobody foresaw tells nothing of the inside."""

    def refused(_request: Request, error: Any) -> JSONResponse:
        return answer(error.code, error.message)

    def wrong_body(_request: Request, error: Any) -> JSONResponse:
        found = error.errors()[0]
        where = ".".join(str(part) for part in found["loc"][1:])
        return answer("INVALID_PARAMETER_VALUE", f"{where}: {found['msg']}" if where else str(found["msg"]))

    def told(_request: Request, error: Any) -> JSONResponse:
        return answer("INVALID_PARAMETER_VALUE", str(error))

    def by_status(request: Request, error: Any) -> JSONResponse:
        if error.status_code in {404, 405}:
            return no_endpoint(request)
        return answer(BY_STATUS.get(error.status_code, "INVALID_PARAMETER_VALUE"), str(error.detail), error.status_code)

    def fault(request: Request, error: Any) -> JSONResponse:
        log.error("%s %s failed", request.method, request.url.path, exc_info=error)
        return answer("INTERNAL_ERROR", "the server failed; its log says why")

    for kind, handler in (
        (ApiError, refused),
        (RequestValidationError, wrong_body),
        (MedallionError, told),
        (HTTPException, by_status),
        (Exception, fault),
    ):
        app.add_exception_handler(kind, handler)


def no_endpoint(request: Request) -> JSONResponse:
    """What is said of an address that nothing answers."""
    return answer("ENDPOINT_NOT_FOUND", f"No API found for '{request.method} {request.url.path}'")


def workspace_id() -> int:
    """The number that stands for this deployment as a workspace: a digest of where its Airflow keeps its files."""
    found = hashlib.sha256(str(place().parent).encode()).digest()
    return int.from_bytes(found[:8], "big") >> 11


class WithWorkspace:
    """An application whose every answer names the workspace, as clients ask for."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.header = (ORG, str(workspace_id()).encode())

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""

        async def with_header(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = (b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")
                message = {**message, "headers": [*message.get("headers", ()), *kept, self.header]}
            await send(message)

        await self.app(scope, receive, with_header)
