"""`POST /judge`: Kayenta's remote-judge protocol, answered by the port of its own judge.

Kayenta sends no key with it, so none is asked for; nothing but what was sent is looked at.
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from analyzer.api.bodies import read_body
from analyzer.domain.kayenta.judge import UnknownMetric, judge_pairs
from analyzer.schemas.kayenta import judge_answer, read_judge_request
from svckit.errors import InvalidInput


def kayenta_router() -> APIRouter:
    """Return the route that Kayenta's `kayenta.remote-judge` calls."""
    router = APIRouter(tags=["kayenta"])

    @router.post("/judge", summary="Judge for Kayenta (remote judge)")
    async def judge(request: Request) -> JSONResponse:
        config, thresholds, pairs = read_judge_request(await read_body(request))
        try:
            result = judge_pairs(config, thresholds, pairs)
        except UnknownMetric as error:
            raise InvalidInput(str(error), code="invalid_request") from None
        return JSONResponse(judge_answer(result))

    return router
