"""A mock-newrelic in this process, and builders for what is sent to it."""

from __future__ import annotations

from typing import Any, Self

import httpx

from mock_newrelic.app import create_app
from mock_newrelic.settings import Settings
from svckit.clock import Clock

APP = "voting01-vote-qa"
KEY = {"Api-Key": "test-key"}
ADMIN = {"Api-Key": "admin-key"}
CANARY, STABLE = "7cd75c6d7c", "79bd65fcc9"


def transactions(
    good: int, bad: int = 0, *, app: str = APP, duration: float | None = 0.02, **attributes: Any
) -> list[dict[str, Any]]:
    """Return events with status 200 and 500."""
    common = {"eventType": "Transaction", "appName": app, **attributes}
    if duration is not None:
        common["duration"] = duration
    served = {**common, "error": False, "httpResponseCode": "200"}
    failed = {**common, "error": True, "httpResponseCode": "500"}
    return [served] * good + [failed] * bad


class Bench:
    """A client of one mock-newrelic, with the questions that tests ask most."""

    def __init__(self, clock: Clock, **settings: Any) -> None:
        self.clock = clock
        chosen = Settings(**{"ephemeral": True, **settings})
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=create_app(chosen, clock=clock)),
            base_url="http://apm.test",
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()

    async def send(self, events: Any, **headers: str) -> httpx.Response:
        """Ingest events with the reading key."""
        return await self.http.post(
            "/v1/accounts/1/events", json=events, headers={**KEY, **headers}
        )

    async def fill(self, good: int, bad: int = 0, **attributes: Any) -> None:
        """Ingest transactions and insist that they were accepted."""
        response = await self.send(transactions(good, bad, **attributes))
        assert response.status_code == 200, response.text

    async def ask(
        self, metric: str = "errorRate", window: str = "5m", **more: str
    ) -> httpx.Response:
        """Ask the facade with the reading key."""
        parameters = {"app": APP, "metric": metric, "window": window, **more}
        return await self.http.get("/v1/metrics", params=parameters, headers=KEY)

    async def value(self, metric: str = "errorRate", window: str = "5m", **more: str) -> float:
        """Ask the facade and insist on a number."""
        response = await self.ask(metric, window, **more)
        assert response.status_code == 200, response.text
        number: float = response.json()[metric]
        return number

    async def error(self, metric: str = "errorRate", window: str = "5m", **more: str) -> str:
        """Ask the facade, insist on a problem and return status and code: `404 no_data`."""
        response = await self.ask(metric, window, **more)
        assert response.headers["content-type"] == "application/problem+json"
        assert '"errorRate"' not in response.text
        return f"{response.status_code} {response.json()['error']}"

    async def inject(self, effect: Any, *, app: str = APP, **more: Any) -> dict[str, Any]:
        """Inject and insist that it was accepted."""
        response = await self.http.post(
            "/control/injections", json={"app": app, "effect": effect, **more}, headers=ADMIN
        )
        assert response.status_code == 201, response.text
        document: dict[str, Any] = response.json()
        return document
