"""The control plane for sessions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends

from mock_newrelic import schemas  # noqa: TC001 - the framework reads the annotation
from mock_newrelic.api.dependencies import admin_key, only_parameters
from svckit.durations import parse_duration

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.sessions import SessionService


def sessions_router(*, sessions: SessionService, keys: Keys) -> APIRouter:
    """Return the routes under /control/sessions."""
    router = APIRouter(prefix="/control", tags=["control"], dependencies=[Depends(admin_key(keys))])

    @router.post(
        "/sessions",
        status_code=201,
        summary="Begin a session",
        description="Name its token in the header X-Mock-Session or the parameter mock_session.",
    )
    async def create(body: schemas.Session) -> dict[str, Any]:
        return sessions.create(name=body.name, ttl=parse_duration(body.ttl)).as_json()

    @router.get(
        "/sessions", summary="Sessions that go on", dependencies=[Depends(only_parameters())]
    )
    async def listed() -> dict[str, Any]:
        return {"sessions": [one.as_json() for one in sessions.listed()]}

    @router.delete("/sessions/{token}", summary="End a session and forget everything in it")
    async def delete(token: str) -> dict[str, Any]:
        sessions.delete(token)
        return {"ended": 1}

    return router
