"""Raw events whose attributes are partly those of a block that many of them share.

A resource of OTLP and a `common` block of New Relic stand once in a body however many items have
their attributes. They are kept like that, so that a small body cannot become a large one.
"""

from __future__ import annotations

from math import floor
from typing import TYPE_CHECKING, Any

import msgspec

from mock_newrelic.domain.model import Span
from mock_newrelic.domain.records import Chunk, Record, Row

if TYPE_CHECKING:
    from collections.abc import Iterator

SHARED = "shared_rows"
"""The codec of these events."""


class _Item(msgspec.Struct, array_like=True, gc=False):
    """One event: its application, the number of the block it shares, and what is its own."""

    app: str
    block: int
    own: dict[str, Any]
    timestamp: float
    weight: int = 1


class _Rows(msgspec.Struct, array_like=True):
    kind: str
    blocks: list[dict[str, Any]]
    items: list[_Item]


class SharedRows:
    """Collects the events of one body, all of one type."""

    def __init__(self, kind: str) -> None:
        self._rows = _Rows(kind, [], [])

    def share(self, attributes: dict[str, Any]) -> int:
        """Return the number of a block of attributes, for `add`."""
        self._rows.blocks.append(_storable(attributes))
        return len(self._rows.blocks) - 1

    def add(
        self, app: str, block: int, own: dict[str, Any], timestamp: float, weight: int = 1
    ) -> None:
        """Add an event that stands for `weight`; its own attributes come before the block's."""
        self._rows.items.append(_Item(app, block, _storable(own), timestamp, weight))

    def __len__(self) -> int:
        return len(self._rows.items)

    def chunk(self, received: float) -> tuple[Chunk, ...]:
        """Return the events as a chunk; none without events."""
        items = self._rows.items
        if not items:
            return ()
        first = min(one.timestamp for one in items)
        last = max(one.timestamp for one in items)
        return (
            Chunk(
                codec=SHARED,
                payload=msgspec.msgpack.encode(self._rows),
                kinds=frozenset({self._rows.kind}),
                apps=frozenset(one.app for one in items),
                span=Span(floor(first), floor(last) + 1),
                count=len(items),
                received=received,
            ),
        )


def _storable(value: Any) -> Any:
    """Return a value as msgpack can hold it: whole numbers beyond 64 bits become texts."""
    match value:
        case dict():
            return {name: _storable(one) for name, one in value.items()}
        case list():
            return [_storable(one) for one in value]
        case int() if not -(2**63) <= value < 2**64:
            return str(value)
        case _:
            return value


def shared_records(chunk: Chunk) -> Iterator[Record]:
    """Yield the events of a chunk that `SharedRows` made."""
    rows = msgspec.msgpack.decode(chunk.payload, type=_Rows)
    for item in rows.items:
        attributes = {**rows.blocks[item.block], **item.own}
        yield Record(rows.kind, item.app, Row(attributes, item.timestamp, item.weight))
