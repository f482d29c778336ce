"""Sliding windows in event time.

A sample counts while its age is below the window, never less; because samples are kept by whole
second it stops counting within one second after its age has reached it.
"""

from __future__ import annotations

import re
from math import floor

from mock_newrelic.domain.model import RETENTION_SECONDS, Span
from svckit.errors import InvalidInput

_GRAMMAR = re.compile(r"([1-9][0-9]{0,8})(s|m|h)", re.ASCII)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600}


def parse_window(text: str, *, name: str = "window", code: str = "bad_window") -> int:
    """Return the seconds of `30s`, `5m` or `1h`.

    Raises:
        InvalidInput: another form, zero, or longer than samples are kept.
    """
    match = _GRAMMAR.fullmatch(text)
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]] if match else 0
    if not 0 < seconds <= RETENTION_SECONDS:
        raise InvalidInput(
            f"parameter '{name}' is not a window",
            code=code,
            status=400,
            hint="a whole number followed by s, m or h, from 1s to 24h: 30s, 5m, 1h",
        )
    return seconds


def is_kept(second: int, now: float) -> bool:
    """Whether a window that can be asked for may reach back to a second."""
    return second >= now - RETENTION_SECONDS - 1


def sliding_span(width: int, now: float) -> Span:
    """Return the seconds that the last `width` seconds touch, the present one included."""
    second = floor(now)
    return Span(second - width, second + 1)
