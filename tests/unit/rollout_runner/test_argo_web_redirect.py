"""Where Go's client goes after a 3xx answer, and what it takes along."""

from __future__ import annotations

import pytest

from rollout_runner.argo.web import WebProviderError, WebRequest
from rollout_runner.argo.web_redirect import next_request

FIRST = WebRequest(
    method="POST",
    url="http://apm.example:8080/v1/q?a=1",
    headers=(
        ("Authorization", "Bearer abc"),
        ("Content-Type", "application/json"),
        ("Api-Key", "k"),
    ),
    body=b"{}",
)


def following(location: str, status: int = 302, first: WebRequest = FIRST) -> WebRequest:
    """Return the second request of an exchange."""
    request = next_request(first, first, status=status, location=location)
    assert request is not None
    return request


@pytest.mark.parametrize(
    ("location", "url"),
    [
        pytest.param("/x", "http://apm.example:8080/x", id="path"),
        pytest.param("x?b=2", "http://apm.example:8080/v1/x?b=2", id="relative"),
        pytest.param("?b=2", "http://apm.example:8080/v1/q?b=2", id="query"),
        pytest.param("../x", "http://apm.example:8080/x", id="up"),
        pytest.param("//other/x", "http://other/x", id="host"),
        pytest.param("https://other/x", "https://other/x", id="absolute"),
    ],
)
def test_a_location_is_relative_to_the_answered_request(location: str, url: str) -> None:
    """As RFC 3986 resolves references."""
    assert following(location).url == url


@pytest.mark.parametrize(
    ("method", "status", "becomes", "body"),
    [
        pytest.param(method, status, becomes, body, id=f"{method}-{status}")
        for status in (301, 302, 303)
        for method, becomes, body in (
            ("GET", "GET", b""),
            ("HEAD", "HEAD", b""),
            ("POST", "GET", b""),
            ("PUT", "GET", b""),
            ("DELETE", "GET", b""),
            ("get", "GET", b""),
        )
    ]
    + [
        pytest.param(method, status, method, b"{}", id=f"{method}-{status}")
        for status in (307, 308)
        for method in ("POST", "PUT", "DELETE", "get")
    ],
)
def test_method_and_body(method: str, status: int, becomes: str, body: bytes) -> None:
    """301 to 303 leave GET and HEAD only, 307 and 308 everything; Go compares exactly."""
    first = WebRequest(method=method, url="http://a/q", headers=(), body=b"{}")
    request = following("/x", status, first)
    assert (request.method, request.body) == (becomes, body)


def test_a_dropped_body_does_not_come_back() -> None:
    """A 307 after a 302 repeats the GET without a body."""
    second = following("/x", 302)
    third = next_request(FIRST, second, status=307, location="/y")
    assert third is not None
    assert (third.method, third.body) == ("GET", b"")


@pytest.mark.parametrize(
    ("location", "kept"),
    [
        pytest.param("/x", True, id="path"),
        pytest.param("http://apm.example:9999/x", True, id="other-port"),
        pytest.param("http://eu.apm.example/x", True, id="below"),
        pytest.param("http://example/x", False, id="above"),
        pytest.param("http://notapm.example/x", False, id="ends-alike"),
        pytest.param("http://[::1]/x", False, id="ipv6"),
    ],
)
def test_the_key_stays_within_the_domain(location: str, *, kept: bool) -> None:
    """Authorization goes to the same host and to hosts below it; other headers go anywhere."""
    headers = dict(following(location).headers)
    assert ("Authorization" in headers) is kept
    assert headers["Api-Key"] == "k"


def test_a_key_that_was_dropped_does_not_come_back() -> None:
    """A redirect to another domain and back has lost it, as in Go."""
    elsewhere = following("http://other/x")
    back = next_request(FIRST, elsewhere, status=302, location="http://apm.example:8080/y")
    assert back is not None
    assert "Authorization" not in dict(back.headers)


def test_headers_of_the_body_go_with_it() -> None:
    """Content-Type is dropped with the body and kept with it."""
    assert "Content-Type" not in dict(following("/x", 302).headers)
    assert dict(following("/x", 307).headers)["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    ("url", "location", "given", "referer"),
    [
        pytest.param("http://a/q?x=1", "/y", None, "http://a/q?x=1", id="last-url"),
        pytest.param("http://u:p@a/q", "/y", None, "http://a/q", id="without-credentials"),
        pytest.param("https://a/q", "http://a/y", None, None, id="https-to-http"),
        pytest.param("https://a/q", "https://a/y", None, "https://a/q", id="https"),
        pytest.param("http://a/q", "/y", "http://mine", "http://mine", id="given"),
    ],
)
def test_referer(url: str, location: str, given: str | None, referer: str | None) -> None:
    """The last URL, unless the metric has one of its own or it would leave TLS."""
    headers = () if given is None else (("Referer", given),)
    first = WebRequest(method="GET", url=url, headers=headers)
    assert dict(following(location, 302, first).headers).get("Referer") == referer


@pytest.mark.parametrize(
    ("status", "location"),
    [(200, "/x"), (300, "/x"), (304, "/x"), (305, "/x"), (302, ""), (404, "/x")],
)
def test_the_last_answer(status: int, location: str) -> None:
    """Nothing follows other statuses, or an answer that does not say where to."""
    assert next_request(FIRST, FIRST, status=status, location=location) is None


@pytest.mark.parametrize(
    ("location", "message"),
    [
        pytest.param(
            "http://x:80b/",
            'Post "http://apm.example:8080/v1/q?a=1": failed to parse Location header'
            ' "http://x:80b/": parse "http://x:80b/": invalid port ":80b" after host',
            id="unparsable",
        ),
        pytest.param(
            "ftp://x/y", 'Get "ftp://x/y": unsupported protocol scheme "ftp"', id="scheme"
        ),
        pytest.param("http:///y", 'Get "http:///y": http: no Host in request URL', id="no-host"),
    ],
)
def test_nowhere_to_go(location: str, message: str) -> None:
    """Go's messages for locations that cannot be followed."""
    with pytest.raises(WebProviderError) as caught:
        following(location)
    assert str(caught.value) == message
