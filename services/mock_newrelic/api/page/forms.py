"""The two forms of the page: inject, and clear. What they do, the control plane does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, RedirectResponse, Response

from mock_newrelic import schemas
from mock_newrelic.api.session import session_of
from svckit.errors import InvalidInput, SuiteError
from svckit.problem import problem_response

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.api.page.document import Document
    from mock_newrelic.service.control import ControlService

_Field = Annotated[str, Form()]


def forms_router(*, document: Document, control: ControlService, keys: Keys) -> APIRouter:
    """Return the routes that the forms are sent to."""
    router = APIRouter()

    def done(request: Request, error: SuiteError | None = None) -> Response:
        """Answer with JSON for the page's script, with a page for a browser without one."""
        if request.headers.get("accept") == "application/json":
            return problem_response(error) if error else JSONResponse({"done": True})
        if error:
            return document.render(request, error)
        query = urlencode(request.query_params)
        return RedirectResponse("../" + (f"?{query}" if query else ""), status_code=303)

    @router.post("/ui/inject")
    async def inject(  # noqa: PLR0917 - the fields of the form
        request: Request,
        key: _Field = "",
        app: _Field = "",
        role: _Field = "",
        hash: _Field = "",  # noqa: A002 - the contract's word
        effect: _Field = "",
        value: _Field = "",
        ttl: _Field = "15m",
    ) -> Response:
        try:
            keys.check_admin(key.encode() or None)
            control.inject(
                schemas.Injection(
                    app=app,
                    role=role or None,
                    hash=hash or None,
                    effect={effect: _argument(value)},
                    ttl=ttl,
                    reason="APM page",
                    session=session_of(request.scope),
                )
            )
        except SuiteError as error:
            return done(request, error)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            return done(request, InvalidInput(f"{where}: {first['msg']}"))
        return done(request)

    @router.post("/ui/clear")
    async def clear(request: Request, key: _Field = "", identity: _Field = "") -> Response:
        try:
            keys.check_admin(key.encode() or None)
            if identity:
                control.injections.delete(identity)
            else:
                control.injections.clear(session=session_of(request.scope))
        except SuiteError as error:
            return done(request, error)
        return done(request)

    return router


def _argument(text: str) -> Any:
    """Return the argument of the form's effect: JSON where it is JSON, else the text itself."""
    text = text.strip()
    if not text:
        return True
    try:
        return json.loads(text)
    except ValueError:
        return text
