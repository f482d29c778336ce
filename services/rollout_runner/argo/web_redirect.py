"""Where Go's HTTP client goes after a 3xx answer, and what it takes along.

Rules: `Client.do` of Go's net/http as of Go 1.26, with which Argo Rollouts is built.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from rollout_runner.argo.expr.gotext import quote
from rollout_runner.argo.gourl import check_url
from rollout_runner.argo.web import WebProviderError, check_sendable, request_error

if TYPE_CHECKING:
    from rollout_runner.argo.web import WebRequest

_SENSITIVE = frozenset(
    {
        "Authorization",
        "Www-Authenticate",
        "Cookie",
        "Cookie2",
        "Proxy-Authorization",
        "Proxy-Authenticate",
    }
)
_OF_THE_BODY = frozenset(
    {"Content-Encoding", "Content-Language", "Content-Location", "Content-Type"}
)


def next_request(
    first: WebRequest, last: WebRequest, *, status: int, location: str
) -> WebRequest | None:
    """Return the request that follows an answer, or None when the answer is the last one.

    301 to 303 turn every method but GET and HEAD into GET and drop the body; 307 and 308 keep both.
    Keys and cookies do not go to another domain, ports apart.

    Args:
        first: the request that the exchange began with.
        last: the request that was answered.
        status: of the answer.
        location: its Location header as it is; empty if it has none.

    Raises:
        WebProviderError: the location cannot be parsed, or nothing can be sent there.
    """
    if status not in {301, 302, 303, 307, 308} or not location:
        return None
    refusal = check_url(location)
    if refusal:
        reason = f"failed to parse Location header {quote(location)}: {refusal}"
        raise WebProviderError(request_error(first.method, last.url, reason))
    url = location if urlsplit(location).scheme else urljoin(last.url, location)
    keeps_body = status in {307, 308}
    method = last.method if keeps_body or last.method in {"GET", "HEAD"} else "GET"
    dropped = set() if keeps_body else set(_OF_THE_BODY)
    if not _same_site(first.url, url):
        dropped |= _SENSITIVE
    headers = {name: value for name, value in last.headers if name not in dropped}
    referer = dict(first.headers).get("Referer") or _referer(last.url)
    headers.pop("Referer", None)
    if referer and not (_is_https(last.url) and not _is_https(url)):
        headers["Referer"] = referer
    following = replace(
        last,
        method=method,
        url=url,
        headers=tuple(headers.items()),
        body=last.body if keeps_body else b"",
    )
    check_sendable(following)
    return following


def _same_site(first: str, url: str) -> bool:
    """Whether a host is that of the first request or below it."""
    before, after = _host(first), _host(url)
    return after == before or (":" not in after and after.endswith(f".{before}"))


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _is_https(url: str) -> bool:
    return urlsplit(url).scheme == "https"


def _referer(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
