"""Argo's web provider without the network: the request it makes and what it reads in the answer.

An adapter sends the `WebRequest` and hands status and body to `measure`:

>>> measure(200, b'{"score": 0.97}', json_path="{$.score}", success_condition="result > 0.95",
...         failure_condition="", version=ArgoVersion.V1_10)
WebReading(phase=<Phase.SUCCESSFUL: 'Successful'>, value='0.97', message='', unevaluated=False)

Rules: metricproviders/webmetric/webmetric.go of argoproj/argo-rollouts (1.9.1 and 1.10), and Go's
net/http for what it refuses to send.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout_runner.argo import gojson
from rollout_runner.argo.conditions import assess
from rollout_runner.argo.expr.gotext import quote
from rollout_runner.argo.gourl import check_url
from rollout_runner.argo.jsonpath import (
    JsonPathCrashError,
    JsonPathError,
    NoResultError,
    compile_path,
)
from rollout_runner.argo.types import ArgoVersion, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEFAULT_TIMEOUT_SECONDS = 10
MAX_REDIRECTS = 10
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SET_BY_TRANSPORT = frozenset({"Host", "Content-Length", "Transfer-Encoding", "Trailer"})
_NULL_BODY = (
    "the answer is a bare null, on which the controller of Argo Rollouts crashes; "
    "answer a JSON object instead"
)


class WebProviderError(ValueError):
    """No request can be made. The message is Argo's, or Go's where net/http refuses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth2:
    """Client credentials: a token is fetched before the call and sent as `Bearer`."""

    token_url: str
    client_id: str
    client_secret: str
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WebRequest:
    """A request as Argo sends it.

    Attributes:
        method: any HTTP token, sent as it is.
        url: with its scheme.
        headers: names in canonical case, each once; Go's own defaults included.
        body: empty if there is none.
        timeout_seconds: for all of it: connecting, redirects, reading the body.
        insecure: whether certificates are left unverified.
        max_redirects: as many requests are sent at most (`web_redirect`).
        oauth2: where to get a token first, if anywhere.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    timeout_seconds: int = DEFAULT_TIMEOUT_SECONDS
    insecure: bool = False
    max_redirects: int = MAX_REDIRECTS
    oauth2: OAuth2 | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebReading:
    """What a measurement of the web provider comes to.

    Attributes:
        phase: Successful, Failed, Inconclusive or Error.
        value: JSON of what the jsonPath selected; a plain-text body as it is; empty for Error.
        message: empty unless the phase is Error.
        unevaluated: whether conditions were skipped because the body is not JSON, so that it
            passed without having been judged (releases before 1.10).
    """

    phase: Phase
    value: str = ""
    message: str = ""
    unevaluated: bool = False


def build_request(web: Mapping[str, Any]) -> WebRequest:
    """Build the request of a `provider.web` block with its arguments filled in.

    Raises:
        WebProviderError: Argo records this message in an Error measurement and tries again.
    """
    oauth2 = read_oauth2(web)
    try:
        compile_path(web.get("jsonPath") or "{$}")
    except JsonPathError as error:
        raise WebProviderError(str(error)) from None
    method = str(web.get("method") or "GET")
    body = _body(web, method)
    url = str(web.get("url") or "")
    if not _TOKEN.fullmatch(method):
        raise WebProviderError(f"net/http: invalid method {quote(method)}")
    refusal = check_url(url)
    if refusal:
        raise WebProviderError(refusal)
    timeout = int(web.get("timeoutSeconds") or 0)
    request = WebRequest(
        method=method,
        url=url,
        headers=go_headers(
            web.get("headers") or (),
            content_type="" if web.get("jsonBody") is None else "application/json",
        ),
        body=body,
        timeout_seconds=timeout if timeout > 0 else DEFAULT_TIMEOUT_SECONDS,
        insecure=bool(web.get("insecure")),
        oauth2=oauth2,
    )
    check_sendable(request)
    return request


def request_error(method: str, url: str, reason: str) -> str:
    """Word a failed exchange as Go's client does: `Get "http://…": connection refused`.

    A password in the URL is not shown.
    """
    return f"{method[:1]}{method[1:].lower()} {quote(_without_password(url))}: {reason}"


def measure(
    status: int,
    body: bytes,
    *,
    json_path: str,
    success_condition: str,
    failure_condition: str,
    version: ArgoVersion,
    now: float | None = None,
) -> WebReading:
    """Judge an answer.

    Args:
        status: of the last answer, after redirects.
        body: decompressed.
        json_path: empty for the whole document.
        success_condition: empty if there is none.
        failure_condition: empty if there is none.
        version: before 1.10 a body that is not JSON passes whatever the conditions say.
        now: instant that `now()` gives in a condition, in seconds since the Unix epoch.
    """
    if not 200 <= status < 300:
        return _error(f"received non 2xx response code: {status}")
    try:
        document = gojson.decode(body)
    except gojson.GoJsonError:
        result = shown = body.decode("utf-8", "replace")
        if not version.evaluates_plain_text:
            conditions = bool(success_condition or failure_condition)
            return WebReading(phase=Phase.SUCCESSFUL, value=shown, unevaluated=conditions)
    else:
        try:
            result = compile_path(json_path or "{$}").first(document)
        except JsonPathCrashError:
            return _error(_NULL_BODY)
        except NoResultError:
            return _error("result of web metric produced no value")
        except JsonPathError as error:
            return _error(f"Could not find JSONPath in body: {error}")
        shown = gojson.encode(result)
    phase, message = assess(
        result,
        success_condition=success_condition,
        failure_condition=failure_condition,
        version=version,
        now=now,
    )
    return _error(message) if phase is Phase.ERROR else WebReading(phase=phase, value=shown)


def _error(message: str) -> WebReading:
    return WebReading(phase=Phase.ERROR, message=message)


def read_oauth2(block: Mapping[str, Any]) -> OAuth2 | None:
    """Return the client credentials of a provider block, None if it has none.

    Raises:
        WebProviderError: they are not complete.
    """
    config = (block.get("authentication") or {}).get("oauth2") or {}
    if not config.get("tokenUrl"):
        return None
    if not config.get("clientId") or not config.get("clientSecret"):
        raise WebProviderError("missing mandatory parameter in metric for OAuth2 setup")
    return OAuth2(
        token_url=config["tokenUrl"],
        client_id=config["clientId"],
        client_secret=config["clientSecret"],
        scopes=tuple(config.get("scopes") or ()),
    )


def _body(web: Mapping[str, Any], method: str) -> bytes:
    text, document = web.get("body") or "", web.get("jsonBody")
    if text and document is not None:
        raise WebProviderError(
            "use either Body or JSONBody; both cannot exists for WebMetric payload"
        )
    if (text or document is not None) and method == "GET":
        raise WebProviderError(
            "Body/JSONBody can only be used with POST or PUT WebMetric Method types"
        )
    if document is None:
        return str(text).encode()
    try:
        return gojson.encode(document).encode()
    except gojson.GoJsonError as error:
        raise WebProviderError(str(error)) from None


def go_headers(
    given: Sequence[Mapping[str, str]], *, content_type: str = ""
) -> tuple[tuple[str, str], ...]:
    """Return the headers that Go sends, in canonical case; of equal names the last one wins.

    Args:
        given: `headers` of a provider block.
        content_type: put in the place of a given one, unless it is empty.
    """
    headers: dict[str, str] = {}
    for header in given:
        headers[_canonical(str(header.get("key") or ""))] = str(header.get("value") or "")
    if content_type:
        headers["Content-Type"] = content_type
    headers.setdefault("User-Agent", "Go-http-client/1.1")
    if "Range" not in headers:
        headers.setdefault("Accept-Encoding", "gzip")
    return tuple((name, value) for name, value in headers.items() if name not in _SET_BY_TRANSPORT)


def _canonical(name: str) -> str:
    if not _TOKEN.fullmatch(name):
        return name
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def check_sendable(request: WebRequest) -> None:
    """Refuse what Go's transport refuses, in its order."""
    scheme = request.url.partition(":")[0].lower() if ":" in request.url else ""
    reason = ""
    if scheme in {"http", "https"}:
        for name, value in request.headers:
            if not _TOKEN.fullmatch(name):
                reason = f"net/http: invalid header field name {quote(name)}"
            elif _CONTROL.search(value):
                reason = f"net/http: invalid header field value for {quote(name)}"
            if reason:
                break
        else:
            if request.url[len(scheme) : len(scheme) + 3] != "://" or _host(request.url) == "":
                reason = "http: no Host in request URL"
    else:
        reason = f"unsupported protocol scheme {quote(scheme)}"
    if reason:
        raise WebProviderError(request_error(request.method, request.url, reason))


def _host(url: str) -> str:
    return _authority(url).rpartition("@")[2]


def _authority(url: str) -> str:
    return re.split(r"[/?#]", url.partition("://")[2], maxsplit=1)[0]


def _without_password(url: str) -> str:
    authority = _authority(url)
    user, at, host = authority.rpartition("@")
    name, colon, _ = user.partition(":")
    return url.replace(authority, f"{name}:***@{host}", 1) if at and colon else url
