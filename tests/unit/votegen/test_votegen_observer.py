"""What the APM is told of the client's side."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from svckit.clock import ManualClock
from svckit.errors import InvalidInput
from votegen.adapters.observer import BATCH, MAX_WAITING, PATH, Observer
from votegen.domain.outcome import ErrorKind
from votegen.engine.lane import End

pytestmark = pytest.mark.anyio

OK: End = (200, "7cd75c6d7c", None)
TIMEOUT: End = (0, "unknown", ErrorKind.TIMEOUT)


class Apm:
    """Answers with the given statuses in turn, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        self.requests.append(request)
        return httpx.Response(self.statuses.pop(0) if self.statuses else 200)

    @property
    def events(self) -> list[dict[str, Any]]:
        """All events of all requests."""
        return [event for request in self.requests for event in json.loads(request.content)]


async def _report(apm: Apm, ends: list[End], seconds: float = 0.02) -> dict[str, int]:
    observer = Observer(
        "http://apm.test",
        "votegen",
        "test-key",
        clock=ManualClock(1_000.0),
        transport=httpx.MockTransport(apm),
    )
    async with observer:
        observer.take("canary", ends, [seconds] * len(ends))
    return observer.counts()


async def test_every_end_is_one_transaction() -> None:
    """An answer carries its version; a request without an answer is an error of its own."""
    apm = Apm()
    assert await _report(apm, [OK, TIMEOUT]) == {"sent": 2, "dropped": 0}
    answered, lost = apm.events
    assert (answered["podTemplateHash"], answered["error"]) == ("7cd75c6d7c", False)
    assert answered["timestamp"] == 1_000_000
    assert answered["duration"] == 0.02
    assert (lost["httpResponseCode"], lost["error"]) == ("0", True)
    assert apm.requests[0].url.path == PATH
    assert apm.requests[0].headers["api-key"] == "test-key"


async def test_events_travel_in_batches() -> None:
    """A busy second does not become one huge body."""
    apm = Apm()
    assert await _report(apm, [OK] * (2 * BATCH + 1)) == {"sent": 2 * BATCH + 1, "dropped": 0}
    assert [len(json.loads(request.content)) for request in apm.requests] == [BATCH, BATCH, 1]


async def test_a_batch_is_sent_again_under_the_same_id() -> None:
    """The receiver can tell that it has seen it, so nothing counts twice."""
    apm = Apm(503)
    assert await _report(apm, [OK]) == {"sent": 1, "dropped": 0}
    first, second = (request.headers["x-request-id"] for request in apm.requests)
    assert first == second


async def test_what_the_apm_refuses_is_dropped_and_counted() -> None:
    """A wrong key does not hold up the run, and the report says that it is incomplete."""
    apm = Apm(403)
    assert await _report(apm, [OK, OK]) == {"sent": 0, "dropped": 2}
    assert len(apm.requests) == 1


async def test_memory_is_bounded_without_an_apm() -> None:
    """More than fits is dropped and counted."""
    observer = Observer("http://apm.test", "votegen", "key", clock=ManualClock(0.0))
    observer.take("canary", [OK] * (MAX_WAITING + 5), [0.0] * (MAX_WAITING + 5))
    assert observer.counts()["dropped"] == 5


async def test_a_url_is_asked_for() -> None:
    """A host name alone is refused, with the form that is expected."""
    with pytest.raises(InvalidInput, match="http://HOST:PORT"):
        Observer("localhost:8080", "votegen", "key", clock=ManualClock(0.0))
