"""Transport effects: the answer comes late, slowly, broken, or not at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mock_newrelic.domain.effects.arguments import Members, bad, number, seconds
from mock_newrelic.domain.effects.base import BREAKAGES, Delivery, TransportEffect
from mock_newrelic.domain.effects.latency import Delay, parse_delay

if TYPE_CHECKING:
    from random import Random

KINDS = ("latency", "slow_headers", "drip", *BREAKAGES)
DEFAULT_LATENCY = "1s"
DEFAULT_HEADER_SECONDS = 5.0
DEFAULT_BYTES_PER_SECOND = 10.0
LONGEST_SECONDS = 3600.0
"""Nothing is held longer than this, whatever an injection says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hang(TransportEffect):
    """`{"hang": "60s"}`: the answer comes so many real seconds late."""

    name: ClassVar[str] = "hang"
    delay: float

    def plan(self, rng: Random) -> Delivery:  # noqa: ARG002
        """Return the delay."""
        return Delivery(delay=self.delay)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport(TransportEffect):
    """`{"transport": "reset"}`, or with an argument `{"transport": {"drip": 20}}`.

    latency        a distribution as of the data effect `latency`, in real seconds
    slow_headers   the head trickles in over so long
    drip           the body trickles in, bytes per second
    hang           no answer; until the client gives up, an hour at most
    reset          the connection is reset before the answer
    reset_mid_body it is reset within the body
    empty_reply    it is closed before the answer
    garbage        what comes is no HTTP
    truncate       the body ends before its announced length
    close_keepalive the connection is closed after an answer that did not say so
    refuse         new connections are refused as long as the injection lasts
    """

    name: ClassVar[str] = "transport"
    kind: str
    delivery: Delivery
    latency: Delay | None = None

    def plan(self, rng: Random) -> Delivery:
        """Return how this answer is delivered."""
        if self.latency is None:
            return self.delivery
        return Delivery(delay=self.latency.draw(rng))


def parse_hang(argument: object, _metric: str | None) -> Hang:
    """Read how long."""
    delay = seconds(argument, name="hang", lowest=0.001, highest=LONGEST_SECONDS)
    return Hang(given=argument, delay=delay)


def parse_transport(argument: object, _metric: str | None) -> Transport:
    """Read the kind, and its argument where it has one."""
    kind, more = argument, None
    if isinstance(argument, dict):
        if len(argument) != 1:
            raise bad("effect.transport has not exactly one member", f"one of: {_KINDS}")
        [(kind, more)] = argument.items()
    if not isinstance(kind, str) or kind not in KINDS:
        raise bad("effect.transport is not known", f"one of: {_KINDS}")
    if kind == "latency":
        delay = parse_delay(more or DEFAULT_LATENCY, name="transport.latency")
        return Transport(given=argument, kind=kind, delivery=Delivery(), latency=delay)
    return Transport(given=argument, kind=kind, delivery=_delivery(kind, more))


def _delivery(kind: str, more: object) -> Delivery:
    name = f"transport.{kind}"
    if kind == "slow_headers":
        if more is None:
            return Delivery(header_seconds=DEFAULT_HEADER_SECONDS)
        return Delivery(
            header_seconds=seconds(more, name=name, lowest=0.001, highest=LONGEST_SECONDS)
        )
    if kind == "drip":
        if more is None:
            return Delivery(bytes_per_second=DEFAULT_BYTES_PER_SECOND)
        return Delivery(bytes_per_second=number(more, name=name, lowest=0.1, highest=1e9))
    if kind in {"reset_mid_body", "truncate"} and more is not None:
        share = Members(more, name=name, known=("keep",)).number("keep", highest=0.99)
        return Delivery(breakage=kind, keep=share)
    if more not in {None, True}:
        raise bad(f"effect.{name} takes no argument")
    return Delivery(breakage=kind)


_KINDS = ", ".join(KINDS)
