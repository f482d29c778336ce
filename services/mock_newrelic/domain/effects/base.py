"""The layers at which an effect can change an answer.

    ValueEffect      says what the number is
    DataEffect       changes what the samples look like; they themselves stay as they came
    HttpEffect       answers with another status
    PayloadEffect    spoils the body
    TransportEffect  delays or breaks the way the answer takes

At each layer one injection wins, and the layers add up. An effect is a frozen value. It is made by
a function `parse(argument, metric)` that refuses bad arguments, and is found by its wire name in
`registry.EFFECTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from mock_newrelic.domain.metrics import (
    ERROR_METRICS,
    METRICS,
    error_percent,
    from_error_percent,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mock_newrelic.domain.model import Reading, Span, Terms

Lookup: TypeAlias = Callable[[str, "Terms", str], float | None]
"""(application, selector, metric) -> what was measured, for effects that look elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One way to make an answer wrong; `given` is its argument as it came over the wire."""

    name: ClassVar[str]
    given: Any = field(compare=False)

    @property
    def unit(self) -> str:
        """The unit of the argument; empty when it has none."""
        return ""

    def argument(self) -> Any:
        """Return the argument as it was given on the wire."""
        return self.given


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """All that the number of a value effect may depend on.

    Attributes:
        since: seconds since the injection began.
        query: number of this question among those in the injection's scope, from 1.
        rng: the random stream of this question alone.
        weight: percent of the application's traffic that is the canary's; None when unknown.
        lookup: what was measured elsewhere.
        app: application that is asked about.
    """

    since: float
    query: int
    rng: Random
    app: str
    weight: Callable[[], float | None]
    lookup: Lookup


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueEffect(Effect):
    """Says what one metric is; the error rate is said in all of its units at once."""

    metric: str

    @property
    def unit(self) -> str:
        """The unit of the metric."""
        return METRICS[self.metric].unit

    def concerns(self, metric: str) -> bool:
        """Whether the effect speaks of this metric."""
        return metric == self.metric or (metric in ERROR_METRICS and self.metric in ERROR_METRICS)

    def value(self, measured: float | None, moment: Moment) -> float | None:
        """Return the number in the unit of `self.metric`, None to leave it alone.

        `measured` is None when there is no data.
        """
        raise NotImplementedError

    def value_of(self, metric: str, measured: float | None, moment: Moment) -> float | None:
        """Return the number for a metric that the effect concerns, in that metric's unit.

        It is held within what the metric can be, so that no rate is negative or above 100 %.
        """
        own = METRICS[self.metric]
        same = metric == self.metric
        if measured is not None and not same:
            measured = from_error_percent(self.metric, error_percent(metric, measured))
        value = self.value(measured, moment)
        if value is None:
            return None
        value = max(0.0, value if own.highest is None else min(value, own.highest))
        return value if same else from_error_percent(metric, error_percent(self.metric, value))


@dataclass(frozen=True, slots=True, kw_only=True)
class DataEffect(Effect):
    """Changes what the samples of a scope look like, the same on every surface."""

    def spans(self, span: Span, now: float, started_at: float) -> tuple[Span, ...]:  # noqa: ARG002
        """Return the seconds that are read where `span` was asked for."""
        return (span,)

    def relabel(self, labels: Terms) -> Terms:
        """Return the labels that the samples of a series seem to carry."""
        return labels

    def observe(self, reading: Reading) -> Reading:
        """Return the reading of one series as the effect shows it."""
        return reading

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the rows of one series, in order of time, as the effect shows them."""
        return rows


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpEffect(Effect):
    """Answers with another status, always or by count and time."""

    def replaces(self, gauge: Gauge) -> Refused | None:
        """Return how the request is refused, or None when it is answered as usual."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What an HTTP effect may decide by.

    Attributes:
        since: seconds since the injection began.
        query: number of this request among those in scope, from 1.
        recent: number of requests in scope within so many seconds, this one included.
        in_flight: requests in scope that are being answered, this one included.
        now: the instant.
    """

    since: float
    query: int
    recent: Callable[[float], int]
    in_flight: int
    now: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A status and the headers that belong to it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportEffect(Effect):
    """Delays or breaks the way an answer takes."""

    def plan(self, rng: Random) -> Delivery:
        """Return how this answer is delivered."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How an answer is delivered.

    Attributes:
        delay: real seconds before the first byte.
        header_seconds: real seconds over which the head trickles in.
        bytes_per_second: speed of the body; 0 means at once.
        breakage: how the connection ends, empty when it does not break; one of BREAKAGES.
        keep: share of the body that is sent before the connection breaks.
    """

    delay: float = 0.0
    header_seconds: float = 0.0
    bytes_per_second: float = 0.0
    breakage: str = ""
    keep: float = 0.5


BREAKAGES = (
    "reset",
    "reset_mid_body",
    "empty_reply",
    "garbage",
    "truncate",
    "close_keepalive",
    "hang",
    "refuse",
)
