"""The form that New Relic's Metric, Trace and Log APIs share: blocks of items with `common` data.

    [{"common": {"attributes": {…}, …}, "metrics": [{…, "attributes": {…}}, …]}, …]

New Relic accepts what arrives and validates it afterwards; so does this: a body that is no JSON and
an item that cannot be kept are drops and no refusal. `NrIntegrationError` events tell of them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mock_newrelic.domain.ingest.telemetry import Dropped, ItemError, check_attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ITEMS = 100_000
"""Most items of a body; what follows them is dropped."""
BAD_REQUEST = "bad_request"
_NO_NUMBERS = (b"NaN", b"Infinity")


class Block(NamedTuple):
    """Items and what they have in common; `attributes` are the common ones."""

    common: dict[str, Any]
    attributes: dict[str, Any]
    items: list[Any]


def parse_json(body: bytes) -> Any:
    """Return a body as JSON; NaN and Infinity, which some clients send, are read as such.

    Raises:
        ItemError: it is none.
    """
    try:
        if any(word in body for word in _NO_NUMBERS):
            document = json.loads(body)
            # This reader lets halves of characters pass, which can be kept nowhere.
            json.dumps(document, ensure_ascii=False).encode()
            return document
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise ItemError(BAD_REQUEST, "the body is not JSON, or nested too deeply") from None


def blocks_of(body: bytes, name: str, dropped: Dropped) -> Iterator[Block]:
    """Yield the blocks of a body.

    Args:
        body: JSON, as it was sent.
        name: under which a block has its items.
        dropped: takes down what cannot be used.
    """
    try:
        document = parse_json(body)
    except ItemError as error:
        dropped.add(error)
        return
    left = MAX_ITEMS
    for entry in document if isinstance(document, list) else [document]:
        if not isinstance(entry, dict) or not isinstance(entry.get(name), list):
            dropped.add(ItemError(BAD_REQUEST, f"the body is no list of blocks with '{name}'"))
            continue
        common = entry.get("common")
        common = common if isinstance(common, dict) else {}
        items = entry[name]
        if len(items) > left:
            dropped.add(
                ItemError("too_many_items", f"a body may have {MAX_ITEMS} items"),
                count=len(items) - left,
            )
        attributes = common.get("attributes")
        attributes = attributes if isinstance(attributes, dict) else {}
        try:
            check_attributes(attributes)
        except ItemError as error:
            dropped.add(error, count=len(items))
            continue
        yield Block(common, attributes, items[:left])
        left -= min(left, len(items))


def attributes_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item's own attributes.

    Raises:
        ItemError: they are no mapping, or too many or too long.
    """
    attributes = item.get("attributes")
    if attributes is None:
        return {}
    if not isinstance(attributes, dict):
        raise ItemError("bad_attribute", "'attributes' is no object")
    check_attributes(attributes)
    return attributes


def is_item(item: Any) -> dict[str, Any]:
    """Return an item as the object that it must be.

    Raises:
        ItemError: it is none.
    """
    if not isinstance(item, dict):
        raise ItemError(BAD_REQUEST, "an item is no object")
    return item
