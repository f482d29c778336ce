"""Which session a request belongs to.

Parallel tests share one service and must not see each other's samples, injections or requests. A
request names its session in the header `X-Mock-Session`, in the query parameter `mock_session`, or,
for an agent, in the header that `connect` told it to send. Without any it is in the default
session, whose token is empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Scope

SESSION_HEADER = "X-Mock-Session"
SESSION_PARAMETER = "mock_session"


def session_of(scope: Scope) -> str:  # noqa: ARG001 - there is only the default session so far
    """Return the token of the session, empty for the default one.

    Args:
        scope: the ASGI scope of the request (`request.scope` of a route).
    """
    return ""
