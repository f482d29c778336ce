"""What data effects do to raw rows has to come to the same counts as what they do to readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")


_STATUS = (
    "httpResponseCode",
    "http.statusCode",
    "response.status",
    "http.response.status_code",
    "http.status_code",
)
"""The names that agents, OpenTelemetry and the suite's own senders have for an HTTP status."""
_OTEL_STATUS = "otel.status_code"
_SECONDS = {"duration": 1.0, "duration.ms": 1e3}


def is_error(row: Mapping[str, Any]) -> bool:
    """Whether a row counts as an error: its own flag, or HTTP 5xx without one."""
    flag = row.get("error")
    if flag is True or row.get(_OTEL_STATUS) == "ERROR":
        return True
    return flag is None and status_of(row) >= 500


def status_of(row: Mapping[str, Any]) -> int:
    """Return the HTTP status of a row, 0 when it has none."""
    for name in _STATUS:
        text = str(row.get(name, ""))
        if text.isdigit():
            return int(text)
    return 0


def as_error(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row that says by every name that it failed."""
    told = {_OTEL_STATUS: "ERROR"} if _OTEL_STATUS in row else {}
    return {**row, "error": True, **told}


def answered_with(row: Mapping[str, Any], status: int) -> dict[str, Any]:
    """Return a row with another HTTP status under every name that it has for it."""
    names = [name for name in _STATUS if name in row] or [_STATUS[0]]
    return {
        **row,
        **{name: status if isinstance(row.get(name), int) else str(status) for name in names},
    }


def lasting(row: Mapping[str, Any], change: Callable[[float], float]) -> Mapping[str, Any]:
    """Return a row with another duration, in seconds and in milliseconds where it has both."""
    changed = {
        name: change(row[name] / unit) * unit
        for name, unit in _SECONDS.items()
        if isinstance(row.get(name), int | float) and not isinstance(row[name], bool)
    }
    return {**row, **changed} if changed else row


def share(items: Sequence[T], ratio: float) -> list[T]:
    """Return round(ratio * n) of the items, evenly spread and always the same ones.

    >>> share("abcdefghij", 0.3)
    ['b', 'e', 'h']
    """
    return [item for at, item in enumerate(items) if round(ratio * (at + 1)) != round(ratio * at)]
