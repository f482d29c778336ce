"""Control plane: fault switches, and the votes that were recorded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query

from voteapp.domain.faults import Faults
from voteapp.schemas import FaultsBody, faults_document

if TYPE_CHECKING:
    from voteapp.service import VoteService


def control_router(service: VoteService) -> APIRouter:
    """Return the routes under /control."""
    router = APIRouter(prefix="/control", tags=["control"])

    @router.get("/faults", summary="Which fault switches are on")
    async def get_faults() -> dict[str, Any]:
        return faults_document(service.faults)

    @router.put("/faults", summary="Replace all fault switches")
    async def put_faults(body: FaultsBody) -> dict[str, Any]:
        service.set_faults(body.to_domain())
        return faults_document(service.faults)

    @router.delete("/faults", summary="Switch all faults off")
    async def delete_faults() -> dict[str, Any]:
        service.set_faults(Faults())
        return faults_document(service.faults)

    @router.get("/votes", summary="How many votes were recorded, and the latest of them")
    async def get_votes(limit: Annotated[int, Query(ge=0, le=10_000)] = 100) -> dict[str, Any]:
        records = await service.store.latest(limit)
        return {
            "recorded": service.store.recorded,
            "latest": [json.loads(record) for record in records],
        }

    return router
