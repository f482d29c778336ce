"""Refusals in the form of each surface: New Relic's own where the surface is New Relic's."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.ingest.otlp_wire import JSON, PROTOBUF, failure, media_type_of
from mock_newrelic.domain.surfaces import Surface
from svckit.problem import MEDIA_TYPE, problem_body

if TYPE_CHECKING:
    from svckit.errors import SuiteError

_GRAPHQL_CODES = {
    400: "BAD_USER_INPUT",
    401: "BAD_API_KEY",
    **dict.fromkeys((500, 502, 503, 504), "SERVER_ERROR"),
}
"""Classes that New Relic's clients know. They ask again upon SERVER_ERROR, so that nothing else may
be called so; the others are named after their status."""
_COLLECTOR_TYPES = {
    401: "NewRelic::Agent::LicenseException",
    409: "NewRelic::Agent::ForceRestartException",
    410: "NewRelic::Agent::ForceDisconnectException",
}


def refusal(
    surface: Surface, error: SuiteError, *, instance: str = "", sent: str = ""
) -> tuple[str, bytes]:
    """Return content type and body that say an error as the surface would.

    Args:
        surface: whose form it is to have.
        error: what is wrong.
        instance: id of the request, for a problem.
        sent: Content-Type of the request, in which OTLP answers.
    """
    document: Any
    match surface:
        case Surface.NERDGRAPH:
            code = _GRAPHQL_CODES.get(error.status) or reason(error.status).upper().replace(
                " ", "_"
            )
            extensions = {"error_code": code, "errorClass": code}
            document = {"errors": [{"message": error.detail, "extensions": extensions}]}
        case Surface.INSIGHTS:
            document = {"error": error.detail}
        case Surface.REST2:
            document = {"error": {"title": error.detail}}
        case Surface.AGENT:
            kind = _COLLECTOR_TYPES.get(error.status, "RuntimeError")
            document = {"exception": {"message": error.detail, "error_type": kind}}
        case Surface.OTLP:
            media_type = PROTOBUF if media_type_of(sent) == PROTOBUF else JSON
            return media_type, failure(error.status, error.detail, media_type)
        case Surface.METRIC_API | Surface.TRACE_API | Surface.LOG_API:
            document = {"error": {"code": error.status, "message": error.detail}}
        case _:
            return MEDIA_TYPE, problem_body(error, instance=instance)
    return JSON, json.dumps(document).encode()


def reason(status: int) -> str:
    """Return the phrase that belongs to a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
