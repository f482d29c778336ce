"""The control plane for testers: inject, list, clear, and what came of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from mock_newrelic import schemas  # noqa: TC001 - the framework reads the annotation
from mock_newrelic.api.dependencies import admin_key, only_parameters
from mock_newrelic.api.session import session_of
from mock_newrelic.service.injections import injection_as_json

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.control import ControlService

JSON_LINES = "application/jsonl"


def injections_router(*, control: ControlService, keys: Keys) -> APIRouter:
    """Return the routes under /control that are about injections."""
    router = APIRouter(prefix="/control", tags=["control"], dependencies=[Depends(admin_key(keys))])

    def in_session(request: Request, body: schemas.Injection) -> schemas.Injection:
        session = session_of(request.scope)
        return body.model_copy(update={"session": session}) if session else body

    @router.post("/injections", status_code=201, summary="Inject")
    async def inject(request: Request, body: schemas.Injection) -> dict[str, Any]:
        return injection_as_json(control.inject(in_session(request, body)))

    @router.post(
        "/injections:preview",
        summary="What an injection would do, without doing it",
        description="Checks it like POST /control/injections and shows the applications it covers "
        "with what is measured for its scope, and which of the next questions it would strike.",
    )
    async def preview(request: Request, body: schemas.Injection) -> dict[str, Any]:
        return control.preview(in_session(request, body))

    @router.get("/injections", summary="Injections that have not expired")
    async def injections(request: Request) -> dict[str, Any]:
        return {"injections": control.injections.listed(session_of(request.scope))}

    @router.delete(
        "/injections",
        summary="Clear all injections",
        dependencies=[Depends(only_parameters())],
    )
    async def clear(request: Request) -> dict[str, Any]:
        return {"cleared": control.injections.clear(session=session_of(request.scope))}

    @router.delete("/injections/{identity}", summary="End one injection")
    async def delete(identity: str) -> dict[str, Any]:
        control.injections.delete(identity)
        return {"cleared": 1}

    @router.get(
        "/audit",
        summary="What was injected and which answers it touched",
        description="`format=jsonl` gives one entry a line.",
        dependencies=[Depends(only_parameters("format"))],
        response_model=None,
    )
    async def audit(format: Literal["json", "jsonl"] = "json") -> dict[str, Any] | Response:  # noqa: A002 - a parameter of the request
        entries = control.audit.entries()
        if format == "jsonl":
            lines = "".join(json.dumps(entry) + "\n" for entry in entries)
            return Response(lines, media_type=JSON_LINES)
        return {"entries": entries}

    return router
