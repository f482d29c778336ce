"""Takes in bodies of every ingest protocol: once each, as a whole or not at all.

A protocol is a pure function from the decoded body to a batch. All else is the same for all of
them and happens here: the Content-Encoding, the limits, what a repeated request gets, storing and
counting.
"""

from __future__ import annotations

import uuid
import zlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import zstandard
from anyio import to_thread

from mock_newrelic.domain.ingest.batch import Batch, Document, Drop
from mock_newrelic.domain.records import Record, Row, chunk_of
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from mock_newrelic.domain.records import Chunk
    from mock_newrelic.ports import Store
    from mock_newrelic.service.instruments import Instruments
    from svckit.clock import Clock

MAX_BODY_BYTES = 1_000_000
MAX_DECODED_BYTES = 32 * 1024 * 1024
REMEMBER_SECONDS = 600
MAX_REMEMBERED = 100_000
MAX_REQUEST_ID = 128
DROP_EVENT = "NrIntegrationError"
FEATURES = {
    "event_api": "Event API",
    "metric_api": "Metrics",
    "log_api": "Logs",
    "trace_api": "Distributed Tracing",
    "otlp": "OpenTelemetry",
    "agent": "APM",
}
"""What New Relic's own events call the protocols."""
RECEIPTS = "receipt"
_OFF_LOOP_BYTES = 256 * 1024
"""Bodies from here on are read in a thread, so that queries are answered meanwhile."""
_OFF_LOOP_BYTES_IF_COSTLY = 8 * 1024

Read: TypeAlias = Callable[[bytes, float], Batch]
"""(decoded body, now) -> batch; it raises SuiteError to refuse the body as a whole."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a body; a repeated request gets the receipt of the first one."""

    uuid: str
    apps: tuple[str, ...]
    samples: int
    probes: int
    others: int
    drops: tuple[tuple[str, int], ...] = ()
    duplicate: bool = False

    @property
    def accepted(self) -> int:
        """Number of events in the body that were not dropped."""
        return self.samples + self.probes + self.others

    @property
    def dropped(self) -> int:
        """Number of items that were left out."""
        return sum(count for _, count in self.drops)


class _Remembered(msgspec.Struct, frozen=True, array_like=True):
    at: float
    receipt: Receipt


class IngestService:
    """Decodes, checks and stores bodies."""

    def __init__(self, *, store: Store, clock: Clock, instruments: Instruments) -> None:
        self._store = store
        self._clock = clock
        self._instruments = instruments
        known = [
            (key, msgspec.msgpack.decode(value, type=_Remembered))
            for key, value in store.items(RECEIPTS)
        ]
        self._receipts = OrderedDict(sorted(known, key=lambda one: one[1].at))

    async def take(
        self,
        protocol: str,
        body: bytes,
        read: Read,
        *,
        encoding: str = "",
        request_id: str = "",
        session: str = "",
        costly: bool = False,
    ) -> Receipt:
        """Count what a body holds.

        Args:
            protocol: name of the surface that it came to.
            body: as it came over the wire.
            read: makes a batch of the decoded body.
            encoding: its Content-Encoding.
            request_id: a body with the same one counts once within ten minutes.
            session: token of the session that it belongs to, empty for the default one.
            costly: whether even a small body may take long to read.

        Raises:
            SuiteError: the body is refused; nothing of it counts.
        """
        limit = _OFF_LOOP_BYTES_IF_COSTLY if costly else _OFF_LOOP_BYTES
        try:
            return await self._take(protocol, body, read, encoding, request_id, session, limit)
        except SuiteError as error:
            self._instruments.refused.labels(protocol, error.code).inc()
            raise

    def forget_requests(self) -> None:
        """Forget which requests were seen, so that they may be sent again."""
        for key in self._receipts:
            self._store.remove(RECEIPTS, key)
        self._receipts.clear()

    async def _take(  # noqa: PLR0917 - the arguments of `take`
        self,
        protocol: str,
        body: bytes,
        read: Read,
        encoding: str,
        request_id: str,
        session: str,
        limit: int,
    ) -> Receipt:
        key = f"{session} {protocol} {request_id[:MAX_REQUEST_ID]}" if request_id else ""
        if (known := self._known(protocol, key)) is not None:
            return known
        if len(body) > MAX_BODY_BYTES:
            raise too_large(f"the body is longer than {MAX_BODY_BYTES} bytes")
        now = self._clock.now()
        decoded = _unpack(body, encoding, limit)
        if decoded is not None and len(decoded) <= limit:
            batch = _packed(read(decoded, now))
        else:
            batch = await to_thread.run_sync(
                lambda: _packed(
                    read(decompress(body, encoding) if decoded is None else decoded, now)
                )
            )
            # The same request may have come a second time while this one was read.
            if (known := self._known(protocol, key)) is not None:
                return known
        return self._keep(protocol, key, replace(batch, session=session))

    def _keep(self, protocol: str, key: str, batch: Batch) -> Receipt:
        now = self._clock.now()
        receipt = Receipt(
            uuid=str(uuid.uuid4()),
            apps=tuple(sorted(batch.apps)),
            samples=batch.samples,
            probes=batch.probes,
            others=batch.others,
            drops=tuple((drop.reason, drop.count) for drop in batch.drops),
        )
        if batch.drops:
            chunk = _told(batch.drops, protocol, receipt.uuid, now)
            batch = replace(batch, records=(*batch.records, chunk))
        remembered = _Remembered(now, receipt)
        if key:
            document = Document(
                kind=RECEIPTS, key=key, value=msgspec.msgpack.encode(remembered), session=""
            )
            batch = replace(batch, documents=(*batch.documents, document, *self._expired(now)))
        self._store.write(batch, now)
        if key:
            self._receipts[key] = remembered
        for outcome, count in (
            ("counted", receipt.samples),
            ("probe", receipt.probes),
            ("other_type", receipt.others),
        ):
            self._instruments.ingested.labels(protocol, outcome).inc(count)
        for reason, count in receipt.drops:
            self._instruments.dropped.labels(protocol, reason).inc(count)
        return receipt

    def _expired(self, now: float) -> list[Document]:
        """Forget what is too old or too much; return the removal of their documents."""
        gone = []
        while self._receipts:
            oldest, remembered = next(iter(self._receipts.items()))
            if (
                now - REMEMBER_SECONDS < remembered.at <= now
                and len(self._receipts) < MAX_REMEMBERED
            ):
                break
            del self._receipts[oldest]
            gone.append(Document(kind=RECEIPTS, key=oldest, value=None, session=""))
        return gone

    def _known(self, protocol: str, key: str) -> Receipt | None:
        remembered = self._receipts.get(key)
        if remembered is None or remembered.at <= self._clock.now() - REMEMBER_SECONDS:
            return None
        receipt = remembered.receipt
        self._instruments.ingested.labels(protocol, "duplicate").inc(receipt.accepted)
        return msgspec.structs.replace(receipt, duplicate=True)


def _packed(batch: Batch) -> Batch:
    return replace(batch, records=tuple(chunk.pack() for chunk in batch.records))


def _told(drops: tuple[Drop, ...], protocol: str, request_id: str, now: float) -> Chunk:
    """Return the events that tell what was left out."""
    chunk = chunk_of(
        (
            Record(
                DROP_EVENT,
                drop.app,
                Row(
                    {
                        "category": drop.reason,
                        "message": drop.detail or drop.reason,
                        "newRelicFeature": FEATURES.get(protocol, protocol),
                        "requestId": request_id,
                        "droppedCount": drop.count,
                        **({"appName": drop.app} if drop.app else {}),
                    },
                    now,
                ),
            )
            for drop in drops
        ),
        received=now,
    )
    assert chunk is not None  # noqa: S101 - there are drops
    return chunk


def decompress(body: bytes, encoding: str) -> bytes:
    """Return the body without its Content-Encoding.

    Raises:
        InvalidInput: an encoding that is not known (415), a broken stream (400), or more than
            MAX_DECODED_BYTES (413).
    """
    content = _unpack(body, encoding, MAX_DECODED_BYTES)
    if content is None:
        raise too_large(f"the body unpacks to more than {MAX_DECODED_BYTES} bytes")
    return content


def _unpack(body: bytes, encoding: str, limit: int) -> bytes | None:
    """Return the decoded body; None when a compressed one unpacks to more than `limit` bytes."""
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip":
            return _inflate(body, 31, limit)
        case "deflate":
            # RFC 9110 says zlib; some clients send the bare stream.
            return _inflate(body, 15 if body[:1] == b"\x78" else -15, limit)
        case "zstd":
            return _unpack_zstd(body, limit)
        case _:
            raise InvalidInput(
                "the Content-Encoding is not known",
                code="bad_encoding",
                status=415,
                hint="gzip, deflate, zstd or none",
            )


def _inflate(body: bytes, wbits: int, limit: int) -> bytes | None:
    stream = zlib.decompressobj(wbits)
    try:
        content = stream.decompress(body, limit)
    except zlib.error:
        raise _broken() from None
    if stream.unconsumed_tail:
        return None
    if not stream.eof or stream.unused_data:
        raise _broken()
    return content


def _unpack_zstd(body: bytes, limit: int) -> bytes | None:
    reader = zstandard.ZstdDecompressor(max_window_size=MAX_DECODED_BYTES).stream_reader(body)
    try:
        content = reader.read(limit + 1)
    except zstandard.ZstdError:
        raise _broken() from None
    return None if len(content) > limit else content


def too_large(detail: str) -> InvalidInput:
    """Return the refusal of a body that is too large."""
    return InvalidInput(
        detail, code="too_large", status=413, hint="send the events in several bodies"
    )


def _broken() -> InvalidInput:
    return InvalidInput(
        "the body does not unpack with its Content-Encoding", code="bad_encoding", status=400
    )
