"""The control plane for testers: inject, list, clear, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends

from mock_newrelic import schemas  # noqa: TC001 - the framework reads the annotation
from mock_newrelic.api.dependencies import admin_key, only_parameters
from mock_newrelic.service.injections import injection_as_json

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.control import ControlService


def injections_router(*, control: ControlService, keys: Keys) -> APIRouter:
    """Return the routes under /control that are about injections."""
    router = APIRouter(prefix="/control", tags=["control"], dependencies=[Depends(admin_key(keys))])

    @router.post("/injections", status_code=201, summary="Inject")
    async def inject(body: schemas.Injection) -> dict[str, Any]:
        return injection_as_json(control.inject(body))

    @router.get("/injections", summary="Injections that have not expired")
    async def injections() -> dict[str, Any]:
        return {"injections": control.injections.listed()}

    @router.delete(
        "/injections",
        summary="Clear all injections",
        dependencies=[Depends(only_parameters())],
    )
    async def clear() -> dict[str, Any]:
        return {"cleared": control.injections.clear()}

    @router.delete("/injections/{identity}", summary="End one injection")
    async def delete(identity: str) -> dict[str, Any]:
        control.injections.delete(identity)
        return {"cleared": 1}

    @router.get("/audit", summary="What was injected and which answers it touched")
    async def audit() -> dict[str, Any]:
        return {"entries": control.audit.entries()}

    return router
