"""`GET /v1/health-check`: the verdict about the target is HTTP 200, a refused target is 4xx."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from analyzer.schemas.parameters import (
    HEALTH_PARAMETERS,
    openapi_parameters,
    read_health_query,
)

if TYPE_CHECKING:
    from analyzer.service.health import HealthService


def health_check_router(service: HealthService) -> APIRouter:
    """Return the route that probes a Service."""
    router = APIRouter(tags=["health check"])

    @router.get(
        "/v1/health-check",
        summary="Probe a Service; healthy is exactly HTTP 200",
        openapi_extra=openapi_parameters(HEALTH_PARAMETERS, required=("service", "namespace")),
    )
    async def health_check(request: Request) -> JSONResponse:
        target = read_health_query(request.query_params.multi_items())
        return JSONResponse(await service.check(**target))

    return router
