"""Replays of the web provider.

A record is replayed through an `Exchange`: here it answers with what was recorded, an adapter can
send the request for real and must come to the same readings.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.argo.web import (
    WebProviderError,
    WebReading,
    WebRequest,
    build_request,
    measure,
    request_error,
)
from rollout_runner.argo.web_redirect import next_request
from rollout_runner.conformance.conditions import error_check
from rollout_runner.conformance.record import Check, Record, of_version

if TYPE_CHECKING:
    from collections.abc import Iterator


SERVER = "server.example"
Exchange = Callable[[WebRequest], tuple[int, bytes]]
_SHOWN_SERVER = "<server>"
_LOOPBACK = re.compile(r"127\.0\.0\.1:[0-9]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebCase:
    """One recorded measurement of the web provider.

    Attributes:
        name: its id in the file.
        web: the `provider.web` block, with an absolute URL.
        success_condition, failure_condition: of the metric.
        status, body, location: what the server answered; `body` is the last answer's.
        crashes: whether the real provider panics.
        request: the request that the server saw last, if any reached it.
        record: the record itself.
    """

    name: str
    web: dict[str, Any]
    success_condition: str
    failure_condition: str
    status: int
    body: bytes
    location: str
    crashes: bool
    request: dict[str, Any]
    record: Record

    def replay(self, version: ArgoVersion, exchange: Exchange) -> WebReading:
        """Measure as the provider does, with the answer that the exchange gives."""
        try:
            status, body = exchange(build_request(self.web))
        except WebProviderError as error:
            return WebReading(phase=Phase.ERROR, message=str(error))
        return measure(
            status,
            body,
            json_path=self.web.get("jsonPath") or "",
            success_condition=self.success_condition,
            failure_condition=self.failure_condition,
            version=version,
        )

    def recorded(self, request: WebRequest) -> tuple[int, bytes]:
        """Answer with what was recorded, after any redirect."""
        if len(self.requests(request)) >= request.max_redirects:
            reason = f"stopped after {request.max_redirects} redirects"
            raise WebProviderError(request_error(request.method, self.location, reason))
        return (200 if self.location else self.status), self.body

    def requests(self, first: WebRequest) -> list[WebRequest]:
        """Return the requests that the server sees.

        It redirects whoever asks at the recorded URL, so a redirect to there has no end but the
        client's patience.
        """
        sent = [first]
        while len(sent) < first.max_redirects:
            if urlsplit(sent[-1].url).path != urlsplit(first.url).path:
                break
            following = next_request(first, sent[-1], status=self.status, location=self.location)
            if following is None:
                break
            sent.append(following)
        return sent

    def expected(self, version: ArgoVersion) -> dict[str, Any]:
        """Return phase, value and message that a release came to."""
        expected = of_version(self.record, version)
        if "providerError" in expected:
            return {"phase": "Error", "value": "", "message": expected["providerError"]}
        if "recordedValue" in expected:
            return {
                "phase": expected["phase"],
                "value": expected["recordedValue"],
                "message": expected["recordedMessage"],
            }
        return dict(expected)


def executed_case(record: Record) -> WebCase:
    """Return a measurement that was taken over a real socket."""
    response = record["response"]
    return WebCase(
        name=record["id"],
        web=record["web"] | {"url": f"http://{SERVER}{record['web']['url']}"},
        success_condition=record["successCondition"] or "",
        failure_condition=record["failureCondition"] or "",
        status=response["status"],
        body=response["body"].encode(),
        location=response["location"] or "",
        crashes="panic" in record["expected"],
        request=record.get("observedRequest", {}),
        record=record,
    )


def unit_case(record: Record) -> WebCase:
    """Return a measurement of Argo's own unit tests."""
    metric = record["metric"]
    web = metric["provider"]["web"]
    wanted = record["expectedRequest"]
    body = wanted.get("body", wanted.get("jsonBody", ""))
    return WebCase(
        name=record["id"],
        web=web | {"url": web["url"].replace("<test server>", f"http://{SERVER}/")},
        success_condition=metric.get("successCondition", ""),
        failure_condition=metric.get("failureCondition", ""),
        status=record["response"]["status"],
        body=record["response"]["body"].encode(),
        location="",
        crashes=False,
        request={"method": wanted["method"], "uri": "/", "body": body} if wanted else {},
        record=record,
    )


def replay_executed(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay a measurement that was taken over a real socket."""
    yield from replay_case(executed_case(record), version)


def replay_unit(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay a measurement of Argo's own unit tests."""
    yield from replay_case(unit_case(record), version)


def replay_case(case: WebCase, version: ArgoVersion) -> Iterator[Check]:
    """Check reading and request of a measurement."""
    reading = case.replay(version, case.recorded)
    if case.crashes:
        # A provider that takes the controller down is an Error here that says so.
        yield Check("phase", str(reading.phase), "Error")
        yield Check("names the crash", "crashes" in reading.message, True)
    else:
        expected = case.expected(version)
        yield Check("phase", str(reading.phase), expected["phase"])
        yield Check("value", reading.value, expected["value"])
        message = reading.message.replace(SERVER, _SHOWN_SERVER)
        yield error_check(message, expected["message"] or "", case.record, version)
    if case.request:
        yield from _request_checks(case)


def _request_checks(case: WebCase) -> Iterator[Check]:
    request, seen = case.requests(build_request(case.web))[-1], case.request
    split = urlsplit(request.url)
    yield Check("method", request.method, seen["method"])
    yield Check("uri", f"{split.path}?{split.query}" if split.query else split.path, seen["uri"])
    body = request.body.decode()
    if case.web.get("jsonBody") is not None and body:
        # The controller compacts it before it is sent; the order of keys is not kept everywhere.
        compact = json.dumps(json.loads(body), separators=(",", ":"), ensure_ascii=False)
        yield Check("body", json.loads(body), json.loads(seen["body"]))
        yield Check("length of the body", len(body), len(compact))
    else:
        yield Check("body", body, seen["body"])
    if "headers" in seen:
        yield Check("headers", _headers(request), _seen_headers(seen["headers"]))


def _headers(request: WebRequest) -> dict[str, list[str]]:
    return {name: [value] for name, value in request.headers if name != "Accept-Encoding"}


def _seen_headers(headers: dict[str, list[str]]) -> dict[str, list[str]]:
    return {
        name: [_LOOPBACK.sub(SERVER, value) for value in values]
        for name, values in headers.items()
        if name not in {"Content-Length", "Accept-Encoding"}
    }
