"""The control plane for tests: the journal, waiting for traffic, starting afresh."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from mock_newrelic.api.dependencies import admin_key, only_parameters
from mock_newrelic.api.session import session_of
from mock_newrelic.domain.metrics import find_metric
from mock_newrelic.domain.query import require_app
from mock_newrelic.domain.schedule import OPERATORS, holds
from mock_newrelic.domain.surfaces import DATA_PLANE, GROUPS, surfaces_named
from mock_newrelic.domain.window import parse_window
from mock_newrelic.service.journal import MAX_ENTRIES
from svckit.durations import DurationError, parse_duration
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_newrelic.api.keys import Keys
    from mock_newrelic.service.control import ControlService

MAX_WAIT_SECONDS = 60


def control_router(*, control: ControlService, keys: Keys) -> APIRouter:
    """Return the routes under /control that are not about injections."""
    router = APIRouter(prefix="/control", tags=["control"], dependencies=[Depends(admin_key(keys))])

    @router.get(
        "/requests",
        summary="The last requests to the data plane",
        description="Every request of the session, refused ones too. `surface` is the name of a "
        "door, or `query` or `ingest` for several; `status` a status or a class such as `4xx`; "
        "`method` an HTTP method or a method of the agents' protocol.",
        dependencies=[
            Depends(only_parameters("surface", "app", "limit", "session", "method", "status"))
        ],
    )
    async def requests(  # noqa: PLR0917 - parameters of the request
        request: Request,
        surface: str = "",
        app: str = "",
        session: str = "",
        method: str = "",
        status: Annotated[str, Query(pattern=r"^([0-9]{3}|[1-5]xx|0)?$")] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] = 1000,
    ) -> dict[str, Any]:
        found = control.journal.find(
            surface=_surface(surface),
            app=app,
            session=session or session_of(request.scope),
            method=method,
            status=status,
            limit=limit,
        )
        return {"requests": [entry.as_json() for entry in found]}

    @router.post(
        "/wait",
        summary="Wait until so much has come",
        description="One of three: `samples` waits for ingested samples of `app`; `count` for "
        "requests (of `surface`, `app`, `method`); `metric` for a measured metric of `app` over "
        "`window` to fulfil `op` and `value`. The timeout is real time. When it passes first: 408.",
        dependencies=[
            Depends(
                only_parameters(
                    "app", "samples", "count", "surface", "method", "metric", "op", "value",
                    "window", "timeout",
                )
            )
        ],
    )  # fmt: skip
    async def wait(  # noqa: PLR0917 - parameters of the request
        request: Request,
        app: str = "",
        samples: Annotated[int, Query(ge=1)] | None = None,
        count: Annotated[int, Query(ge=1, le=MAX_ENTRIES)] | None = None,
        surface: str = "",
        method: str = "",
        metric: str = "",
        op: str = "gt",
        value: float | None = None,
        window: str = "1m",
        timeout: str = "30s",  # noqa: ASYNC109 - a parameter of the request
    ) -> dict[str, Any]:
        reached: Callable[[], float | None]
        seconds = _timeout(timeout)
        if (samples is not None) + (count is not None) + bool(metric) != 1:
            raise InvalidInput(
                "give exactly one of 'samples', 'count' and 'metric'", code="bad_wait"
            )
        session = session_of(request.scope)
        if metric:
            reached = partial(
                control.measured,
                require_app(app),
                find_metric(metric).name,
                parse_window(window),
                session,
            )
            done, wanted = _condition(op, value), f"{metric} {op} {value}"
        elif samples is not None:
            reached = partial(control.samples_of, require_app(app), session)
            done, wanted = _condition("ge", samples), str(samples)
        else:
            reached = partial(
                control.journal.count,
                surface=_surface(surface),
                app=app,
                session=session,
                method=method,
            )
            done, wanted = _condition("ge", count), str(count)
        if not await control.journal.wait(lambda: done(reached()), seconds):
            raise SuiteError(
                f"{reached()} of {wanted} came within {timeout}", code="wait_timeout", status=408
            )
        return {"reached": reached()}

    @router.post(
        "/reset",
        summary="Forget samples, injections and requests",
        dependencies=[Depends(only_parameters("app"))],
    )
    async def reset(request: Request, app: str | None = None) -> dict[str, Any]:
        session = session_of(request.scope)
        return control.reset(None if app is None else require_app(app), session)

    return router


def _condition(op: str, value: float | None) -> Callable[[float | None], bool]:
    if op not in OPERATORS or value is None:
        raise InvalidInput(
            "'metric' needs 'op' and 'value'", code="bad_wait", hint=f"op: {', '.join(OPERATORS)}"
        )
    return lambda measured: measured is not None and holds(op, measured, value)


def _surface(name: str) -> str:
    if name and not surfaces_named(name) & DATA_PLANE:
        raise InvalidInput(
            "parameter 'surface' is not known",
            code="bad_surface",
            hint=f"one of: {', '.join(sorted((*GROUPS, *DATA_PLANE)))}",
        )
    return name


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
