"""Medallion's pages and programs' interface, mounted at `/lakeflow` in Airflow's API server.

The plugin hands Airflow `LazyApp`, which costs nothing in the scheduler, the triggerer and the dag processor; FastAPI and
the routers are imported at the first request.
"""

# No `from __future__ import annotations` in modules with endpoints: FastAPI reads the dependencies from the annotations.
from importlib import import_module
from typing import Any

ROUTERS: tuple[str, ...] = (
    *("medallion.web.starts", "medallion.web.control"),
    *("medallion.web.triggers", "medallion.web.run_page", "medallion.web.token_routes"),
)
"""Modules with a `router` (`fastapi.APIRouter`)."""


class LazyApp:
    """The ASGI application, made when it is first asked."""

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self.app is None:
            self.app = WithPolicy(build())
        await self.app(scope, receive, send)


class WithPolicy:
    """An application whose every answer, errors too, has the headers of `web.page.POLICY`."""

    def __init__(self, app: Any) -> None:
        from medallion.web.page import POLICY

        self.app = app
        self.headers = {name.lower().encode(): value.encode() for name, value in POLICY.items()}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                kept = [pair for pair in message.get("headers", ()) if pair[0].lower() not in self.headers]
                message = {**message, "headers": [*kept, *self.headers.items()]}
            await send(message)

        await self.app(scope, receive, with_headers)


def build() -> Any:
    """The FastAPI application with all routers."""
    from fastapi import FastAPI
    from fastapi.responses import PlainTextResponse

    from medallion.errors import SettingsError

    def told(_request: Any, error: Exception) -> Any:
        return PlainTextResponse(str(error), status_code=409)

    app = FastAPI(title="Medallion", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(SettingsError, told)  # such as: no project is known for the DAG
    for name in ROUTERS:
        app.include_router(import_module(name).router)
    return app
