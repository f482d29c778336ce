"""The voting front end's HTTP contract: one request in, one reply out.

    GET  /         200 page, cookie voter_id           HEAD the same, OPTIONS 200, others 405
    POST /         200 page, cookie voter_id, a vote is recorded; 400 without the form's `vote`
    GET  /static/stylesheets/style.css   200
    GET  /health   200 {"status": "healthy", "hostname": …}
    GET|POST /api/error-sim   200 {"enabled": …}; POST toggles: every vote fails with 500
    anything else  404;  a body above 64 KiB  413

Source: the example voting application (upstream, and its fork for /health and /api/error-sim).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from voteapp.domain.forms import vote_field
from voteapp.domain.page import STYLE, error_page, vote_page

if TYPE_CHECKING:
    from collections.abc import Callable

HASH_HEADER = b"x-pod-template-hash"
STYLE_PATH = "/static/stylesheets/style.css"
HTML = b"text/html; charset=utf-8"
COOKIE = "voter_id"
MAX_BODY_BYTES = 64 * 1024
_PHRASES = {status.value: status.phrase for status in HTTPStatus}

Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the contract looks at; header values as text (latin-1), empty when absent."""

    method: str
    path: str
    cookie: str = ""
    content_type: str = ""
    user_agent: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered, and what has to happen: `record` is pushed to the list of votes."""

    status: int
    headers: Headers
    body: bytes
    record: str | None = None
    toggles_error_sim: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Who answers: the facts printed on the page. Pages are rendered once."""

    version: str
    pod_template_hash: str
    pod_name: str
    option_a: str = "Cats"
    option_b: str = "Dogs"
    pages: dict[str | None, bytes] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        pages = {
            chosen: vote_page(
                option_a=self.option_a,
                option_b=self.option_b,
                pod_name=self.pod_name,
                version=self.version,
                chosen=chosen,
            )
            for chosen in (None, "a", "b")
        }
        object.__setattr__(self, "pages", pages)

    def page(self, chosen: str | None) -> bytes:
        """Return the page after a vote for `chosen`."""
        return self.pages.get(chosen, self.pages[None])


def answer(
    request: Request, site: Site, *, new_voter_id: Callable[[], str], error_sim: bool = False
) -> Reply:
    """Return what the healthy application answers.

    Args:
        request: the request.
        site: who answers.
        new_voter_id: called when the request brings no usable voter_id.
        error_sim: the fork's switch: votes fail with 500.
    """
    if len(request.body) > MAX_BODY_BYTES:
        return error_reply(413, site)
    match request.path:
        case "/":
            return _root(request, site, new_voter_id=new_voter_id, error_sim=error_sim)
        case "/health":
            health = {"status": "healthy", "hostname": site.pod_name}
            return _fixed(request, site, json.dumps(health).encode(), b"application/json")
        case "/api/error-sim":
            return _error_sim(request, site, error_sim=error_sim)
        case path if path == STYLE_PATH:
            return _fixed(request, site, STYLE.encode(), b"text/css; charset=utf-8")
        case _:
            return error_reply(404, site)


def error_reply(status: int, site: Site, headers: Headers = (), text: str = "") -> Reply:
    """Return an HTML error page with the status; it still says which pod answered."""
    title = _PHRASES.get(status, f"Status {status}")
    return _reply(status, site, error_page(title, text or f"{status} {title}"), HTML, headers)


def _root(
    request: Request, site: Site, *, new_voter_id: Callable[[], str], error_sim: bool
) -> Reply:
    if request.method == "OPTIONS":
        return _reply(200, site, b"", HTML, _allow("GET, HEAD, OPTIONS, POST"))
    if request.method not in {"GET", "HEAD", "POST"}:
        return error_reply(405, site, _allow("GET, HEAD, OPTIONS, POST"))
    voter_id = cookie_value(request.cookie, COOKIE) or new_voter_id()
    cookie = ((b"set-cookie", f"{COOKIE}={voter_id}; Path=/".encode("latin-1")),)
    if request.method != "POST":
        return _reply(200, site, site.page(None), HTML, cookie)
    if error_sim:
        return error_reply(500, site)
    vote = vote_field(request.content_type, request.body)
    if vote is None:
        return error_reply(400, site, text="The form has no field `vote`.")
    record = json.dumps({"voter_id": voter_id, "vote": vote})
    return _reply(200, site, site.page(vote), HTML, cookie, record=record)


def _error_sim(request: Request, site: Site, *, error_sim: bool) -> Reply:
    toggles = request.method == "POST"
    if request.method not in {"GET", "HEAD", "POST"}:
        return error_reply(405, site, _allow("GET, HEAD, OPTIONS, POST"))
    body = json.dumps({"enabled": error_sim != toggles}).encode()
    return _reply(200, site, body, b"application/json", toggles_error_sim=toggles)


def _fixed(request: Request, site: Site, body: bytes, media_type: bytes) -> Reply:
    if request.method == "OPTIONS":
        return _reply(200, site, b"", HTML, _allow("GET, HEAD, OPTIONS"))
    if request.method not in {"GET", "HEAD"}:
        return error_reply(405, site, _allow("GET, HEAD, OPTIONS"))
    return _reply(200, site, body, media_type)


def _allow(methods: str) -> Headers:
    return ((b"allow", methods.encode()),)


def _reply(
    status: int,
    site: Site,
    body: bytes,
    media_type: bytes,
    headers: Headers = (),
    *,
    record: str | None = None,
    toggles_error_sim: bool = False,
) -> Reply:
    common = (
        (b"content-type", media_type),
        (b"content-length", str(len(body)).encode()),
        (HASH_HEADER, site.pod_template_hash.encode()),
    )
    return Reply(
        status=status,
        headers=common + headers,
        body=body,
        record=record,
        toggles_error_sim=toggles_error_sim,
    )


def cookie_value(header: str, name: str) -> str:
    """Return a cookie's value as sent, or "" when it is missing or not printable."""
    for pair in header.split(";"):
        key, separator, value = pair.partition("=")
        if separator and key.strip() == name:
            value = value.strip()
            return value if value.isprintable() else ""
    return ""
