"""The endpoints below `/api/2.0`, `/api/2.1`, `/api/2.2` and `/.well-known` of Airflow's API server.

The official clients cut the path off their host, so the endpoints lie at the root. Airflow lets a plugin mount
there; it keeps `/api/v2` for itself. FastAPI and the routers are imported at the first request.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

VERSIONS = ("2.0", "2.1", "2.2")
ROUTERS = ("medallion.web.jobs_api.identity:router", "medallion.web.jobs_api.jobs:router")
"""Routers of every version. A client may ask any version for any endpoint."""
WELL_KNOWN = ("medallion.web.jobs_api.identity:well_known",)
TITLE = "Jobs API"


class LazyRootApp:
    """The ASGI application of one place at the root, made when it is first asked.

    :param routers: `module:name` of each router.
    """

    def __init__(self, routers: tuple[str, ...]) -> None:
        self.routers = routers
        self.app: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer one request."""
        if self.app is None:
            from medallion.web.jobs_api.answers import WithWorkspace

            self.app = WithWorkspace(build(self.routers))
        await self.app(scope, receive, send)


def build(routers: tuple[str, ...]) -> Any:
    """The FastAPI application with these routers."""
    from fastapi import FastAPI

    from medallion.web.jobs_api.answers import add_handlers

    app = FastAPI(title=TITLE, docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    add_handlers(app)
    for entry in routers:
        module, _, name = entry.partition(":")
        app.include_router(getattr(import_module(module), name))
    return app


def mounts() -> list[dict[str, Any]]:
    """What the plugin hands Airflow."""
    api = LazyRootApp(ROUTERS)
    return [
        *({"app": api, "url_prefix": f"/api/{version}", "name": f"{TITLE} {version}"} for version in VERSIONS),
        {"app": LazyRootApp(WELL_KNOWN), "url_prefix": "/.well-known", "name": "Description of the host"},
    ]
