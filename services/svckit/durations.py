"""Go durations, exactly as `time.ParseDuration` reads and `Duration.String` writes them.

Units are h, m, s, ms, us, µs and ns; days and weeks do not exist, as in Go:

>>> parse_duration("1h30m")
5400.0
>>> format_duration(5400)
'1h30m0s'

Source of the rules: the documentation of Go's package `time`.
"""

from __future__ import annotations

import re

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
# Digits of a fraction beyond the nineteenth are far less than a nanosecond.
_TERM = re.compile(r"([0-9]*)(?:\.([0-9]{0,19})[0-9]*)?([^0-9.]*)")
_MAX_NANOSECONDS = 2**63 - 1
_MAX_DIGITS = 19


class DurationError(ValueError):
    """The text is not a Go duration; the message is Go's own (`time: invalid duration "1d"`)."""


def parse_nanoseconds(text: str) -> int:
    """Return the duration in whole nanoseconds, or raise DurationError with Go's message."""
    quoted = _quote(text)
    invalid = DurationError(f"time: invalid duration {quoted}")
    rest = text
    sign = 1
    if rest[:1] in {"-", "+"}:
        sign = -1 if rest[0] == "-" else 1
        rest = rest[1:]
    if rest == "0":
        return 0
    if not rest:
        raise invalid
    total = 0
    while rest:
        match = _TERM.match(rest)
        if match is None or not (match[1] or match[2]) or len(match[1].lstrip("0")) > _MAX_DIGITS:
            raise invalid
        whole, fraction, unit = match[1].lstrip("0"), match[2], match[3]
        if not unit:
            raise DurationError(f"time: missing unit in duration {quoted}")
        if unit not in _NANOSECONDS:
            raise DurationError(f"time: unknown unit {_quote(unit)} in duration {quoted}")
        scale = _NANOSECONDS[unit]
        total += int(whole or "0") * scale
        if fraction:
            total += int(fraction) * scale // 10 ** len(fraction)
        if total > _MAX_NANOSECONDS:
            raise invalid
        rest = rest[match.end() :]
    return sign * total


def _quote(text: str) -> str:
    """Quote as Go's package time does: what is not printable ASCII as the hex of its bytes."""
    parts = []
    for char in text:
        if " " <= char < "\x80":
            parts.append(f"\\{char}" if char in '"\\' else char)
        else:
            parts += [f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogatepass")]
    return f'"{"".join(parts)}"'


def parse_duration(text: str) -> float:
    """Return the duration in seconds, or raise DurationError with Go's message."""
    return parse_nanoseconds(text) / 1e9


def format_duration(seconds: float) -> str:
    """Write seconds the way Go prints a duration: `1h30m0s`, `5m0s`, `1.5s`, `300ms`, `0s`."""
    nanoseconds = round(seconds * 1e9)
    if nanoseconds == 0:
        return "0s"
    sign = "-" if nanoseconds < 0 else ""
    nanoseconds = abs(nanoseconds)
    if nanoseconds < 1_000_000_000:
        for unit in ("ms", "µs", "ns"):
            if nanoseconds >= _NANOSECONDS[unit]:
                return f"{sign}{_decimal(nanoseconds, _NANOSECONDS[unit])}{unit}"
    minutes, rest = divmod(nanoseconds, 60_000_000_000)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, 1_000_000_000)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    if minutes:
        return f"{sign}{minutes}m{text}"
    return sign + text


def _decimal(value: int, scale: int) -> str:
    whole, fraction = divmod(value, scale)
    digits = str(fraction).zfill(len(str(scale)) - 1).rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def short_duration(seconds: float) -> str:
    """Write seconds as a person would: `2m`, `1h30m`, `45s`; zero parts are left out."""
    text = format_duration(seconds)
    for empty in ("m0s", "h0m"):
        if text.endswith(empty):
            text = text[: -len(empty) + 1]
    return text
