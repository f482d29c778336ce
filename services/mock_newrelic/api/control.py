"""The control plane for tests: the journal, waiting for traffic, starting afresh."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query

from mock_newrelic.api.dependencies import admin_key, only_parameters
from mock_newrelic.domain.query import require_app
from mock_newrelic.service.journal import MAX_ENTRIES
from svckit.durations import DurationError, parse_duration
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.control import ControlService

MAX_WAIT_SECONDS = 60


def control_router(*, control: ControlService, keys: Keys) -> APIRouter:
    """Return the routes under /control that are not about injections."""
    router = APIRouter(prefix="/control", tags=["control"], dependencies=[Depends(admin_key(keys))])

    @router.get(
        "/requests",
        summary="The last requests to the data plane",
        dependencies=[Depends(only_parameters("surface", "app", "limit"))],
    )
    async def requests(
        surface: Literal["", "query", "ingest"] = "",
        app: str = "",
        limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 1000,
    ) -> dict[str, Any]:
        found = control.journal.find(surface=surface, app=app, limit=limit)
        return {"requests": [entry.as_json() for entry in found]}

    @router.post(
        "/wait",
        summary="Wait until so much has come",
        description="`samples` waits for ingested samples of `app`; `count` for requests of "
        "`surface` (and `app`). The timeout is real time. When it passes first: 408.",
        dependencies=[Depends(only_parameters("app", "samples", "count", "surface", "timeout"))],
    )
    async def wait(
        app: str = "",
        samples: Annotated[int, Query(ge=1)] | None = None,
        count: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] | None = None,
        surface: Literal["", "query", "ingest"] = "",
        timeout: str = "30s",  # noqa: ASYNC109 - a parameter of the request
    ) -> dict[str, Any]:
        seconds = _timeout(timeout)
        if (samples is None) == (count is None):
            raise InvalidInput("give exactly one of 'samples' and 'count'", code="bad_wait")

        if samples is not None:
            wanted, counted = samples, partial(control.samples_of, require_app(app))
        else:
            wanted = count or 0
            counted = partial(control.journal.count, surface=surface, app=app)
        reached = await control.journal.wait(counted, wanted, seconds)
        if reached < wanted:
            raise SuiteError(
                f"{reached} of {wanted} came within {timeout}", code="wait_timeout", status=408
            )
        return {"reached": reached}

    @router.post(
        "/reset",
        summary="Forget samples, injections and requests",
        dependencies=[Depends(only_parameters("app"))],
    )
    async def reset(app: str | None = None) -> dict[str, Any]:
        return control.reset(None if app is None else require_app(app))

    return router


def _timeout(text: str) -> float:
    try:
        seconds = parse_duration(text)
    except DurationError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise InvalidInput(
            "parameter 'timeout' is not a duration up to 1m", code="bad_timeout", hint="timeout=30s"
        )
    return seconds
