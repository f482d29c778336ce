"""What a replay says about one record: values that must agree, each with its precision."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Record: TypeAlias = Mapping[str, Any]


class UnsupportedRecord(Exception):  # noqa: N818 - a finding, not a failure
    """The record asks for something that this version has no function for."""


@dataclass(frozen=True, slots=True)
class Check:
    """One value beside the expected one.

    Numbers agree when they differ by at most `tolerance`, or by `tolerance` times the expected
    value when that is above 1. Sequences and mappings agree when all their members do. Anything
    else must be equal. None and "NaN" stand for NaN in JSON.
    """

    what: str
    actual: Any
    expected: Any
    tolerance: float = 0.0

    def agrees(self) -> bool:
        """Return whether the value is the expected one."""
        return _agree(self.actual, self.expected, self.tolerance)


Replay: TypeAlias = Callable[[Record], Iterator[Check]]


def checks(
    expected: Mapping[str, Any], values: Mapping[str, Callable[[], Any]], tolerance: float
) -> Iterator[Check]:
    """Yield a check for every expected key.

    Raises:
        UnsupportedRecord: a key is expected for which there is no function.
    """
    unknown = expected.keys() - values.keys()
    if unknown:
        raise UnsupportedRecord(f"no function for {', '.join(sorted(unknown))}")
    for key, value in expected.items():
        yield Check(key, values[key](), value, tolerance)


def _agree(actual: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, Mapping):
        return actual.keys() >= expected.keys() and all(
            _agree(actual[key], value, tolerance) for key, value in expected.items()
        )
    if isinstance(expected, list | tuple):
        return len(actual) == len(expected) and all(
            _agree(one, other, tolerance) for one, other in zip(actual, expected, strict=True)
        )
    if isinstance(actual, float) and (expected is None or expected == "NaN"):
        return math.isnan(actual)
    if isinstance(expected, bool) or not isinstance(expected, int | float):
        return bool(actual == expected)
    if isinstance(actual, bool) or actual is None:
        return False
    return abs(float(actual) - expected) <= tolerance * max(1.0, abs(expected))
