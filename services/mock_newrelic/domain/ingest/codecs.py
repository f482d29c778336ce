"""How the raw events of a body are kept, by the name of the codec in their chunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.ingest.event_api import EVENTS, read_events
from mock_newrelic.domain.ingest.otlp_traces import SPANS, span_records
from mock_newrelic.domain.ingest.shared_rows import SHARED, shared_records
from mock_newrelic.domain.records import ROWS, read_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mock_newrelic.domain.records import Codec

CODECS: Mapping[str, Codec] = {
    ROWS: read_rows,
    EVENTS: read_events,
    SPANS: span_records,
    SHARED: shared_records,
}
