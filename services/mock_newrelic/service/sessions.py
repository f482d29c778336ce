"""Sessions: parallel tests that share the service and see nothing of each other."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from svckit.errors import InvalidInput, NotFound, SuiteError
from svckit.timestamps import format_timestamp_ms

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_newrelic.ports import Store
    from svckit.clock import Clock

MAX_SESSIONS = 100
DEFAULT_TTL_SECONDS = 3600.0
_KIND = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session; its token is what requests name it by."""

    token: str
    name: str
    created_at: float
    expires_at: float

    def as_json(self) -> dict[str, Any]:
        """Return the session as the control plane shows it."""
        return {
            "session": self.token,
            "name": self.name,
            "createdAt": format_timestamp_ms(self.created_at),
            "expiresAt": format_timestamp_ms(self.expires_at),
        }


class SessionService:
    """The sessions that have not ended; `end` is told of each one that does."""

    def __init__(self, *, store: Store, clock: Clock, end: Callable[[str], None]) -> None:
        self._store = store
        self._clock = clock
        self._end = end
        self._sessions = {
            token: Session(**json.loads(value)) for token, value in store.items(_KIND)
        }

    def create(self, *, name: str = "", ttl: float = DEFAULT_TTL_SECONDS) -> Session:
        """Begin a session of so many seconds.

        Raises:
            SuiteError: there are too many already.
        """
        self._expire()
        if len(self._sessions) >= MAX_SESSIONS:
            raise SuiteError(
                f"there are {MAX_SESSIONS} sessions already",
                code="too_many_sessions",
                status=409,
                hint="DELETE /control/sessions/<token> ends one",
            )
        now = self._clock.now()
        token = f"ses_{secrets.token_hex(8)}"
        session = Session(token=token, name=name, created_at=now, expires_at=now + ttl)
        self._sessions[token] = session
        self._store.put(_KIND, token, json.dumps(asdict(session)).encode())
        return session

    def require(self, token: str) -> str:
        """Return the token of a session that exists; empty is the default one.

        Raises:
            InvalidInput: there is no such session. It is never taken for another one.
        """
        if not token:
            return ""
        self._expire()
        if token not in self._sessions:
            raise InvalidInput(
                "there is no such session, or it has ended",
                code="unknown_session",
                status=400,
                hint="POST /control/sessions begins one",
            )
        return token

    def listed(self) -> list[Session]:
        """Return the sessions in the order of their beginning."""
        self._expire()
        return list(self._sessions.values())

    def delete(self, token: str) -> None:
        """End a session and forget everything in it, or raise NotFound."""
        self._expire()
        if token not in self._sessions:
            raise NotFound("there is no such session", hint="GET /control/sessions lists them")
        self._forget(token)

    def _expire(self) -> None:
        now = self._clock.now()
        for session in list(self._sessions.values()):
            if session.expires_at <= now:
                self._forget(session.token)

    def _forget(self, token: str) -> None:
        del self._sessions[token]
        self._store.remove(_KIND, token)
        self._end(token)
