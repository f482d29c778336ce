"""When an injection is in force within its lifetime: by period, by cron line, or after an event."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from typing import Any

from svckit.errors import InvalidInput

MAX_CRON_SECONDS = 3600.0
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 31), ("month", 1, 12), ("weekday", 0, 6))
_PART = re.compile(r"(\*|[0-9]{1,2}(?:-[0-9]{1,2})?)(?:/([0-9]{1,2}))?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Every:
    """In force for `lasts` seconds of every `every` seconds, from the beginning on."""

    every: float
    lasts: float

    def on(self, now: float, started_at: float) -> bool:
        """Whether this instant lies in one of the parts."""
        return (now - started_at) % self.every < self.lasts


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """In force for `lasts` seconds from every minute that the cron line names (UTC)."""

    fields: tuple[frozenset[int], ...]
    lasts: float

    def on(self, now: float, started_at: float) -> bool:  # noqa: ARG002
        """Whether a named minute began within the last `lasts` seconds."""
        minute = floor(now / 60)
        while minute * 60 > now - self.lasts:
            if self._names(minute):
                return True
            minute -= 1
        return False

    def _names(self, minute: int) -> bool:
        at = datetime.fromtimestamp(minute * 60, UTC)
        # Cron counts Sunday as 0.
        parts = (at.minute, at.hour, at.day, at.month, at.isoweekday() % 7)
        return all(part in allowed for part, allowed in zip(parts, self.fields, strict=True))


def parse_cron(text: str, lasts: float) -> Cron:
    """Read five fields: `*`, numbers, ranges, steps and lists, such as `*/10 8-18 * * 1-5`.

    Raises:
        InvalidInput: another number of fields, or a field out of its range.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise _bad("schedule.cron has not five fields")
    read = tuple(_field(field, *limits) for field, limits in zip(fields, _FIELDS, strict=True))
    if not 0 < lasts <= MAX_CRON_SECONDS:
        raise _bad("schedule.for is not above 0s and at most 1h")
    return Cron(fields=read, lasts=lasts)


def _field(text: str, name: str, lowest: int, highest: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise _bad(f"schedule.cron has a bad {name}")
        step = int(match[2] or 1)
        first, _, last = (f"{lowest}-{highest}" if match[1] == "*" else match[1]).partition("-")
        stop = int(last or (highest if match[2] else first))
        if not (lowest <= int(first) <= stop <= highest and step):
            raise _bad(f"schedule.cron has a {name} out of range")
        found |= set(range(int(first), stop + 1, step))
    return frozenset(found)


def _bad(detail: str) -> InvalidInput:
    return InvalidInput(
        detail, code="bad_schedule", hint='{"every": "1m", "for": "10s"} or {"cron": …, "for": …}'
    )


OPERATORS = ("gt", "ge", "lt", "le", "eq")


def holds(op: str, value: float, bound: float) -> bool:
    """Whether a comparison by its short name holds."""
    match op:
        case "gt":
            return value > bound
        case "ge":
            return value >= bound
        case "lt":
            return value < bound
        case "le":
            return value <= bound
        case _:
            return value == bound


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What has to happen first; after that the injection stays in force.

    Attributes:
        hit: number of the question in its scope from which it strikes.
        metric: measured metric that has to fulfil `op value`.
        weight: the canary's share of the traffic in percent that has to be reached.
        deployment: revision that has to be marked as deployed; empty for any.
    """

    hit: int | None = None
    metric: str | None = None
    op: str = "gt"
    value: float = 0.0
    weight: float | None = None
    deployment: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the trigger as it is written on the wire."""
        if self.hit is not None:
            return {"hit": self.hit}
        if self.weight is not None:
            return {"weight": self.weight}
        if self.metric is not None:
            return {"metric": self.metric, "op": self.op, "value": self.value}
        return {"deployment": self.deployment or True}
