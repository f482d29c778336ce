"""Raw events as they came, for the queries that counts cannot answer.

A body is kept as one chunk of bytes and decoded when a query reads it, so that keeping it costs
next to nothing. Every application has room for the chunks of its last events; where older ones
had to go, a query that would need them is refused rather than answered in part.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from math import floor
from typing import Any, NamedTuple

import msgspec
import zstandard

from mock_newrelic.domain.model import RETENTION_SECONDS, Span
from svckit.errors import SuiteError

MAX_ROWS = 50_000
MAX_BYTES = 4 * 1024 * 1024
"""Of payloads, mostly compressed to a twentieth."""
ROWS = "rows"
"""The codec of `chunk_of`."""
_PACK_FROM = 512


class Row(NamedTuple):
    """One event.

    Attributes:
        attributes: what it carries, `timestamp` in milliseconds among it.
        timestamp: when it happened, seconds since 1970.
        weight: how many events it stands for.
    """

    attributes: Mapping[str, Any]
    timestamp: float
    weight: float = 1.0


class Record(NamedTuple):
    """A row and what tells where it belongs; `app` is empty when it belongs to no application."""

    kind: str
    app: str
    row: Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The raw events of one body.

    Attributes:
        codec: what turns the payload into records, a key of the codecs given to `Records.read`.
        payload: the events.
        kinds: the event types in it.
        apps: the applications in it; the empty name for events of none.
        span: the seconds in which all of its events lie.
        count: number of events.
        received: when it came; the time of events that carry none.
        packed: whether the payload is compressed.
    """

    codec: str
    payload: bytes
    kinds: frozenset[str]
    apps: frozenset[str]
    span: Span
    count: int
    received: float
    packed: bool = False

    def pack(self) -> Chunk:
        """Return the chunk with its payload compressed."""
        if self.packed or len(self.payload) < _PACK_FROM:
            return self
        return replace(self, payload=zstandard.compress(self.payload, 1), packed=True)

    def unpack(self) -> Chunk:
        """Return the chunk with its payload as it was."""
        if not self.packed:
            return self
        return replace(self, payload=zstandard.decompress(self.payload), packed=False)


class RecordsLost(SuiteError):  # noqa: N818 - reads as a sentence at the raise site
    """Events of the span had to give way to later ones."""

    default_code = "records_lost"
    default_status = 503
    title = "Events are not kept any more"


Codec = Callable[[Chunk], Iterator[Record]]


def chunk_of(records: Iterable[Record], *, received: float) -> Chunk | None:
    """Return records as a chunk; None when there are none.

    Attributes must be what msgpack can hold: texts, numbers, booleans, None, lists, mappings.
    """
    kept = list(records)
    if not kept:
        return None
    instants = [one.row.timestamp for one in kept]
    return Chunk(
        codec=ROWS,
        payload=msgspec.msgpack.encode(kept),
        kinds=frozenset(one.kind for one in kept),
        apps=frozenset(one.app for one in kept),
        span=Span(floor(min(instants)), floor(max(instants)) + 1),
        count=len(kept),
        received=received,
    )


def read_rows(chunk: Chunk) -> Iterator[Record]:
    """Yield the records of a chunk that `chunk_of` made."""
    yield from msgspec.msgpack.decode(chunk.payload, type=list[Record])


class Records:
    """The last chunks of one application, bounded in rows and bytes."""

    def __init__(self, *, max_rows: int = MAX_ROWS, max_bytes: int = MAX_BYTES) -> None:
        self._max_rows = max_rows
        self._max_bytes = max_bytes
        self._chunks: deque[Chunk] = deque()
        self._lost_before: dict[str, int] = {}
        self.rows = 0
        self.bytes = 0

    def add(self, chunk: Chunk) -> list[Chunk]:
        """Keep a chunk and return those that had to give way."""
        self._chunks.append(chunk)
        self.rows += chunk.count
        self.bytes += len(chunk.payload)
        gone = []
        while self.rows > self._max_rows or self.bytes > self._max_bytes:
            oldest = self._pop()
            gone.append(oldest)
            for kind in oldest.kinds:
                self.lose(kind, oldest.span.stop)
        return gone

    def forget(self, now: float) -> list[Chunk]:
        """Drop and return what is older than the retention."""
        gone = []
        while self._chunks and self._chunks[0].span.stop < now - RETENTION_SECONDS:
            gone.append(self._pop())
        return gone

    def lose(self, kind: str, before: int) -> None:
        """Take notice that events of a type before a second are not kept any more."""
        self._lost_before[kind] = max(before, self._lost_before.get(kind, 0))

    def __iter__(self) -> Iterator[Chunk]:
        """Yield all chunks, the oldest first."""
        yield from self._chunks

    def chunks(self, kind: str, span: Span) -> Iterator[Chunk]:
        """Yield the chunks that may hold events of a type in a span.

        Raises:
            RecordsLost: events of the span had to give way to later ones.
        """
        if span.first < self._lost_before.get(kind, 0):
            raise RecordsLost(
                f"not all {kind} events of the window are kept any more",
                hint="ask for a shorter window; counts by label are kept for 24 hours",
            )
        for chunk in self._chunks:
            overlaps = chunk.span.first < span.stop and span.first < chunk.span.stop
            if overlaps and kind in chunk.kinds:
                yield chunk

    def _pop(self) -> Chunk:
        chunk = self._chunks.popleft()
        self.rows -= chunk.count
        self.bytes -= len(chunk.payload)
        return chunk


def rows_in(
    chunks: Iterable[Chunk],
    codecs: Mapping[str, Codec],
    *,
    app: str,
    kind: str,
    span: Span,
) -> Iterator[Row]:
    """Yield the events of one application and type in a span."""
    for chunk in chunks:
        for record in codecs[chunk.codec](chunk.unpack()):
            if (
                record.kind == kind
                and record.app == app
                and span.first <= record.row.timestamp < span.stop
            ):
                yield record.row
