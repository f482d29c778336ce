"""Who may do what: reading and ingest keys, and one admin key for the control plane."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from svckit.errors import Forbidden, Unauthorized

if TYPE_CHECKING:
    from collections.abc import Iterable

_HINT = "send the header Api-Key"


class Keys:
    """The keys that are in force; `open_reading` lets reading and ingest do without."""

    def __init__(self, *, reading: Iterable[str], admin: str, open_reading: bool = False) -> None:
        self._reading = tuple(key.encode() for key in reading)
        self._admin = admin.encode()
        self._open = open_reading

    def check_reading(self, key: bytes | None) -> None:
        """Accept a reading key.

        Raises:
            Unauthorized: no key or a wrong one.
            Forbidden: the admin key, which is for the control plane.
        """
        if self._open or (key is not None and self._is_reading(key)):
            return
        if key is None:
            raise Unauthorized("the key is missing", hint=_HINT)
        if compare_digest(key, self._admin):
            raise Forbidden("the admin key is for the control plane only", hint=_HINT)
        raise Unauthorized("the key is wrong", hint="MOCK_NEWRELIC_API_KEYS names the right ones")

    def check_sending(self, key: bytes | None) -> None:
        """Accept a key for telemetry; New Relic answers a missing and a wrong one alike.

        Raises:
            Forbidden: no key, a wrong one, or the admin key.
        """
        if not (self._open or (key is not None and self._is_reading(key))):
            raise Forbidden(
                "the key is missing or wrong", hint="MOCK_NEWRELIC_API_KEYS names the right ones"
            )

    def check_admin(self, key: bytes | None) -> None:
        """Accept the admin key.

        Raises:
            Unauthorized: no key or a wrong one.
            Forbidden: a reading key.
        """
        if key is None:
            raise Unauthorized("the admin key is missing", hint=_HINT)
        if compare_digest(key, self._admin):
            return
        if self._is_reading(key):
            raise Forbidden(
                "this key reads and ingests; the control plane needs the admin key",
                hint="MOCK_NEWRELIC_ADMIN_KEY names it",
            )
        raise Unauthorized("the admin key is wrong", hint="MOCK_NEWRELIC_ADMIN_KEY names it")

    def _is_reading(self, key: bytes) -> bool:
        return any(compare_digest(key, known) for known in self._reading)
