"""Value effects that change with time or count: flap, ramp, step, sawtooth, spike and replay.

They are pure functions of the time since the injection began and of the number of the question.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, floor
from typing import TYPE_CHECKING, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad, number
from mock_newrelic.domain.effects.base import ValueEffect
from mock_newrelic.domain.effects.values import metric_of

if TYPE_CHECKING:
    from mock_newrelic.domain.effects.base import Moment

CURVES = ("linear", "exponential", "smooth")
MAX_REPLAY = 10_000
_STEEPNESS = 4.0
_SHORTEST = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Flap(ValueEffect):
    """`{"flap": {"a": 0.5, "b": 8, "period": "1m"}}`: a, then b, then a again.

    `duty` (0.5) is the share of each period that is b.
    """

    name: ClassVar[str] = "flap"
    a: float
    b: float
    period: float
    duty: float

    def value(self, measured: float | None, moment: Moment) -> float:  # noqa: ARG002
        """Return a or b."""
        phase = moment.since % self.period / self.period
        return self.a if phase < 1 - self.duty else self.b


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramp(ValueEffect):
    """`{"ramp": {"from": 0.5, "to": 8, "over": "5m"}}`: from one value to another, then stays.

    Without `from` it starts at what is measured. `curve` is linear, exponential (slow, then
    steep) or smooth (slow at both ends).
    """

    name: ClassVar[str] = "ramp"
    start: float | None
    to: float
    over: float
    curve: str

    def value(self, measured: float | None, moment: Moment) -> float | None:
        """Return the value on the way."""
        start = measured if self.start is None else self.start
        if start is None:
            return None
        done = min(1.0, max(0.0, moment.since / self.over))
        if self.curve == "exponential":
            done = expm1(_STEEPNESS * done) / expm1(_STEEPNESS)
        elif self.curve == "smooth":
            done = done * done * (3 - 2 * done)
        return start + (self.to - start) * done


@dataclass(frozen=True, slots=True, kw_only=True)
class Step(ValueEffect):
    """`{"step": {"to": 8, "at": "2m"}}`: another value from some point on.

    The point is a time since the injection began (`at`), the number of a question (`query`), or
    the canary's share of the traffic in percent (`weight`). Before it the value is `from`, or what
    is measured.
    """

    name: ClassVar[str] = "step"
    start: float | None
    to: float
    at: float | None = None
    query: int | None = None
    weight: float | None = None

    def value(self, measured: float | None, moment: Moment) -> float | None:  # noqa: ARG002
        """Return the value before or after the step."""
        return self.to if self._reached(moment) else self.start

    def _reached(self, moment: Moment) -> bool:
        if self.at is not None:
            return moment.since >= self.at
        if self.query is not None:
            return moment.query >= self.query
        weight = moment.weight()
        return self.weight is not None and weight is not None and weight >= self.weight


@dataclass(frozen=True, slots=True, kw_only=True)
class Sawtooth(ValueEffect):
    """`{"sawtooth": {"from": 0, "to": 8, "period": "1m"}}`: up evenly, down at once, again."""

    name: ClassVar[str] = "sawtooth"
    start: float
    to: float
    period: float

    def value(self, measured: float | None, moment: Moment) -> float:  # noqa: ARG002
        """Return the value on the slope."""
        return self.start + (self.to - self.start) * (moment.since % self.period / self.period)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spike(ValueEffect):
    """`{"spike": {"to": 50, "every": "1m", "for": "5s"}}`: short peaks, the first one at once."""

    name: ClassVar[str] = "spike"
    to: float
    every: float
    lasts: float

    def value(self, measured: float | None, moment: Moment) -> float | None:  # noqa: ARG002
        """Return the peak, or None between two of them."""
        return self.to if moment.since % self.every < self.lasts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay(ValueEffect):
    """`{"replay": {"values": [0.5, 0.7, 5.1], "every": "10s"}}`: a recorded course.

    A null leaves the measured value. At the end the last value stays, or with `loop` the course
    begins again.
    """

    name: ClassVar[str] = "replay"
    values: tuple[float | None, ...]
    every: float
    loop: bool

    def value(self, measured: float | None, moment: Moment) -> float | None:  # noqa: ARG002
        """Return the value of this time."""
        index = floor(moment.since / self.every)
        last = len(self.values) - 1
        return self.values[index % (last + 1) if self.loop else min(index, last)]


def parse_flap(argument: object, metric: str | None) -> Flap:
    """Read both values, the period and the share of b."""
    known = metric_of(metric)
    members = Members(argument, name="flap", known=("a", "b", "period", "duty"))
    return Flap(
        given=argument,
        metric=known.name,
        a=members.number("a", highest=known.highest),
        b=members.number("b", highest=known.highest),
        period=members.seconds("period", lowest=_SHORTEST),
        duty=members.number("duty", 0.5, highest=1),
    )


def parse_ramp(argument: object, metric: str | None) -> Ramp:
    """Read where it goes, from where, how long it takes and along which curve."""
    known = metric_of(metric)
    members = Members(argument, name="ramp", known=("from", "to", "over", "curve"))
    return Ramp(
        given=argument,
        metric=known.name,
        start=members.number("from", highest=known.highest) if "from" in members else None,
        to=members.number("to", highest=known.highest),
        over=members.seconds("over", lowest=_SHORTEST),
        curve=members.choice("curve", "linear", known=CURVES),
    )


def parse_step(argument: object, metric: str | None) -> Step:
    """Read the value and exactly one of `at`, `query` and `weight`."""
    known = metric_of(metric)
    members = Members(argument, name="step", known=("from", "to", "at", "query", "weight"))
    points = [name for name in ("at", "query", "weight") if name in members]
    if len(points) != 1:
        raise bad("effect.step needs exactly one of at, query and weight")
    return Step(
        given=argument,
        metric=known.name,
        start=members.number("from", highest=known.highest) if "from" in members else None,
        to=members.number("to", highest=known.highest),
        at=members.seconds("at") if "at" in members else None,
        query=members.whole("query", lowest=1, highest=10**9) if "query" in members else None,
        weight=members.number("weight", highest=100) if "weight" in members else None,
    )


def parse_sawtooth(argument: object, metric: str | None) -> Sawtooth:
    """Read both ends of the slope and the period."""
    known = metric_of(metric)
    members = Members(argument, name="sawtooth", known=("from", "to", "period"))
    return Sawtooth(
        given=argument,
        metric=known.name,
        start=members.number("from", 0.0, highest=known.highest),
        to=members.number("to", highest=known.highest),
        period=members.seconds("period", lowest=_SHORTEST),
    )


def parse_spike(argument: object, metric: str | None) -> Spike:
    """Read the peak, how often it comes and how long it lasts."""
    known = metric_of(metric)
    members = Members(argument, name="spike", known=("to", "every", "for"))
    every = members.seconds("every", lowest=_SHORTEST)
    return Spike(
        given=argument,
        metric=known.name,
        to=members.number("to", highest=known.highest),
        every=every,
        lasts=members.seconds("for", lowest=_SHORTEST, highest=every),
    )


def parse_replay(argument: object, metric: str | None) -> Replay:
    """Read the values, how long each of them holds, and whether they come again."""
    known = metric_of(metric)
    members = Members(argument, name="replay", known=("values", "every", "loop"))
    given = members.require("values")
    if not isinstance(given, list) or not 0 < len(given) <= MAX_REPLAY:
        raise bad(f"effect.replay.values is not a list of 1 to {MAX_REPLAY} numbers")
    loop = members.given.get("loop", False)
    if not isinstance(loop, bool):
        raise bad("effect.replay.loop is not true or false")
    values = tuple(
        None if one is None else number(one, name=f"replay.values[{at}]", highest=known.highest)
        for at, one in enumerate(given)
    )
    every = members.seconds("every", 10.0, lowest=_SHORTEST)
    return Replay(given=argument, metric=known.name, values=values, every=every, loop=loop)
