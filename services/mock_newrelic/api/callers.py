"""Who asks: the facts of a request that injections and the journal may look at."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from mock_newrelic.api.session import session_of
from mock_newrelic.domain.injections import Ask
from mock_newrelic.domain.surfaces import Surface, surface_of

if TYPE_CHECKING:
    from starlette.types import Scope

KEY_HEADERS = (
    b"api-key",
    b"x-api-key",
    b"x-query-key",
    b"x-insert-key",
    b"x-license-key",
)
KEY_PARAMETERS = ("license_key", "api-key", "Api-Key", "api_key")
DIGEST_DIGITS = 6


def header(scope: Scope, name: bytes) -> str:
    """Return a header's value, empty when it is not there."""
    for key, value in scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return ""


def surface_of_request(scope: Scope) -> Surface | None:
    """Return the surface that a request is for."""
    if scope["type"] != "http":
        return None
    return surface_of(scope["method"], scope["path"], header(scope, b"content-type"))


def given_key(scope: Scope) -> bytes | None:
    """Return the caller's key, from any header or parameter that one of the surfaces knows."""
    for name, value in scope["headers"]:
        if name in KEY_HEADERS:
            key: bytes = value
            return key
    if b"key=" in scope["query_string"].lower():
        for name, value in parse_qsl(scope["query_string"].decode("latin-1")):
            if name in KEY_PARAMETERS:
                text: str = value
                return text.encode()
    return None


def key_digest(scope: Scope) -> str:
    """Return the first hex digits of the SHA-256 of the caller's key, empty without a key."""
    key = given_key(scope)
    return "" if key is None else digest_of(key)


@lru_cache(maxsize=256)
def digest_of(key: bytes) -> str:
    """Return the first hex digits of a key's SHA-256: enough to tell keys apart."""
    return hashlib.sha256(key).hexdigest()[:DIGEST_DIGITS]


def caller_of(scope: Scope, surface: Surface) -> Ask:
    """Return what is known of a question before it is understood."""
    method = scope["method"]
    if surface is Surface.AGENT:
        method = dict(parse_qsl(scope["query_string"].decode("latin-1"))).get("method", method)
    return Ask(
        app="",
        session=session_of(scope),
        surface=surface,
        method=method,
        client=header(scope, b"user-agent"),
        key=key_digest(scope),
    )
