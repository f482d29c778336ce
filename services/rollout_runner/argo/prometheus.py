"""Argo's prometheus provider without the network: its queries, and what an answer comes to.

    build_query(block, now) ─► send post ─► 405, 501: send get ─► read_answer(status, body)
                                                                            │
                                                                            ▼
                                                                   measure(answer.value)

Rules: metricproviders/prometheus of argoproj/argo-rollouts (1.9 and 1.10), and api/prometheus/v1 of
prometheus/client_golang.
"""

from __future__ import annotations

import math
import posixpath
from base64 import b64encode
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote_plus, urlsplit, urlunsplit

from rollout_runner.argo.conditions import assess, dialect_of
from rollout_runner.argo.expr import ConditionError, Floats
from rollout_runner.argo.expr.moments import evaluate_time
from rollout_runner.argo.gofloat import plain_float
from rollout_runner.argo.gourl import check_url
from rollout_runner.argo.jsoniter import JsonReadError
from rollout_runner.argo.prometheus_decode import Samples, read_body, read_samples
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.argo.web import (
    WebProviderError,
    WebRequest,
    go_headers,
    read_oauth2,
    request_error,
)
from svckit.durations import DurationError, parse_duration

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_TIMEOUT_SECONDS: Final = 30
ADDRESS_VARIABLE: Final = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"
RESOLVED_QUERY: Final = "ResolvedPrometheusQuery"
_FORM: Final = "application/x-www-form-urlencoded"
_MANAGED: Final = "aps-workspaces"
_NO_POST: Final = frozenset({405, 501})
_API_ERRORS: Final = frozenset({400, 422})

Value: TypeAlias = float | Floats


class PrometheusError(ValueError):
    """No query can be made. Argo records the message in an Error measurement and tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusQuery:
    """A query as Argo's client sends it.

    Attributes:
        post: the first request.
        get: the same query for a server that takes no POST (`takes_no_post`).
        timeout_seconds: for both together; 0 is over before anything is sent.
    """

    post: WebRequest
    get: WebRequest
    timeout_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said: a value, or an error. `warnings` come with values only."""

    value: Value | None = None
    error: str = ""
    warnings: tuple[str, ...] = ()


def build_query(
    block: Mapping[str, Any], *, now: float, version: ArgoVersion, default_address: str = ""
) -> PrometheusQuery:
    """Build the query of a `provider.prometheus` block with its arguments filled in.

    Args:
        block: the block.
        now: seconds since the Unix epoch.
        version: basic authentication is known from 1.10 on.
        default_address: where to ask when the block names no address (ADDRESS_VARIABLE).

    Raises:
        PrometheusError: something in the block cannot be used.
    """
    timeout = block.get("timeout")
    seconds = DEFAULT_TIMEOUT_SECONDS if timeout is None else int(timeout)
    address = _address(block, default_address)
    headers = list(block.get("headers") or ())
    authorization = _basic_auth(block, version)
    if authorization:
        headers.append({"key": "Authorization", "value": authorization})
    try:
        oauth2 = read_oauth2(block)
    except WebProviderError as error:
        raise PrometheusError(str(error)) from None
    authentication = block.get("authentication") or {}
    if _MANAGED in address and any((authentication.get("sigv4") or {}).values()):
        raise PrometheusError("requests signed with AWS SigV4 cannot be made here")
    if seconds < 0:
        raise PrometheusError("prometheus timeout should not be negative")
    path, arguments = _arguments(block, now, version)
    split = urlsplit(address)
    target = split._replace(
        path=posixpath.normpath(f"{split.path.rstrip('/')}/{path}"), fragment=""
    )
    form = _encoded([*parse_qsl(split.query, keep_blank_values=True), *arguments.items()])
    post = WebRequest(
        method="POST",
        url=urlunsplit(target),
        headers=go_headers(headers, content_type=_FORM),
        body=form.encode(),
        timeout_seconds=seconds,
        insecure=bool(block.get("insecure")),
        oauth2=oauth2,
    )
    get = replace(
        post,
        method="GET",
        url=urlunsplit(target._replace(query=form)),
        headers=go_headers(headers),
        body=b"",
    )
    return PrometheusQuery(post=post, get=get, timeout_seconds=seconds)


def takes_no_post(status: int) -> bool:
    """Tell whether a server's answer to the POST means that it wants the query as a GET."""
    return status in _NO_POST


def out_of_time(query: PrometheusQuery) -> str:
    """Word a query that had no answer within its time."""
    return request_error(query.post.method, query.post.url, "context deadline exceeded")


def read_answer(status: int, body: bytes) -> Answer:
    """Read an answer of the query API, after redirects.

    Args:
        status: of the answer.
        body: decompressed.
    """
    is_api_error = status in _API_ERRORS
    if status // 100 != 2 and not is_api_error:
        return Answer(error=_refused(status))
    try:
        answer = read_body(b"null" if status == 204 else body)
    except JsonReadError as error:
        return Answer(error=f"bad_response: {error}")
    if answer.status == "error":
        return Answer(error=f"{answer.error_type}: {answer.error}")
    if is_api_error and answer.status == "success":
        return Answer(error="bad_response: inconsistent body for response code")
    try:
        samples = read_samples(answer.data)
    except JsonReadError as error:
        return Answer(error=str(error))
    return Answer(value=_value(samples), warnings=answer.warnings)


def measure(
    answer: Answer,
    *,
    success_condition: str,
    failure_condition: str,
    version: ArgoVersion,
    now: float | None = None,
) -> Measurement:
    """Judge an answer: a scalar is a number to the conditions, all else a list of numbers.

    Args:
        answer: what `read_answer` gave.
        success_condition: empty if there is none.
        failure_condition: empty if there is none.
        version: decides the expression library and the wording of errors.
        now: instant that `now()` gives in a condition, in seconds since the Unix epoch.
    """
    if answer.error:
        return Measurement(phase=Phase.ERROR, message=answer.error)
    if answer.value is None:
        return Measurement(phase=Phase.ERROR, message="Prometheus metric type not supported")
    phase, message = assess(
        answer.value,
        success_condition=success_condition,
        failure_condition=failure_condition,
        version=version,
        now=now,
    )
    if phase is Phase.ERROR:
        return Measurement(phase=phase, message=message)
    warnings = ", ".join(f'"{warning}"' for warning in answer.warnings)
    return Measurement(
        phase=phase,
        value=_shown(answer.value),
        metadata={"warnings": warnings} if warnings else {},
    )


def metadata(block: Mapping[str, Any]) -> dict[str, str]:
    """Return what the metric's result tells besides its measurements: the resolved query."""
    query = block.get("query")
    return {RESOLVED_QUERY: str(query)} if query else {}


def _address(block: Mapping[str, Any], default: str) -> str:
    address = str(block.get("address") or default)
    if not address:
        raise PrometheusError("prometheus address is not configured")
    if check_url(address) or not urlsplit(address).scheme or not urlsplit(address).netloc:
        raise PrometheusError("prometheus address is not is url format")
    return address


def _basic_auth(block: Mapping[str, Any], version: ArgoVersion) -> str:
    basic = (block.get("authentication") or {}).get("basicAuth") or {}
    user, password = basic.get("username") or "", basic.get("password") or ""
    if version is not ArgoVersion.V1_10 or not (user or password):
        return ""
    for name, value in (("username", user), ("password", password)):
        if not value:
            raise PrometheusError(
                f"missing mandatory parameter in metric for basic auth setup: {name}"
            )
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _arguments(
    block: Mapping[str, Any], now: float, version: ArgoVersion
) -> tuple[str, dict[str, str]]:
    """Return the path below the address, and the arguments of the query."""
    query = str(block.get("query") or "")
    given = block.get("rangeQuery")
    if given is None:
        return "api/v1/query", {"query": query, "time": plain_float(_milliseconds(now))}
    bounds = {}
    for name in ("start", "end"):
        try:
            instant = evaluate_time(
                str(given.get(name) or ""), now=now, dialect=dialect_of(version)
            )
        except ConditionError as error:
            raise PrometheusError(f"failed to parse rangeQuery.{name} as time: {error}") from None
        bounds[name] = plain_float(_milliseconds(instant))
    try:
        step = parse_duration(str(given.get("step") or ""))
    except DurationError as error:
        raise PrometheusError(f"failed to parse rangeQuery.step as duration: {error}") from None
    return "api/v1/query_range", {"query": query, **bounds, "step": plain_float(step)}


def _milliseconds(instant: float) -> float:
    return round(instant, 3)


def _encoded(arguments: list[tuple[str, str]]) -> str:
    """Write a form as Go's url.Values does: sorted by name."""
    pairs = sorted(arguments, key=lambda pair: pair[0])
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


def _refused(status: int) -> str:
    match status // 100:
        case 4:
            return f"client_error: client error: {status}"
        case 5:
            return f"server_error: server error: {status}"
        case _:
            return f"bad_response: bad response code {status}"


def _value(samples: Samples) -> Value:
    return samples.values[0] if samples.scalar else Floats(samples.values)


def _shown(value: Value) -> str:
    if isinstance(value, Floats):
        return f"[{','.join(map(_number, value))}]"
    return _number(value)


def _number(value: float) -> str:
    if math.isfinite(value):
        return plain_float(value)
    return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
