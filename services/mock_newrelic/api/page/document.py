"""The page as HTML: the state of one instant, and everything the browser needs to go on from it."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from starlette.responses import HTMLResponse

from mock_newrelic.api.session import SESSION_PARAMETER, session_of
from mock_newrelic.domain.effects.registry import GROUPS
from mock_newrelic.service.page import DEFAULT_WINDOW, WINDOWS
from svckit import webpage

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from mock_newrelic.service.page import PageService
    from svckit.errors import SuiteError

_EXAMPLES = {
    "set": "5.2",
    "add": "3",
    "scale": "1.5",
    "clamp": '{"max": 1}',
    "noise": "0.5",
    "flap": '{"a": 0.5, "b": 8, "period": "1m"}',
    "ramp": '{"from": 0.5, "to": 8, "over": "5m"}',
    "step": '{"to": 8, "at": "2m"}',
    "sawtooth": '{"to": 8, "period": "1m"}',
    "spike": '{"to": 50, "every": "1m", "for": "5s"}',
    "replay": '{"values": [0.5, 5.1], "every": "10s"}',
    "copy": '{"role": "stable"}',
    "error_ratio": "0.05",
    "latency": '{"add": "300ms"}',
    "throughput_scale": "0.1",
    "drop": "0.3",
    "duplicate": "0.1",
    "sampling": "100",
    "no_data": "leave empty",
    "stale": "leave empty",
    "delay_ingest": "45s",
    "gap": '{"for": "20s"}',
    "label_loss": "leave empty",
    "cardinality_bomb": "5000",
    "payload": "nan",
    "status": "503",
    "rate_limit": '{"rps": 5}',
    "auth_flap": '{"period": "30s"}',
    "quota": '{"requests": 100}',
    "hang": "60s",
    "transport": "reset",
}

_SECURITY = (
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'nonce-{nonce}'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class Document:
    """Renders the page."""

    def __init__(self, page: PageService) -> None:
        self._page = page
        self._template = webpage.environment("mock_newrelic.api.page").get_template("apm.html.j2")

    def render(self, request: Request, error: SuiteError | None = None) -> Response:
        """Return the page for the application and window of the address, with an error on top."""
        asked = dict(request.query_params)
        session = session_of(request.scope)
        state = self._page.state(
            app=asked.get("app", ""), window=asked.get("window", DEFAULT_WINDOW), session=session
        )
        if session:
            # The edge takes it out of the query; links and forms of the page keep it.
            asked[SESSION_PARAMETER] = session
        nonce = secrets.token_urlsafe(16)
        content = self._template.render(
            state=state,
            state_json=webpage.inline_json(state),
            windows=WINDOWS,
            effects=[
                (group, [(name, _EXAMPLES.get(name, "")) for name in effects])
                for group, effects in GROUPS.items()
            ],
            origin=str(request.base_url).rstrip("/"),
            link=lambda **changes: "?" + urlencode({**asked, **changes}),
            action=lambda name: f"ui/{name}?{urlencode(asked)}",
            error=error,
            nonce=nonce,
        )
        headers = {
            "Content-Security-Policy": _SECURITY.format(nonce=nonce),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
        }
        return HTMLResponse(content, error.status if error else 200, headers=headers)
