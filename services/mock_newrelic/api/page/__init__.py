"""The APM page: what the applications measured, live, and the faults that are in force.

One document with its style and script inside. Values come again every second as server-sent
events; without a script the browser asks for the page anew instead. The forms work either way.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response  # noqa: TC002 - the framework reads the annotation

from mock_newrelic.api.page.document import Document
from mock_newrelic.api.page.forms import forms_router
from mock_newrelic.api.session import session_of
from mock_newrelic.service.page import DEFAULT_WINDOW

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.control import ControlService
    from mock_newrelic.service.page import PageService

REFRESH_SECONDS = 1.0
STREAM_EVENTS = 5
"""A stream ends after so many events and the browser opens the next one, so that a shutdown, which
lets everything in flight finish, never waits long for a page that somebody left open."""


def page_router(*, page: PageService, control: ControlService, keys: Keys) -> APIRouter:
    """Return the page, its stream and its forms."""
    router = APIRouter(include_in_schema=False)
    document = Document(page)

    @router.get("/")
    async def show(request: Request) -> Response:
        return document.render(request)

    @router.get("/ui/stream")
    async def stream(request: Request, app: str = "", window: str = DEFAULT_WINDOW) -> Response:
        session = session_of(request.scope)

        async def states() -> AsyncIterator[ServerSentEvent]:
            for _ in range(STREAM_EVENTS):
                state = json.dumps(page.state(app=app, window=window, session=session))
                yield ServerSentEvent(state, event="state", retry=500)
                await asyncio.sleep(REFRESH_SECONDS)

        return EventSourceResponse(states(), headers={"Cache-Control": "no-store"})

    router.include_router(forms_router(document=document, control=control, keys=keys))
    return router
