"""Personal tokens for `medallion token`: `/lakeflow/api/tokens`. Runs in the API server.

A user makes, sees and revokes the own tokens alone; with one of them the user may do what Airflow lets the user do.
"""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from fastapi import APIRouter, Depends, HTTPException  # noqa: TID253  imported at the first request
from pydantic import BaseModel, ConfigDict, Field

from medallion.web.tokens import token_store

DAY = 24 * 3600
DEFAULT_SECONDS = 90 * DAY
MOST_SECONDS = 730 * DAY
"""The longest life that a workspace of Databricks gives a token."""
MOST_COMMENT = 1024

router = APIRouter(prefix="/api/tokens", tags=["tokens"])
MayRead = Depends(requires_access_dag("GET", DagAccessEntity.RUN))
MayStart = Depends(requires_access_dag("POST", DagAccessEntity.RUN))


class NewToken(BaseModel):
    """The body of `token/create`, in the Token API's words."""

    model_config = ConfigDict(extra="forbid")

    lifetime_seconds: Annotated[int, Field(ge=1, le=MOST_SECONDS)] = DEFAULT_SECONDS
    comment: Annotated[str, Field(max_length=MOST_COMMENT)] = ""


@router.post("", dependencies=[MayStart])
def create(body: NewToken, user: GetUserDep) -> dict[str, Any]:
    """Make a token for the user. Its secret is in this answer alone."""
    claims = get_auth_manager().serialize_user(user)
    secret, token = token_store().create(user.get_name(), claims, seconds=body.lifetime_seconds, comment=body.comment)
    return {"token_value": secret, "token_info": token.to_json()}


@router.get("", dependencies=[MayRead])
def listed(user: GetUserDep) -> dict[str, Any]:
    """The user's tokens, without their secrets."""
    return {"token_infos": [token.to_json() for token in token_store().listed(user.get_name())]}


@router.delete("/{token_id}", dependencies=[MayStart])
def revoke(token_id: str, user: GetUserDep) -> dict[str, Any]:
    """End one of the user's tokens for good."""
    if not token_store().revoke(token_id, user.get_name()):
        raise HTTPException(404, f"{user.get_name()} has no token {token_id}")
    return {"token_id": token_id}
