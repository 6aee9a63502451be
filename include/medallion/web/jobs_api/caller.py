"""Who asks: a personal token, or one of Airflow's own. Runs in the API server.

Only the header counts, never a cookie: a page of another site cannot ask in somebody's name.
"""

# No `from __future__ import annotations`: FastAPI reads the dependencies from the annotations.
from typing import Annotated

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from fastapi import Depends, Request  # noqa: TID253  imported at the first request
from fastapi.concurrency import run_in_threadpool  # noqa: TID253
from jwt import InvalidTokenError

from medallion.web.jobs_api.answers import ApiError
from medallion.web.tokens import PREFIX, token_store

HINT = "make one with `medallion token create`"


async def caller(request: Request) -> BaseUser:
    """The user whose token came.

    :raises ApiError: none came, or it is wrong, over or revoked.
    """
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if scheme.lower() != "bearer" or not secret:
        raise ApiError("UNAUTHENTICATED", f"no token came in the header Authorization: {HINT}")
    user = await (of_personal_token(secret) if secret.startswith(PREFIX) else of_airflow_token(secret))
    if user is None:
        raise ApiError("UNAUTHENTICATED", f"the token is wrong, over or revoked: {HINT}")
    return user


async def of_personal_token(secret: str) -> BaseUser | None:
    """The user of one of our tokens, with the rights that Airflow gives."""
    token = await run_in_threadpool(token_store().find, secret)
    return None if token is None else get_auth_manager().deserialize_user(dict(token.claims))


async def of_airflow_token(secret: str) -> BaseUser | None:
    """The user of a token that Airflow's login gave."""
    try:
        return await get_auth_manager().get_user_from_token(secret)
    except InvalidTokenError:
        return None


Caller = Annotated[BaseUser, Depends(caller)]
