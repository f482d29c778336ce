"""Verdicts over HTTP: every verdict is HTTP 200, everything else a problem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse

from analyzer.api.bodies import read_body
from analyzer.schemas.documents import analysis_document
from analyzer.schemas.judge_body import read_judge_body
from analyzer.schemas.parameters import (
    ANALYSIS_PARAMETERS,
    openapi_parameters,
    read_analysis_query,
    run_name,
)
from analyzer.service.analysis import judge_once

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from analyzer.service.analysis import Analysis, AnalysisService
    from analyzer.service.instruments import Instruments
    from analyzer.service.runs import RunService


def analysis_router(
    once: AnalysisService, runs: Callable[[], Awaitable[RunService]], instruments: Instruments
) -> APIRouter:
    """Return the routes that give verdicts; `runs` returns the same service at every call."""
    router = APIRouter(tags=["analysis"])

    @router.get(
        "/v1/analysis",
        summary="Compare the canary with stable, over one window or as a run",
        openapi_extra=openapi_parameters(ANALYSIS_PARAMETERS, required=("app", "canary", "stable")),
    )
    async def analyse(request: Request) -> JSONResponse:
        query = read_analysis_query(request.query_params.multi_items())
        if query.run is not None:
            return JSONResponse(await (await runs()).look(query))
        return _answer(await once.analyse(query))

    @router.get("/v1/analysis/{run}", summary="Tell how a run went, look by look")
    async def history(run: str) -> JSONResponse:
        return JSONResponse(await (await runs()).history(run_name(run)))

    @router.get(
        "/v1/analysis/{run}/page",
        summary="Show how a run went, with plots",
        response_class=HTMLResponse,
    )
    async def page(run: str) -> HTMLResponse:
        from analyzer.api.page import render_run  # noqa: PLC0415 - costs time at start

        found = await (await runs()).history(run_name(run))
        return HTMLResponse(await to_thread.run_sync(render_run, found))

    @router.post("/v1/judge", summary="Judge windows given in the body")
    async def judge(request: Request) -> JSONResponse:
        asked = await to_thread.run_sync(read_judge_body, await read_body(request))
        if asked.one_look:
            analysis = judge_once(asked)
            instruments.count_verdict(analysis.verdict.metrics)
            return _answer(analysis)
        return JSONResponse(await (await runs()).judge(asked))

    return router


def _answer(analysis: Analysis) -> JSONResponse:
    document: dict[str, Any] = analysis_document(
        analysis.verdict, run=analysis.run, window=analysis.window, notes=analysis.notes
    )
    return JSONResponse(document)
