"""`GET /v1/analysis` and `POST /v1/judge`: every verdict is HTTP 200, everything else a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from analyzer.api.bodies import read_body
from analyzer.schemas.documents import analysis_document
from analyzer.schemas.judge_body import read_judge_body
from analyzer.schemas.parameters import (
    ANALYSIS_PARAMETERS,
    openapi_parameters,
    read_analysis_query,
)

if TYPE_CHECKING:
    from analyzer.service.analysis import Analysis, AnalysisService


def analysis_router(service: AnalysisService) -> APIRouter:
    """Return the routes that give verdicts."""
    router = APIRouter(tags=["analysis"])

    @router.get(
        "/v1/analysis",
        summary="Compare the canary with stable over one window",
        openapi_extra=openapi_parameters(ANALYSIS_PARAMETERS, required=("app", "canary", "stable")),
    )
    async def analyse(request: Request) -> JSONResponse:
        query = read_analysis_query(request.query_params.multi_items())
        return _answer(await service.analyse(query))

    @router.post("/v1/judge", summary="Judge windows given in the body")
    async def judge(request: Request) -> JSONResponse:
        identity, pair = read_judge_body(await read_body(request))
        return _answer(service.judge(identity, pair))

    return router


def _answer(analysis: Analysis) -> JSONResponse:
    return JSONResponse(
        analysis_document(
            analysis.verdict, run=analysis.run, window=analysis.window, notes=analysis.notes
        )
    )
