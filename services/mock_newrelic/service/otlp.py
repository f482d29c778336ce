"""Takes in OTLP: what a body says depends on what the same senders have said before.

Cumulative metrics tell totals since their start, so the last ones of every stream are remembered,
durably with the samples that were taken from them. Bodies with metrics are read one at a time:
two read at once would both count from the same totals.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mock_newrelic.domain.ingest.batch import Batch, Document, Drop
from mock_newrelic.domain.ingest.otlp_logs import read_logs
from mock_newrelic.domain.ingest.otlp_metrics import POSITION, read_metrics
from mock_newrelic.domain.ingest.otlp_points import Position
from mock_newrelic.domain.ingest.otlp_traces import read_spans
from mock_newrelic.domain.ingest.otlp_wire import PROTOBUF, Signal, decode
from mock_newrelic.domain.surfaces import Surface

if TYPE_CHECKING:
    from mock_newrelic.domain.ingest.event_api import ProbeRule
    from mock_newrelic.ports import Store
    from mock_newrelic.service.ingest import IngestService, Receipt
    from svckit.clock import Clock

MAX_STREAMS = 50_000
"""Most cumulative streams that are followed; the one that was silent longest gives way."""
LISTENING = "otlp_listening"


class Taken(NamedTuple):
    """A receipt, and what of the body was left out."""

    receipt: Receipt
    drops: tuple[Drop, ...]


class OtlpService:
    """Reads requests of OTLP/HTTP."""

    def __init__(
        self, *, ingest: IngestService, store: Store, probes: ProbeRule, clock: Clock
    ) -> None:
        self._ingest = ingest
        self._store = store
        self._probes = probes
        self._one_at_a_time = asyncio.Lock()
        self._streams: OrderedDict[tuple[str, str], None] = OrderedDict()
        known = store.get(LISTENING, "since")
        if known is None:
            known = repr(clock.now()).encode()
            store.put(LISTENING, "since", known)
        self._listening = float(known)
        streams = [
            (msgspec.msgpack.decode(value, type=Position).time, key)
            for key, value in store.items(POSITION)
        ]
        self._streams.update((("", key), None) for _, key in sorted(streams))

    async def take(
        self,
        signal: Signal,
        media_type: str,
        body: bytes,
        *,
        encoding: str = "",
        request_id: str = "",
        session: str = "",
    ) -> Taken:
        """Count what a body holds.

        Args:
            signal: metrics, traces or logs.
            media_type: `application/x-protobuf` or `application/json`.
            body: as it came over the wire.
            encoding: its Content-Encoding.
            request_id: a body with the same one counts once within ten minutes.
            session: token of the session that it belongs to, empty for the default one.

        Raises:
            SuiteError: the body is refused; nothing of it counts.
        """
        drops: list[Drop] = []

        def read(content: bytes, now: float) -> Batch:
            request = decode(signal, media_type, content)
            payload = content if media_type == PROTOBUF else request.SerializeToString()
            batch = self._read(signal, request, payload, now, session)
            drops.extend(batch.drops)
            return batch

        async def taken() -> Receipt:
            return await self._ingest.take(
                Surface.OTLP,
                body,
                read,
                encoding=encoding,
                request_id=request_id,
                session=session,
                costly=signal is Signal.METRICS,
            )

        if signal is not Signal.METRICS:
            return Taken(await taken(), tuple(drops))
        async with self._one_at_a_time:
            return Taken(await taken(), tuple(drops))

    def _read(
        self, signal: Signal, request: Any, payload: bytes, now: float, session: str
    ) -> Batch:
        match signal:
            case Signal.TRACES:
                return read_spans(payload, now=now, probes=self._probes)
            case Signal.LOGS:
                return read_logs(request, now=now)
            case Signal.METRICS:
                batch = read_metrics(
                    request,
                    now=now,
                    probes=self._probes,
                    positions=lambda key: self._position(key, session),
                    listening=self._listening,
                )
                return self._follow(batch, session)

    def _position(self, key: str, session: str) -> Position | None:
        known = self._store.get(POSITION, key, session)
        return None if known is None else msgspec.msgpack.decode(known, type=Position)

    def _follow(self, batch: Batch, session: str) -> Batch:
        """Note the streams of a batch, and let the oldest ones go when there are too many."""
        for document in batch.documents:
            self._streams[session, document.key] = None
            self._streams.move_to_end((session, document.key))
        gone = []
        while len(self._streams) > MAX_STREAMS:
            (where, key), _ = self._streams.popitem(last=False)
            gone.append(Document(kind=POSITION, key=key, value=None, session=where))
        return replace(batch, documents=(*batch.documents, *gone)) if gone else batch
