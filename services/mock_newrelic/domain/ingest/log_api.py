"""New Relic's Log API: blocks of logs, logs alone, or plain text, a record for every line.

Source: New Relic documentation, "Introduction to the Log API".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mock_newrelic.domain.ingest.batch import Batch
from mock_newrelic.domain.ingest.blocks import (
    MAX_ITEMS,
    Block,
    attributes_of,
    blocks_of,
    is_item,
    parse_json,
)
from mock_newrelic.domain.ingest.shared_rows import SharedRows
from mock_newrelic.domain.ingest.telemetry import (
    Dropped,
    ItemError,
    application_of,
    check_age,
    event_attributes,
    labels_of,
    unix_seconds,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

KIND = "Log"
_NOT_ATTRIBUTES = frozenset({"attributes", "timestamp"})


def read_logs(body: bytes, now: float, *, text: bool = False) -> Batch:
    """Read one body; no log is a sample.

    Args:
        body: JSON or text, as it was sent.
        now: Unix seconds, the time of logs that tell none.
        text: whether it is plain text.
    """
    rows, dropped = SharedRows(KIND), Dropped()
    apps: set[str] = set()
    for block in _lines(body) if text else _blocks(body, dropped):
        number = rows.share(block.attributes)
        for item in block.items:
            try:
                log = is_item(item)
                own = {
                    **{name: log[name] for name in log if name not in _NOT_ATTRIBUTES},
                    **attributes_of(log),
                }
                attributes = {**block.attributes, **own}
                told = log.get("timestamp", block.common.get("timestamp"))
                instant = unix_seconds(told, now)
                check_age(instant, now)
                app = application_of(attributes)
            except ItemError as error:
                dropped.add(error)
                continue
            if app:
                apps.add(app)
            named = event_attributes(app, labels_of(attributes), own)
            row = {**named, "timestamp": round(instant * 1000)}
            rows.add(app, number, row, instant)
    return Batch(
        bins={},
        apps=frozenset(apps),
        others=len(rows),
        records=rows.chunk(now),
        drops=dropped.drops(),
    )


def _blocks(body: bytes, dropped: Dropped) -> Iterable[Block]:
    """Return the blocks of a body; logs without a block make one."""
    try:
        document = parse_json(body)
    except ItemError as error:
        dropped.add(error)
        return []
    entries: list[Any] = document if isinstance(document, list) else [document]
    if any(isinstance(one, dict) and "logs" in one for one in entries):
        return blocks_of(body, "logs", dropped)
    if len(entries) > MAX_ITEMS:
        dropped.add(
            ItemError("too_many_items", f"a body may have {MAX_ITEMS} items"),
            count=len(entries) - MAX_ITEMS,
        )
    return [Block({}, {}, entries[:MAX_ITEMS])]


def _lines(body: bytes) -> list[Block]:
    lines = body.decode(errors="replace").splitlines()
    return [Block({}, {}, [{"message": line} for line in lines[:MAX_ITEMS] if line.strip()])]
