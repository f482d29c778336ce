"""The control plane for snapshots, and what the service says about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Path, Request

from mock_newrelic import schemas  # noqa: TC001 - the framework reads the annotation
from mock_newrelic.api.dependencies import admin_key, only_parameters
from mock_newrelic.api.session import session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.snapshots import SnapshotService

_Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9._-]{1,100}$")]


def snapshots_router(
    *, snapshots: SnapshotService, keys: Keys, info: Callable[[], dict[str, Any]]
) -> APIRouter:
    """Return the routes /control/snapshots and /control/info."""
    router = APIRouter(prefix="/control", tags=["control"], dependencies=[Depends(admin_key(keys))])

    @router.post(
        "/snapshots/{name}",
        summary="Compare the requests of the session with a snapshot",
        description="Creates it when there is none, unless MOCK_NEWRELIC_CI is set: 404 "
        "`snapshot_missing`. A difference is 409 `snapshot_differs`; `errors` says where.",
    )
    async def compare(request: Request, name: _Name, body: schemas.Comparison) -> dict[str, Any]:
        return snapshots.compare(
            name, surface=body.surface, ignore=body.ignore, session=session_of(request.scope)
        )

    @router.get("/snapshots", summary="Names of the snapshots")
    async def names() -> dict[str, Any]:
        return {"snapshots": snapshots.names()}

    @router.get("/snapshots/{name}", summary="The requests of a snapshot")
    async def show(name: _Name) -> dict[str, Any]:
        return {"requests": snapshots.get(name)}

    @router.put("/snapshots/{name}", summary="Put a snapshot in place")
    async def replace(name: _Name, body: schemas.Snapshot) -> dict[str, Any]:
        snapshots.replace(name, body.requests)
        return {"snapshot": name, "requests": len(body.requests)}

    @router.delete("/snapshots/{name}", summary="Forget a snapshot")
    async def delete(name: _Name) -> dict[str, Any]:
        snapshots.delete(name)
        return {"deleted": 1}

    @router.get(
        "/info",
        summary="Version, clock, settings without secrets, and what is there",
        dependencies=[Depends(only_parameters())],
    )
    async def about() -> dict[str, Any]:
        return info()

    return router
