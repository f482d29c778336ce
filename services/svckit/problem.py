"""Errors at the HTTP edge: `application/problem+json` (RFC 9457) for everything that goes wrong.

Members: type, title, status, detail, instance, `error` (stable code), `hint`, and `errors[]` for
validation. A body never repeats the caller's input unescaped.
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import structlog
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request

MEDIA_TYPE = "application/problem+json"
_TYPE_BASE = "urn:gatelab:problem:"
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large"}


def problem_document(error: SuiteError, *, instance: str = "") -> dict[str, Any]:
    """Return the members of the problem, without empty ones."""
    document: dict[str, Any] = {
        "type": f"{_TYPE_BASE}{error.code}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": instance,
        "error": error.code,
        "hint": error.hint,
        "errors": list(error.errors),
    }
    return {name: value for name, value in document.items() if value not in ("", [])}


def problem_body(error: SuiteError, *, instance: str = "") -> bytes:
    """Return the problem as one line of JSON."""
    return json.dumps(problem_document(error, instance=instance)).encode()


def problem_response(
    error: SuiteError, *, instance: str = "", headers: dict[str, str] | None = None
) -> Response:
    """Return the problem as a response."""
    return Response(
        problem_body(error, instance=instance),
        status_code=error.status,
        headers=headers,
        media_type=MEDIA_TYPE,
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Make the application answer every error with a problem."""

    def suite_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, SuiteError)  # noqa: S101 - registered for this class only
        return problem_response(error, instance=_instance(request))

    def validation_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - as above
        problems = tuple(
            {
                "loc": ".".join(str(part) for part in item["loc"]),
                "msg": str(item["msg"]).removeprefix("Value error, "),
            }
            for item in error.errors()
        )
        # A body that is not JSON at all is "unparsable" (400), a wrong value is 422.
        unparsable = any(item["type"] == "json_invalid" for item in error.errors())
        first = problems[0]
        return problem_response(
            InvalidInput(
                f"{first['loc']}: {first['msg']}",
                code="invalid_request",
                status=400 if unparsable else 422,
                errors=problems,
            ),
            instance=_instance(request),
        )

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - as above
        phrase = HTTPStatus(error.status_code).phrase
        return problem_response(
            _RefusedError(
                str(error.detail),
                code=_CODES.get(error.status_code, phrase.lower().replace(" ", "_")),
                status=error.status_code,
            ),
            instance=_instance(request),
            headers=dict(error.headers or {}),
        )

    def bug(request: Request, error: Exception) -> Response:
        structlog.get_logger().error("request_crashed", exc_info=error)
        return problem_response(
            SuiteError("the service failed to answer; this is a bug", hint="see its log"),
            instance=_instance(request),
        )

    app.add_exception_handler(SuiteError, suite_error)
    app.add_exception_handler(RequestValidationError, validation_error)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(Exception, bug)


class _RefusedError(SuiteError):
    title = "Request refused"


def _instance(request: Request) -> str:
    identity = request.scope.get("request_id", "")
    return f"urn:request:{identity}" if identity else ""
