"""Go durations: the table is what Go's own time.ParseDuration answers."""

from __future__ import annotations

import contextlib
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svckit.durations import (
    DurationError,
    format_duration,
    parse_duration,
    parse_nanoseconds,
    short_duration,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("5.s", 5),
        ("300ms", 0.3),
        ("1µs", 1e-6),
        ("1us", 1e-6),
        ("2ns", 2e-9),
        ("-5m", -300),
        ("+5m", 300),
        ("0", 0),
        ("-0", 0),
        ("1h2m3s4ms", 3723.004),
    ],
)
def test_reads_what_go_reads(text: str, seconds: float) -> None:
    """Every form that Go accepts gives Go's value."""
    assert parse_duration(text) == pytest.approx(seconds, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", 'time: invalid duration ""'),
        ("10", 'time: missing unit in duration "10"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("1w", 'time: unknown unit "w" in duration "1w"'),
        (".s", 'time: invalid duration ".s"'),
        ("-", 'time: invalid duration "-"'),
        ("s", 'time: invalid duration "s"'),
        ("5 m", 'time: unknown unit " m" in duration "5 m"'),
        ("9223372036854775808ns", 'time: invalid duration "9223372036854775808ns"'),
        ('1"\\', r'time: unknown unit "\"\\" in duration "1\"\\"'),
        ("1\u00e9\n", r'time: unknown unit "\xc3\xa9\x0a" in duration "1\xc3\xa9\x0a"'),
        ("1\ud800", r'time: unknown unit "\xed\xa0\x80" in duration "1\xed\xa0\x80"'),
    ],
)
def test_refuses_what_go_refuses(text: str, message: str) -> None:
    """Days, weeks, bare numbers and rubbish are errors with Go's message."""
    with pytest.raises(DurationError) as error:
        parse_duration(text)
    assert str(error.value) == message


@pytest.mark.parametrize("digits", [20, 10_000])
def test_any_number_of_digits_is_read_or_refused(digits: int) -> None:
    """Too long a time is refused, a fraction is cut, leading zeros mean nothing."""
    with pytest.raises(DurationError, match="invalid duration"):
        parse_duration("9" * digits + "s")
    assert parse_duration("0." + "9" * digits + "s") == pytest.approx(1)
    assert parse_duration("0" * digits + "5s") == 5


@pytest.mark.parametrize(
    ("seconds", "text", "short"),
    [
        (5400, "1h30m0s", "1h30m"),
        (300, "5m0s", "5m"),
        (3600, "1h0m0s", "1h"),
        (3605, "1h0m5s", "1h0m5s"),
        (1.5, "1.5s", "1.5s"),
        (0.3, "300ms", "300ms"),
        (0, "0s", "0s"),
        (-60, "-1m0s", "-1m"),
        (0.0000015, "1.5µs", "1.5µs"),
    ],
)
def test_writes_as_go_writes(seconds: float, text: str, short: str) -> None:
    """Formatting follows Go's String; the short form drops zero parts."""
    assert format_duration(seconds) == text
    assert short_duration(seconds) == short


@given(st.integers(min_value=-(9 * 10**12), max_value=9 * 10**12))
def test_round_trip(milliseconds: int) -> None:
    """What is written is read back as the same duration."""
    seconds = milliseconds / 1000
    assert parse_nanoseconds(format_duration(seconds)) == round(seconds * 1e9)


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_a_duration_error(text: str) -> None:
    """No text makes the parser fail in another way."""
    with contextlib.suppress(DurationError):
        assert math.isfinite(parse_duration(text))
