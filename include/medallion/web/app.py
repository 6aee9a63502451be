"""Medallion's pages and programs' interface, mounted at `/lakeflow` in Airflow's API server.

The plugin hands Airflow `LazyApp`, which costs nothing in the scheduler, the triggerer and the dag processor; FastAPI and
the routers are imported at the first request.
"""

# No `from __future__ import annotations` in modules with endpoints: FastAPI reads the dependencies from the annotations.
from importlib import import_module
from typing import Any

ROUTERS: tuple[str, ...] = (
    *("medallion.web.starts", "medallion.web.control"),
    *("medallion.web.triggers", "medallion.web.run_page"),
)
"""Modules with a `router` (`fastapi.APIRouter`)."""


class LazyApp:
    """The ASGI application, made when it is first asked."""

    def __init__(self) -> None:
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self.app is None:
            self.app = build()
        await self.app(scope, receive, send)


def build() -> Any:
    """The FastAPI application with all routers."""
    from fastapi import FastAPI

    app = FastAPI(title="Medallion", docs_url=None, redoc_url=None, openapi_url=None)
    for name in ROUTERS:
        app.include_router(import_module(name).router)
    return app
