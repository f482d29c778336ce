"""Takes in bodies of events: once each, as a whole or not at all."""

from __future__ import annotations

import uuid
import zlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anyio import to_thread

from mock_newrelic.domain.ingest.event_api import ProbeRule, read_batch
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from mock_newrelic.ports import Store
    from mock_newrelic.service.instruments import Instruments
    from svckit.clock import Clock

MAX_BODY_BYTES = 1_000_000
MAX_DECODED_BYTES = 32 * 1024 * 1024
REMEMBER_SECONDS = 600
MAX_REMEMBERED = 100_000
_OFF_LOOP_BYTES = 256 * 1024
"""Bodies from here on are read in a thread, so that queries are answered meanwhile."""

PROTOCOL = "event_api"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a body; a repeated request gets the receipt of the first one."""

    uuid: str
    apps: tuple[str, ...]
    samples: int
    probes: int
    others: int
    duplicate: bool = False

    @property
    def accepted(self) -> int:
        """Number of events in the body."""
        return self.samples + self.probes + self.others


class IngestService:
    """Decodes, checks and stores bodies."""

    def __init__(
        self, *, store: Store, clock: Clock, probes: ProbeRule, instruments: Instruments
    ) -> None:
        self._store = store
        self._clock = clock
        self._probes = probes
        self._instruments = instruments
        self._receipts: OrderedDict[str, tuple[float, Receipt]] = OrderedDict()

    async def take(
        self, body: bytes, *, encoding: str = "", request_id: str = "", session: str = ""
    ) -> Receipt:
        """Count the events of a body in a session.

        Raises:
            SuiteError: the body is refused; nothing of it counts.
        """
        try:
            return await self._take(body, encoding, request_id, session)
        except SuiteError as error:
            self._instruments.refused.labels(PROTOCOL, error.code).inc()
            raise

    def forget_requests(self) -> None:
        """Forget which requests were seen, so that they may be sent again."""
        self._receipts.clear()

    async def _take(self, body: bytes, encoding: str, request_id: str, session: str) -> Receipt:
        if request_id:
            request_id = f"{session} {request_id}"
        if (known := self._known(request_id)) is not None:
            return known
        events = decompress(body, encoding)
        now = self._clock.now()
        if len(events) < _OFF_LOOP_BYTES:
            batch = read_batch(events, now=now, probes=self._probes)
        else:
            batch = await to_thread.run_sync(
                lambda: read_batch(events, now=now, probes=self._probes)
            )
            # The same request may have come a second time while this one was read.
            if (known := self._known(request_id)) is not None:
                return known
        self._store.write(replace(batch, session=session), self._clock.now())
        receipt = Receipt(
            uuid=str(uuid.uuid4()),
            apps=tuple(sorted(batch.apps)),
            samples=batch.samples,
            probes=batch.probes,
            others=batch.others,
        )
        for outcome, count in (
            ("counted", receipt.samples),
            ("probe", receipt.probes),
            ("other_type", receipt.others),
        ):
            self._instruments.ingested.labels(PROTOCOL, outcome).inc(count)
        if request_id:
            self._receipts[request_id] = (self._clock.now(), receipt)
            if len(self._receipts) > MAX_REMEMBERED:
                self._receipts.popitem(last=False)
        return receipt

    def _known(self, request_id: str) -> Receipt | None:
        now = self._clock.now()
        while self._receipts:
            oldest = next(iter(self._receipts))
            if self._receipts[oldest][0] > now - REMEMBER_SECONDS:
                break
            del self._receipts[oldest]
        seen = self._receipts.get(request_id)
        if seen is None:
            return None
        receipt = seen[1]
        self._instruments.ingested.labels(PROTOCOL, "duplicate").inc(receipt.accepted)
        return Receipt(
            uuid=receipt.uuid,
            apps=receipt.apps,
            samples=receipt.samples,
            probes=receipt.probes,
            others=receipt.others,
            duplicate=True,
        )


def decompress(body: bytes, encoding: str) -> bytes:
    """Return the body without its Content-Encoding.

    Raises:
        InvalidInput: an encoding that is not known (415), a broken stream (400), or more than
            MAX_DECODED_BYTES (413).
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip":
            wbits = 31
        case "deflate":
            # RFC 9110 says zlib; some clients send the bare stream.
            wbits = 15 if body[:1] == b"\x78" else -15
        case _:
            raise InvalidInput(
                "the Content-Encoding is not known",
                code="bad_encoding",
                status=415,
                hint="gzip, deflate or none",
            )
    stream = zlib.decompressobj(wbits)
    try:
        content = stream.decompress(body, MAX_DECODED_BYTES)
    except zlib.error:
        raise _broken() from None
    if stream.unconsumed_tail:
        raise too_large(f"the body unpacks to more than {MAX_DECODED_BYTES} bytes")
    if not stream.eof or stream.unused_data:
        raise _broken()
    return content


def too_large(detail: str) -> InvalidInput:
    """Return the refusal of a body that is too large."""
    return InvalidInput(
        detail, code="too_large", status=413, hint="send the events in several bodies"
    )


def _broken() -> InvalidInput:
    return InvalidInput(
        "the body does not unpack with its Content-Encoding", code="bad_encoding", status=400
    )
