"""Observations as transactions of the Event API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from voteapp.domain.observation import CLIENT_LEFT

if TYPE_CHECKING:
    from voteapp.domain.contract import Site
    from voteapp.domain.observation import Observation


class EventApi:
    """Bodies of `POST /v1/accounts/{id}/events`.

    Args:
        account_id: the account in the path.
        app: appName of every event.
        site: the pod that the events speak of.
    """

    content_type = "application/json"

    def __init__(self, *, account_id: int, app: str, site: Site) -> None:
        self.path = f"/v1/accounts/{account_id}/events"
        self._app = app
        self._site = site

    def encode(self, observations: list[Observation]) -> bytes:
        """Return one event for each observation, as a JSON list."""
        return msgspec.json.encode([self._event(observation) for observation in observations])

    def rejected(self, answer: bytes) -> int:  # noqa: ARG002 - the dialect's signature
        """Return 0: the Event API takes a body as a whole."""
        return 0

    def _event(self, observation: Observation) -> dict[str, Any]:
        return {
            "eventType": "Transaction",
            "appName": self._app,
            "timestamp": int(observation.finished_at * 1000),
            "duration": round(observation.duration_seconds, 6),
            "error": observation.error,
            "httpResponseCode": _response_code(observation.status),
            "podTemplateHash": self._site.pod_template_hash,
            "version": self._site.version,
            "host": self._site.pod_name,
            "request.uri": observation.path,
            "request.method": observation.method,
            "request.headers.userAgent": observation.user_agent,
        }


def _response_code(status: int) -> str:
    """Return the status as the Event API counts it: 0 means that there was no answer.

    A client that gave up waiting got none. As a 4xx it would be its own fault, and a version that
    hangs would have an error rate of zero.
    """
    return "0" if status == CLIENT_LEFT else str(status)
