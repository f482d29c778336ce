"""New Relic's Trace API: spans in New Relic's own format and in Zipkin's.

A sample is a span with which a service takes work from outside: of kind server or consumer, or,
where no kind is told, one without a parent. It is an error when its HTTP status is 500 or more or
when it says so: `error`, `error.type`, `error.message`, `error.class` or `otel.status_code`.

Source: New Relic documentation, "Report traces via the Trace API"; Zipkin API v2.
"""

from __future__ import annotations

from enum import StrEnum
from math import isfinite
from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.ingest.batch import Batch, Bin, Bins
from mock_newrelic.domain.ingest.blocks import (
    BAD_REQUEST,
    MAX_ITEMS,
    Block,
    attributes_of,
    blocks_of,
    is_item,
    parse_json,
)
from mock_newrelic.domain.ingest.shared_rows import SharedRows
from mock_newrelic.domain.ingest.telemetry import (
    MAX_DURATION_SECONDS,
    Dropped,
    ItemError,
    application_of,
    check_age,
    check_attributes,
    event_attributes,
    first_text,
    is_flag,
    is_probe,
    labels_of,
    outcome_of,
    transaction_of,
    unix_seconds,
)
from mock_newrelic.domain.model import SeriesKey, Source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mock_newrelic.domain.ingest.event_api import ProbeRule

KIND = "Span"
_ENTRY = frozenset({"server", "consumer"})
_ERRORS = ("error.message", "error.class")


class Format(StrEnum):
    """The header `Data-Format`."""

    NEWRELIC = "newrelic"
    ZIPKIN = "zipkin"


VERSIONS = {Format.NEWRELIC: "1", Format.ZIPKIN: "2"}
"""The header `Data-Format-Version` that belongs to a format."""


def read_spans(body: bytes, now: float, *, form: Format, probes: ProbeRule) -> Batch:
    """Read one body.

    Args:
        body: JSON, as it was sent.
        now: Unix seconds.
        form: the format of the spans.
        probes: which requests are health checks.
    """
    reading = _Reading(now, probes)
    blocks = _zipkin(body, reading.dropped) if form is Format.ZIPKIN else None
    for block in blocks or blocks_of(body, "spans", reading.dropped):
        reading.add(block)
    return reading.batch()


class _Reading:
    """Counts the spans of one body."""

    def __init__(self, now: float, probes: ProbeRule) -> None:
        self.dropped = Dropped()
        self._now = now
        self._probes = probes
        self._rows = SharedRows(KIND)
        self._bins: Bins = {}
        self._apps: set[str] = set()
        self._samples = self._health_checks = 0

    def add(self, block: Block) -> None:
        """Take in the spans of a block."""
        number = self._rows.share(block.attributes)
        for item in block.items:
            try:
                self._span(is_item(item), block, number)
            except ItemError as error:
                self.dropped.add(error)

    def _span(self, item: dict[str, Any], block: Block, number: int) -> None:
        own = attributes_of(item)
        attributes = {**block.attributes, **own}
        told = {name: item.get(name, block.common.get(name)) for name in ("id", "trace.id")}
        for name, value in told.items():
            if not isinstance(value, str) or not value:
                raise ItemError("bad_id", f"a span has no '{name}'")
        instant = unix_seconds(item.get("timestamp", block.common.get("timestamp")), self._now)
        check_age(instant, self._now)
        duration = _duration(attributes.get("duration.ms"))
        app = application_of(attributes)
        if app:
            self._apps.add(app)
        labels = labels_of(attributes)
        row = {
            **event_attributes(app, labels, own),
            **told,
            "guid": told["id"],
            "timestamp": round(instant * 1000),
            **({} if duration is None else {"duration": duration}),
        }
        self._rows.add(app, number, row, instant)
        if app and _is_entry(attributes):
            self._count(app, labels, attributes, instant, duration)

    def _count(
        self,
        app: str,
        labels: dict[str, str],
        attributes: dict[str, Any],
        instant: float,
        duration: float | None,
    ) -> None:
        if is_probe(self._probes, attributes):
            self._health_checks += 1
            return
        if transaction := transaction_of(attributes):
            labels["transaction"] = transaction
        key = SeriesKey(app, frozenset(labels.items()), Source.SPANS)
        seconds = self._bins.setdefault(key, {})
        seconds.setdefault(int(instant), Bin()).add(_outcome(attributes), duration)
        self._samples += 1

    def batch(self) -> Batch:
        """Return what was counted."""
        return Batch(
            bins=self._bins,
            apps=frozenset(self._apps),
            samples=self._samples,
            probes=self._health_checks,
            others=len(self._rows) - self._samples - self._health_checks,
            records=self._rows.chunk(self._now),
            drops=self.dropped.drops(),
        )


def _is_entry(attributes: dict[str, Any]) -> bool:
    kind = attributes.get("span.kind")
    if isinstance(kind, str):
        return kind.lower() in _ENTRY
    return not attributes.get("parent.id")


def _outcome(attributes: dict[str, Any]) -> tuple[int, int, int]:
    flagged = (
        is_flag(attributes.get("error"))
        or attributes.get("otel.status_code") == "ERROR"
        or any(first_text(attributes, (name,)) for name in _ERRORS)
    )
    return outcome_of(attributes, flagged=flagged)


def _duration(milliseconds: Any) -> float | None:
    if milliseconds is None:
        return None
    if isinstance(milliseconds, bool) or not isinstance(milliseconds, int | float):
        raise ItemError("bad_duration", "'duration.ms' is no number")
    if not isfinite(milliseconds) or not 0 <= milliseconds <= MAX_DURATION_SECONDS * 1000:
        raise ItemError("bad_duration", "'duration.ms' is negative or longer than a day")
    return milliseconds / 1000


def _zipkin(body: bytes, dropped: Dropped) -> Iterator[Block]:
    """Yield one block with the spans of a body of Zipkin's as New Relic would have them."""
    try:
        document = parse_json(body)
    except ItemError as error:
        dropped.add(error)
        return
    if not isinstance(document, list):
        dropped.add(ItemError(BAD_REQUEST, "the body is no list of spans"))
        return
    if len(document) > MAX_ITEMS:
        dropped.add(
            ItemError("too_many_items", f"a body may have {MAX_ITEMS} items"),
            count=len(document) - MAX_ITEMS,
        )
    spans = []
    for span in document[:MAX_ITEMS]:
        try:
            spans.append(_of_zipkin(is_item(span)))
        except ItemError as error:
            dropped.add(error)
    yield Block({}, {"instrumentation.provider": "zipkin"}, spans)


def _of_zipkin(span: dict[str, Any]) -> dict[str, Any]:
    tags = span.get("tags") or {}
    endpoint = span.get("localEndpoint") or {}
    if not isinstance(tags, dict) or not isinstance(endpoint, dict):
        raise ItemError("bad_attribute", "'tags' or 'localEndpoint' is no object")
    check_attributes(tags)
    attributes = dict(tags)
    if "error" in tags and tags["error"] != "false":
        # Zipkin marks an error by the tag, whose value says what it was.
        attributes |= {"error": True, "error.message": tags["error"] or "error"}
    for name, value in (
        ("service.name", endpoint.get("serviceName")),
        ("span.kind", span.get("kind")),
        ("parent.id", span.get("parentId")),
        ("name", span.get("name")),
    ):
        if isinstance(value, str) and value:
            attributes[name] = value.lower() if name == "span.kind" else value
    if "span.kind" not in attributes:
        attributes["span.kind"] = "internal"
    duration = span.get("duration")
    if duration is not None:
        if isinstance(duration, bool) or not isinstance(duration, int | float):
            raise ItemError("bad_duration", "'duration' is no number")
        attributes["duration.ms"] = duration / 1000
    return {
        "id": span.get("id"),
        "trace.id": span.get("traceId"),
        "timestamp": span.get("timestamp"),
        "attributes": attributes,
    }
