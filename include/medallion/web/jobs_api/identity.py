"""What each client asks first: who it is, and what kind of host this is. Runs in the API server."""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from typing import Any

from fastapi import APIRouter  # noqa: TID253  imported at the first request

from medallion.web.jobs_api.answers import workspace_id
from medallion.web.jobs_api.caller import Caller

router = APIRouter(tags=["identity"])
well_known = APIRouter(tags=["identity"])


@router.get("/preview/scim/v2/Me")
def me(user: Caller) -> dict[str, Any]:
    """The user whose token it is: `current_user.me()`."""
    name = user.get_name()
    return {
        "id": str(user.get_id()),
        "userName": name,
        "displayName": name,
        "active": True,
        "emails": [{"type": "work", "value": name, "primary": True}],
        "groups": [],
    }


@well_known.get("/databricks-config")
def host() -> dict[str, Any]:
    """What kind of host this is, for anybody who asks. There is no login by OAuth."""
    return {"workspace_id": str(workspace_id()), "host_type": "WORKSPACE"}
