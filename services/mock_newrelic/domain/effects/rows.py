"""What data effects do to raw rows has to come to the same counts as what they do to readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")


def is_error(row: Mapping[str, Any]) -> bool:
    """Whether a row counts as an error: its own flag, or HTTP 5xx without one."""
    flag = row.get("error")
    return flag is True or (flag is None and status_of(row) >= 500)


def status_of(row: Mapping[str, Any]) -> int:
    """Return the HTTP status of a row, 0 when it has none."""
    for name in ("httpResponseCode", "http.statusCode", "response.status"):
        text = str(row.get(name, ""))
        if text.isdigit():
            return int(text)
    return 0


def share(items: Sequence[T], ratio: float) -> list[T]:
    """Return round(ratio * n) of the items, evenly spread and always the same ones.

    >>> share("abcdefghij", 0.3)
    ['b', 'e', 'h']
    """
    return [item for at, item in enumerate(items) if round(ratio * (at + 1)) != round(ratio * at)]
