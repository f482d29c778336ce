"""The collector of New Relic's agents, `/agent_listener/invoke_raw_method`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from mock_newrelic.api.bodies import raw_body
from mock_newrelic.api.edge import JOURNAL_KEY
from mock_newrelic.api.refusals import refusal
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.surfaces import Surface
from mock_newrelic.service.agents import Call
from svckit.errors import SuiteError

if TYPE_CHECKING:
    from mock_newrelic.service.agents import CollectorService

PATH = "/agent_listener/invoke_raw_method"
_JSON = "application/json"
_encode = msgspec.json.Encoder().encode


def collector_router(*, collector: CollectorService) -> APIRouter:
    """Return the collector's only route; Node's agent may be told to use PUT."""
    router = APIRouter(tags=["agents"])

    @router.post(
        PATH,
        summary="A call of an agent",
        description='Answers `{"return_value": …}`, or `{"exception": {message, error_type}}` '
        "with the status that tells the agent what to do: 401 and 409 start anew, 410 stop for "
        "good, 413 discard, 429 and 503 send again later.",
        openapi_extra={
            "parameters": [
                {"name": "Content-Encoding", "in": "header", "schema": {"type": "string"}}
            ],
            "requestBody": {"content": {_JSON: {"schema": {"type": "array", "items": {}}}}},
            "responses": {
                "400": {"description": "The method or the body is not understood"},
                "401": {"description": "The licence key is wrong"},
                "409": {"description": "The run is not known"},
                "413": {"description": "The body is too long"},
                "415": {"description": "The encoding is not known"},
            },
        },
    )
    @router.put(PATH, include_in_schema=False)
    async def invoke(
        request: Request,
        method: Annotated[str, Query(description="Name of the method.")] = "",
        license_key: Annotated[str, Query(description="Of the agent.")] = "",
        run_id: Annotated[str, Query(description="Of its run, once it is connected.")] = "",
    ) -> Response:
        host, port = _reached(request)
        try:
            call = Call(
                method=method,
                run_id=run_id,
                license_key=license_key,
                body=await raw_body(request),
                encoding=request.headers.get("content-encoding", ""),
                user_agent=request.headers.get("user-agent", ""),
                host=host,
                port=port,
                session=session_of(request.scope),
            )
            reply = await collector.call(call)
        except SuiteError as error:
            media_type, content = refusal(Surface.AGENT, error)
            return Response(content, status_code=error.status, media_type=media_type)
        facts = request.scope.get(JOURNAL_KEY)
        if facts is not None:
            facts.update(app=",".join(reply.apps), samples=reply.samples)
        marks = {"X-Mock-Injection": ",".join(reply.injections)} if reply.injections else None
        return Response(_encode({"return_value": reply.value}), media_type=_JSON, headers=marks)

    return router


def _reached(request: Request) -> tuple[str, int]:
    """Return host and port by which an agent reached the service.

    Node's agent leaves the port out of the Host header, whatever it is; then it is the one that
    was listened on.
    """
    host, _, port = request.headers.get("host", "").rpartition(":")
    if not port.isdigit() or not port.isascii() or len(port) > 5:
        host, port = request.headers.get("host", ""), ""
    server = request.scope.get("server") or ("localhost", None)
    if port:
        number = int(port)
    elif request.headers.get("user-agent", "").startswith("NewRelic-NodeAgent"):
        number = server[1] or 443
    else:
        number = 443
    return host.strip("[]") or "localhost", number
