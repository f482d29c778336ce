"""Replays of the newRelic, prometheus and job providers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rollout_runner.argo import gojson, job, newrelic, prometheus
from rollout_runner.argo.expr import Floats
from rollout_runner.argo.expr.gotext import parse_float
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.conformance.conditions import NOW, error_check
from rollout_runner.conformance.record import Check, UnsupportedRecord, each, of_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rollout_runner.argo.web import WebRequest
    from rollout_runner.conformance.record import Record

SERVER = "server.example"
_SHOWN_SERVER = "<server>"
_PROFILE = {
    "personal-api-key": "NRAK-XXXX",
    "account-id": "1234567",
    "base-url-nerdgraph": f"http://{SERVER}/graphql",
}
"""The Secret of the recorded measurements."""
_RELEASE = re.compile(r"argo-rollouts/\S+")
_SAMPLE = re.compile(r"(\S+) @\[")
_STUCK = re.compile(
    r"Pod (?P<pod>.*), container (?P<container>.*) has terminal error "
    r"\((?P<reason>[^)]*)\): (?P<message>.*)\n"
)
_NOT_FOUND = re.compile(r'job\.batch "(?P<name>[^"]*)" not found')
_NO_METADATA = "job metadata reference missing"


class _Function:
    """A Go function inside of a row, which has no JSON form."""


_Function.__name__ = "func()"


def replay_newrelic_unit(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay what rows come to."""
    rows = [
        {key: _Function() if item == "<func>" else item for key, item in row.items()}
        for row in _floats(record["results"] or [])
    ]
    metric = record["metric"]
    measured = newrelic.measure(
        rows,
        success_condition=metric.get("successCondition", ""),
        failure_condition=metric.get("failureCondition", ""),
        version=version,
        now=NOW,
    )
    yield from _unit_checks(measured, record, version)


def _unit_checks(measured: Measurement, record: Record, version: ArgoVersion) -> Iterator[Check]:
    expected = of_version(record, version)
    yield Check("phase", str(measured.phase), expected["measurementPhase"])
    if measured.phase is not Phase.ERROR:
        # Argo's inner function may tell a value of a measurement that becomes an Error.
        yield Check("value", measured.value, expected["value"])
    yield error_check(measured.message, expected["error"] or "", record, version)


def replay_executed_newrelic(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay a measurement against a NerdGraph server: request, attempts, waits and verdict."""
    block = {"query": record["query"], "timeout": record["timeout"], **record.get("newRelic", {})}
    profile = newrelic.read_profile(_PROFILE, newrelic.profile_name(block))
    sent: list[WebRequest] = []
    waited = 0.0
    try:
        request = newrelic.build_request(block, profile)
    except newrelic.NewRelicError as error:
        measured = Measurement(phase=Phase.ERROR, message=str(error))
    else:
        status, body = record["response"]["status"], record["response"]["body"].encode()
        answer = newrelic.read_answer(status, body, url=request.url)
        sent.append(request)
        while answer.retried and len(sent) < newrelic.MAX_ATTEMPTS:
            waited += newrelic.retry_wait(len(sent), status=status)
            sent.append(request)
        measured = _judged(answer, record, version)
    yield from _executed_checks(measured, record, version)
    if "requestCount" in record:
        yield Check("requestCount", len(sent), record["requestCount"])
    if "tookSecondsAbout" in record:
        yield Check("tookSecondsAbout", round(waited), record["tookSecondsAbout"])
    if "observedRequest" in record:
        yield Check("request", _told(sent[-1]), _seen(record["observedRequest"]))


def _judged(answer: newrelic.Answer, record: Record, version: ArgoVersion) -> Measurement:
    if answer.rows is None:
        return Measurement(phase=Phase.ERROR, message=answer.error)
    return newrelic.measure(
        answer.rows,
        success_condition=record["successCondition"] or "",
        failure_condition=record["failureCondition"] or "",
        version=version,
        now=NOW,
    )


def _executed_checks(
    measured: Measurement, record: Record, version: ArgoVersion
) -> Iterator[Check]:
    expected = of_version(record, version)
    if "panic" in expected:
        # A provider that takes the controller down is an Error here that says so.
        yield Check("phase", str(measured.phase), "Error")
        yield Check("names the crash", "crashes" in measured.message, True)
        return
    if "providerError" in expected:
        expected = {"phase": "Error", "value": "", "message": expected["providerError"]}
    yield Check("phase", str(measured.phase), expected["phase"])
    yield Check("value", measured.value, expected["value"])
    message = measured.message.replace(SERVER, _SHOWN_SERVER)
    yield error_check(message, expected["message"] or "", record, version)
    if "metadata" in expected:
        yield Check("metadata", dict(measured.metadata) or None, expected["metadata"])


def _told(request: WebRequest) -> dict[str, Any]:
    """Return a request as the recordings show it, without what depends on the build."""
    headers = {name: [_RELEASE.sub("argo-rollouts", value)] for name, value in request.headers}
    headers["Content-Length"] = [str(len(request.body))]
    split = urlsplit(request.url)
    return {
        "method": request.method,
        "uri": f"{split.path}?{split.query}" if split.query else split.path,
        "body": request.body.decode(),
        "headers": headers,
    }


def _seen(request: Mapping[str, Any]) -> dict[str, Any]:
    headers = {
        name: [_RELEASE.sub("argo-rollouts", value) for value in values]
        for name, values in request["headers"].items()
    }
    return {"method": request["method"], "uri": request["uri"], "body": request["body"]} | {
        "headers": headers
    }


def replay_prometheus_unit(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay what a value of the query API comes to."""
    metric, samples = record["metric"], _SAMPLE.findall(record["response"])
    kinds = record["responseType"]
    value: prometheus.Value | None
    match kinds:
        case "*model.Scalar":
            value = parse_float(samples[0])
        case "model.Vector" | "model.Matrix":
            value = Floats(map(parse_float, samples))
        case "<nil>" | "*model.String":
            value = None
        case _:
            raise UnsupportedRecord(f"no value for response type {kinds!r}")
    measured = prometheus.measure(
        prometheus.Answer(value=value),
        success_condition=metric.get("successCondition", ""),
        failure_condition=metric.get("failureCondition", ""),
        version=version,
        now=NOW,
    )
    yield from _unit_checks(measured, record, version)


def replay_executed_prometheus(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay a measurement against a Prometheus: requests and verdict."""
    block = dict(record["prometheus"])
    address = block.get("address")
    if address is None or address.startswith("/"):
        block["address"] = f"http://{SERVER}{address or ''}"
    sent: list[WebRequest] = []
    try:
        query = prometheus.build_query(block, now=NOW, version=version)
    except prometheus.PrometheusError as error:
        measured = Measurement(phase=Phase.ERROR, message=str(error))
    else:
        measured = _asked(query, record, version, sent)
    yield from _executed_checks(measured, record, version)
    yield Check(
        "requests",
        [_dated(request) for request in sent],
        [_dated_as_seen(seen) for seen in record["observedRequests"] or []],
    )


def _asked(
    query: prometheus.PrometheusQuery, record: Record, version: ArgoVersion, sent: list[WebRequest]
) -> Measurement:
    if query.timeout_seconds == 0:
        return Measurement(phase=Phase.ERROR, message=prometheus.out_of_time(query))
    response = record["response"]
    status = 405 if response.get("rejectPostWith405") else response["status"]
    sent.append(query.post)
    if prometheus.takes_no_post(status):
        sent.append(query.get)
        status = response["status"]
    return prometheus.measure(
        prometheus.read_answer(status, response["body"].encode()),
        success_condition=record["successCondition"] or "",
        failure_condition=record["failureCondition"] or "",
        version=version,
        now=NOW,
    )


_INSTANT = re.compile(r"\b(time|start|end)=(?:[0-9.]+|<unix>|<now>)")


def _dated(request: WebRequest) -> dict[str, Any]:
    told = _told(request)
    del told["headers"]["Content-Length"]
    told["headers"].pop("Accept-Encoding", None)
    return _undated(told)


def _dated_as_seen(request: Mapping[str, Any]) -> dict[str, Any]:
    seen = _seen(request)
    for name in ("Content-Length", "Accept-Encoding"):
        seen["headers"].pop(name, None)
    return _undated(seen)


def _undated(request: dict[str, Any]) -> dict[str, Any]:
    """Take the instants out, which differ from run to run."""
    return request | {name: _INSTANT.sub(r"\1=<unix>", request[name]) for name in ("uri", "body")}


def replay_job(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay another look at a Job.

    The recording leaves out the Job's name, its pods and whether it exists. What the outcome tells
    of them is put back: the rest of the outcome, and its wording, must follow from it.
    """
    expected = of_version(record, version)
    name = "job"
    missing = _NOT_FOUND.fullmatch(expected["message"])
    if missing is not None:
        name = missing["name"]
    stuck = _STUCK.fullmatch(expected["message"])
    state = job.JobState(
        conditions=tuple(condition["type"] for condition in record["jobConditions"] or ()),
        waiting=() if stuck is None else (job.WaitingContainer(**stuck.groupdict()),),
    )
    before = Measurement(
        phase=Phase.RUNNING,
        started_at=NOW,
        metadata={} if expected["message"] == _NO_METADATA else {job.JOB_NAME: name},
    )
    jobs = {} if missing is not None else {name: state}
    # Which release it was shows nowhere else: only 1.10 looks at pods.
    after = job.resumed(before, jobs, now=NOW, version=ArgoVersion.V1_10)
    values = {
        "phase": str(after.phase),
        "message": after.message,
        "finished": after.finished_at is not None,
        "resumeAtSet": after.resume_at is not None,
    }
    yield from each(values, expected)


def _floats(value: Any) -> Any:
    """Decode recorded rows as the provider decodes an answer: every number is a float."""
    return gojson.decode(gojson.encode(value))
