"""Which session a request belongs to.

Parallel tests share one service and must not see each other's samples, injections or requests. A
request names its session in the header `X-Mock-Session`, in the query parameter `mock_session`, or,
for an agent, in the header that `connect` told it to send. Without any it is in the default
session, whose token is empty. The edge checks the token once and leaves it in the ASGI scope.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from starlette.types import Scope

SESSION_HEADER = "X-Mock-Session"
SESSION_PARAMETER = "mock_session"
SESSION_KEY = "mock_newrelic.session"
"""Where in the ASGI scope the checked token is."""

_HEADER = SESSION_HEADER.lower().encode()
_PARAMETER = f"{SESSION_PARAMETER}=".encode()


def session_of(scope: Scope) -> str:
    """Return the token of the session, empty for the default one.

    Args:
        scope: the ASGI scope of the request (`request.scope` of a route).
    """
    token: str = scope.get(SESSION_KEY, "")
    return token


def take_session(scope: Scope) -> str:
    """Return the token that a request names, and take it out of its query string."""
    for name, value in scope["headers"]:
        if name == _HEADER:
            token: str = value.decode("latin-1")
            return token
    query: bytes = scope["query_string"]
    if _PARAMETER not in query:
        return ""
    parts = query.split(b"&")
    named = [part for part in parts if part.startswith(_PARAMETER)]
    if not named:
        return ""
    scope["query_string"] = b"&".join(part for part in parts if part not in named)
    return unquote_plus(named[0].removeprefix(_PARAMETER).decode("latin-1"))
