"""How every source reads: bounded in time and size, each failure with its own sentence.

Nothing here guesses. What did not arrive whole, typed and finite is a failure of the source.
"""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
import msgspec

from svckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

_Shape = TypeVar("_Shape")

MAX_BODY_BYTES = 8 * 1024 * 1024
_UNREACHABLE_HINT = "is the source running, and does --source name its address?"
_PLAIN_CODE = re.compile(r"[a-z_]{1,40}")


class Reader:
    """Reads answers of one source; the client carries base URL, key and transport.

    Attributes:
        source: the source's name in errors.
        key_hint: which setting holds the key, told when the source refuses it.
    """

    def __init__(
        self, client: httpx.AsyncClient, *, source: str, timeout_seconds: float, key_hint: str = ""
    ) -> None:
        self._client = client
        self._timeout_seconds = timeout_seconds
        self.source = source
        self.key_hint = key_hint

    async def get(self, path: str, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        """Return status and body.

        Raises:
            Unavailable: nothing came in time (`source_timeout`), or it broke off.
        """
        return await self._send("GET", path, params=dict(parameters))

    async def post_json(self, path: str, document: Any) -> tuple[int, bytes]:
        """As `get`, with a JSON body."""
        return await self._send("POST", path, json=document)

    async def post_form(self, path: str, fields: Mapping[str, str]) -> tuple[int, bytes]:
        """As `get`, with a form as body."""
        return await self._send("POST", path, data=dict(fields))

    def decode(self, body: bytes, shape: type[_Shape]) -> _Shape:
        """Return a body in its shape.

        Raises:
            Unavailable: it is not JSON, not of that shape, or has a number that is none.
        """
        try:
            # Decoded as text first: the typed decoder skips over unread members unchecked.
            return msgspec.json.decode(body.decode(), type=shape)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self.unusable(error) from None

    def unusable(self, why: object) -> Unavailable:
        """Return the error for an answer that says 200 and means nothing."""
        return self.failed(f"answered 200 with an unusable body: {why}")

    def refused(self, status: int, code: str = "") -> Unavailable:
        """Return the error for a status other than 200; `code` is what its body gave as reason."""
        # A foreign body is quoted only when it is one of the plain codes that problems carry.
        said = f" ({code})" if _PLAIN_CODE.fullmatch(code) else ""
        hint = ""
        if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
            hint = self.key_hint
        return self.failed(f"answered HTTP {status}{said}", hint)

    def failed(self, what: str, hint: str = "", *, code: str = "source_failed") -> Unavailable:
        """Return an error that names the source."""
        return Unavailable(f"source {self.source} {what}", code=code, hint=hint)

    async def _send(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        try:
            # The client bounds single reads; a source that drips bytes is bounded here.
            async with asyncio.timeout(self._timeout_seconds):
                return await self._read(method, path, **more)
        except (TimeoutError, httpx.TimeoutException):
            raise Unavailable(
                f"source {self.source} did not answer within {self._timeout_seconds:g} s",
                code="source_timeout",
                status=504,
                hint=_UNREACHABLE_HINT,
            ) from None
        except httpx.HTTPError as error:
            raise self.failed(
                f"could not be read ({type(error).__name__})", _UNREACHABLE_HINT
            ) from None

    async def _read(self, method: str, path: str, **more: Any) -> tuple[int, bytes]:
        async with self._client.stream(method, path, **more) as response:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise self.failed(f"sent more than {MAX_BODY_BYTES} bytes")
        return response.status_code, bytes(body)
