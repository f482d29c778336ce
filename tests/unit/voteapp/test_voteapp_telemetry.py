"""Batches to the Event API: complete, repeatable under one id, bounded."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from voteapp.adapters.event_api import EventApi
from voteapp.adapters.otlp import OtlpSpans
from voteapp.adapters.telemetry import BATCH_SIZE, BatchTelemetry
from voteapp.domain.contract import Site
from voteapp.domain.observation import CLIENT_LEFT, Observation

pytestmark = pytest.mark.anyio

SITE = Site(version="v17", pod_template_hash="7cd75c6d7c", pod_name="vote-7cd75c6d7c-7hqnx")


def _observation(status: int = 200, **changes: Any) -> Observation:
    values: dict[str, Any] = {
        "finished_at": 1_770_170_543.1234,
        "duration_seconds": 0.0123456789,
        "status": status,
        "method": "POST",
        "path": "/",
        "user_agent": "votegen",
    }
    return Observation(**(values | changes))


class _EventApi:
    """Answers with the given statuses in turn, then with `last`; None is a refused connection."""

    def __init__(self, *answers: int | None, last: int | None = 200) -> None:
        self.answers = list(answers)
        self.last = last
        self.requests: list[httpx.Request] = []
        self.delays: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else self.last
        if answer is None:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(answer, json={"success": answer == 200})

    async def sleep(self, seconds: float) -> None:
        self.delays.append(seconds)
        await asyncio.sleep(0)

    @property
    def ids(self) -> list[str]:
        return [request.headers["x-request-id"] for request in self.requests]

    def events(self, index: int) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = json.loads(gzip.decompress(self.requests[index].content))
        return events


Reporter = Callable[..., BatchTelemetry]


@pytest.fixture(name="reporter")
def _reporter() -> Reporter:
    def build(api: _EventApi, **changes: Any) -> BatchTelemetry:
        return BatchTelemetry(
            base_url="http://apm.test",
            api_key="key",
            dialect=changes.pop("dialect", None)
            or EventApi(account_id=7, app="voting01-vote-qa", site=SITE),
            transport=httpx.MockTransport(api),
            sleep=api.sleep,
            **changes,
        )

    return build


async def test_an_event_has_the_suites_native_shape(reporter: Reporter) -> None:
    """Every attribute of the native ingest is there, in its unit."""
    api = _EventApi()
    telemetry = reporter(api)
    telemetry.record(_observation())
    await telemetry.close()
    assert api.events(0) == [
        {
            "eventType": "Transaction",
            "appName": "voting01-vote-qa",
            "timestamp": 1_770_170_543_123,
            "duration": 0.012346,
            "error": False,
            "httpResponseCode": "200",
            "podTemplateHash": "7cd75c6d7c",
            "version": "v17",
            "host": "vote-7cd75c6d7c-7hqnx",
            "request.uri": "/",
            "request.method": "POST",
            "request.headers.userAgent": "votegen",
        }
    ]


async def test_a_span_tells_the_same_of_a_request(reporter: Reporter) -> None:
    """As OTLP: a server span with the pod as its resource; no status where there was no answer."""
    api = _EventApi()
    telemetry = reporter(api, dialect=OtlpSpans(app="voting01-vote-qa", site=SITE))
    for status in (200, 503, CLIENT_LEFT):
        telemetry.record(_observation(status, duration_seconds=0.25, finished_at=1_770_170_543.5))
    await telemetry.close()
    (request,) = api.requests
    assert (request.url.path, request.headers["api-key"]) == ("/v1/traces", "key")
    assert request.headers["content-type"] == "application/x-protobuf"
    body = ExportTraceServiceRequest.FromString(gzip.decompress(request.content))
    (told,) = body.resource_spans
    resource = {pair.key: pair.value.string_value for pair in told.resource.attributes}
    assert resource == {
        "service.name": "voting01-vote-qa",
        "service.version": "v17",
        "k8s.pod.name": "vote-7cd75c6d7c-7hqnx",
        "podTemplateHash": "7cd75c6d7c",
    }
    spans = told.scope_spans[0].spans
    assert {(span.start_time_unix_nano, span.end_time_unix_nano) for span in spans} == {
        (1_770_170_543_250_000_000, 1_770_170_543_500_000_000)
    }
    codes = [
        [one.value.int_value for one in span.attributes if one.key == "http.response.status_code"]
        for span in spans
    ]
    assert codes == [[200], [503], []]
    assert [span.status.code for span in spans] == [0, 2, 2]
    assert len({span.span_id for span in spans}) == 3


@pytest.mark.parametrize(
    ("answer", "rejected"),
    [
        pytest.param(ExportTraceServiceResponse(), 0, id="all-taken"),
        pytest.param(
            ExportTraceServiceResponse(partial_success={"rejected_spans": 2}), 2, id="partial"
        ),
    ],
)
def test_a_partial_success_is_none(answer: ExportTraceServiceResponse, rejected: int) -> None:
    """Spans that the APM left out count as rejected; an answer that is none leaves out nothing."""
    dialect = OtlpSpans(app="vote", site=SITE)
    assert dialect.rejected(answer.SerializeToString()) == rejected
    assert dialect.rejected(b"\xff") == 0


async def test_a_client_that_left_had_no_answer(reporter: Reporter) -> None:
    """Status 0 makes it an error of the version; a 4xx would be the client's own."""
    api = _EventApi()
    telemetry = reporter(api)
    telemetry.record(_observation(CLIENT_LEFT))
    await telemetry.close()
    (event,) = api.events(0)
    assert (event["httpResponseCode"], event["error"]) == ("0", True)


async def test_the_request_is_the_event_apis(reporter: Reporter) -> None:
    """Account in the path, key in the header, compressed JSON."""
    api = _EventApi()
    telemetry = reporter(api)
    telemetry.record(_observation())
    await telemetry.close()
    (request,) = api.requests
    assert (request.method, request.url.path) == ("POST", "/v1/accounts/7/events")
    assert request.headers["api-key"] == "key"
    assert request.headers["content-encoding"] == "gzip"


async def test_batches_are_cut_and_every_one_has_its_own_id(reporter: Reporter) -> None:
    """1,200 observations are three requests, in order."""
    api = _EventApi()
    telemetry = reporter(api)
    for index in range(1200):
        telemetry.record(_observation(path=f"/{index}"))
    await telemetry.close()
    assert [len(api.events(index)) for index in range(3)] == [BATCH_SIZE, BATCH_SIZE, 200]
    assert len(set(api.ids)) == 3
    paths = [event["request.uri"] for index in range(3) for event in api.events(index)]
    assert paths == [f"/{index}" for index in range(1200)]


@pytest.mark.parametrize(
    "failure",
    [
        pytest.param(None, id="refused"),
        pytest.param(503, id="unavailable"),
        pytest.param(500, id="crashed"),
        pytest.param(429, id="throttled"),
    ],
)
async def test_a_failed_batch_is_sent_again_unchanged(
    reporter: Reporter, failure: int | None
) -> None:
    """The repeat has the same id and the same bytes, so that it cannot count twice."""
    api = _EventApi(failure, failure)
    telemetry = reporter(api)
    telemetry.record(_observation())
    await telemetry.flush()
    assert len(api.requests) == 3
    assert len(set(api.ids)) == 1
    assert len({request.content for request in api.requests}) == 1
    assert telemetry.outcomes == {"sent": 1, "dropped": 0, "rejected": 0}
    await telemetry.close()


async def test_repeats_back_off_up_to_a_limit(reporter: Reporter) -> None:
    """The wait doubles and stops growing at five seconds."""
    api = _EventApi(*[503] * 8)
    telemetry = reporter(api)
    telemetry.record(_observation())
    await telemetry.flush()
    assert api.delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    await telemetry.close()


async def test_a_refused_batch_is_counted_and_does_not_block_the_next(reporter: Reporter) -> None:
    """A 403 is final: the events are lost, said so, and later ones go out."""
    api = _EventApi(403)
    telemetry = reporter(api)
    telemetry.record(_observation())
    await telemetry.flush()
    telemetry.record(_observation())
    await telemetry.flush()
    assert telemetry.outcomes == {"sent": 1, "dropped": 0, "rejected": 1}
    await telemetry.close()


async def test_a_full_queue_drops_and_counts(reporter: Reporter) -> None:
    """Recording never waits; what does not fit is counted."""
    api = _EventApi()
    telemetry = reporter(api, capacity=10)
    for _ in range(25):
        telemetry.record(_observation())
    await telemetry.close()
    assert telemetry.outcomes == {"sent": 10, "dropped": 15, "rejected": 0}


async def test_closing_while_the_receiver_is_down_ends_and_counts_the_loss(
    reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shutdown is bounded: what cannot be delivered is counted as dropped."""
    monkeypatch.setattr("voteapp.adapters.telemetry.CLOSE_SECONDS", 0.0)
    api = _EventApi(last=None)
    telemetry = reporter(api)
    telemetry.record(_observation())
    telemetry.record(_observation())
    await telemetry.close()
    assert telemetry.outcomes == {"sent": 0, "dropped": 2, "rejected": 0}
    assert telemetry.queued == 0


async def test_the_background_task_sends_full_batches_at_once(reporter: Reporter) -> None:
    """A full batch does not wait for the flush interval."""
    api = _EventApi()
    telemetry = reporter(api)
    await telemetry.start()
    await asyncio.sleep(0)
    for _ in range(BATCH_SIZE):
        telemetry.record(_observation())
    for _ in range(200):
        await asyncio.sleep(0)
        if api.requests:
            break
    assert len(api.events(0)) == BATCH_SIZE
    await telemetry.close()
