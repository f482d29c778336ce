"""The APM page: what the applications measured, which injections are in force, and a form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form
from jinja2 import Environment, FileSystemLoader
from pydantic import ValidationError
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mock_newrelic import schemas
from mock_newrelic.domain.histogram import quantile
from mock_newrelic.domain.model import NO_TERMS, Span
from mock_newrelic.domain.rendering import number_text
from mock_newrelic.domain.window import sliding_span
from svckit.errors import InvalidInput, SuiteError
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from mock_newrelic.api.keys import Keys
    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.model import Terms
    from mock_newrelic.ports import Store
    from mock_newrelic.service.control import ControlService
    from svckit.clock import Clock

WINDOW_SECONDS = 300
STEP_SECONDS = 10
MAX_ROWS = 50
_CHART_WIDTH, _CHART_HEIGHT = 150, 24
_SECURITY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"

_Field = Annotated[str, Form()]


def page_router(*, control: ControlService, store: Store, keys: Keys, clock: Clock) -> APIRouter:
    """Return the page and the two forms on it."""
    router = APIRouter(include_in_schema=False)
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True
    )

    def render(error: SuiteError | None = None) -> Response:
        now = clock.now()
        content = templates.get_template("apm.html").render(
            now=format_timestamp(now),
            apps=[_app(app, now) for app in store.applications()],
            injections=control.injections.listed(),
            error=error,
        )
        status = error.status if error else 200
        return HTMLResponse(content, status, headers={"Content-Security-Policy": _SECURITY})

    @router.get("/")
    async def page() -> Response:
        return render()

    @router.post("/ui/inject")
    async def inject(  # noqa: PLR0917 - the fields of the form
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
                    effect={effect: _argument(effect, value)},
                    ttl=ttl,
                    reason="APM page",
                )
            )
        except SuiteError as error:
            return render(error)
        except ValidationError as error:
            first = error.errors()[0]
            return render(InvalidInput(f"{'.'.join(map(str, first['loc']))}: {first['msg']}"))
        return RedirectResponse("/", status_code=303)

    @router.post("/ui/clear")
    async def clear(key: _Field = "", identity: _Field = "") -> Response:
        try:
            keys.check_admin(key.encode() or None)
            if identity:
                control.injections.delete(identity)
            else:
                control.injections.clear()
        except SuiteError as error:
            return render(error)
        return RedirectResponse("/", status_code=303)

    return router


def _argument(effect: str, value: str) -> Any:
    """Return the argument of the form's effect; what is no number is left for the effect."""
    if effect == "no_data":
        return True
    try:
        return int(value) if effect == "status" else float(value)
    except ValueError:
        return value


def _app(app: Application, now: float) -> dict[str, Any]:
    hashes = app.values("hash")
    rows = [_row(app, "all", NO_TERMS, now)]
    rows += [_row(app, one, frozenset({("hash", one)}), now) for one in hashes[:MAX_ROWS]]
    return {"name": app.name, "rows": rows, "hidden": max(0, len(hashes) - MAX_ROWS)}


def _row(app: Application, name: str, terms: Terms, now: float) -> dict[str, str]:
    counts, histogram = app.sliding(terms, WINDOW_SECONDS, now, latency=True)
    p95 = quantile(histogram, 0.95)
    return {
        "name": name,
        "samples": str(counts.samples),
        "rate": number_text(100 * counts.errors / counts.samples) if counts.samples else "",
        "p95": f"{p95 * 1000:.0f}" if p95 is not None else "",
        "chart": _chart(app, terms, now),
    }


def _chart(app: Application, terms: Terms, now: float) -> str:
    """Return the points of an SVG polyline: error percent over the window, 10 % being full."""
    span = sliding_span(WINDOW_SECONDS, now)
    points = []
    for start in range(span.first, span.stop, STEP_SECONDS):
        part = Span(start, min(start + STEP_SECONDS, span.stop))
        counts = app.between(terms, part, now, latency=False).counts
        if counts.samples:
            percent = min(10.0, 100 * counts.errors / counts.samples)
            x = (start - span.first) / WINDOW_SECONDS * _CHART_WIDTH
            points.append(f"{x:.0f},{_CHART_HEIGHT - 1 - percent / 10 * (_CHART_HEIGHT - 2):.1f}")
    return " ".join(points)
