"""Dependencies of the routes: the key checks, declared so that the API documentation shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mock_newrelic.api.keys import Keys

Header = Annotated[str | None, Security(APIKeyHeader(name="Api-Key", auto_error=False))]
_INGEST_HEADERS = ("api-key", "x-insert-key", "x-license-key")


def reading_key(keys: Keys) -> Callable[[str | None], Awaitable[None]]:
    """Return the dependency that accepts a reading key."""

    async def check(key: Header) -> None:
        keys.check_reading(_bytes(key))

    return check


def admin_key(keys: Keys) -> Callable[[str | None], Awaitable[None]]:
    """Return the dependency that accepts the admin key."""

    async def check(key: Header) -> None:
        keys.check_admin(_bytes(key))

    return check


def ingest_key(keys: Keys) -> Callable[[Request, str | None], Awaitable[None]]:
    """Return the dependency that accepts a reading key in any header that New Relic accepts."""

    async def check(request: Request, _key: Header) -> None:
        given = (request.headers.get(name) for name in _INGEST_HEADERS)
        keys.check_reading(_bytes(next((key for key in given if key is not None), None)))

    return check


def only_parameters(*names: str) -> Callable[[Request], Awaitable[None]]:
    """Return the dependency that refuses other query parameters.

    On the control plane a typo in a name would otherwise widen what is forgotten or cleared.
    """

    async def check(request: Request) -> None:
        if set(request.query_params) - set(names):
            raise InvalidInput(
                "the query has a parameter that is not known",
                code="unknown_parameter",
                status=400,
                hint=f"known: {', '.join(names) or 'none'}",
            )

    return check


def _bytes(key: str | None) -> bytes | None:
    # Header bytes arrive decoded as Latin-1.
    return None if key is None else key.encode("latin-1")
