"""What a run sends: targets, rate, duration, arrivals, voters.

The rate counts per *virtual* second and the duration is virtual: with SUITE_CLOCK_RATE=10 a rate
of 50 is 500 real requests a second, and 60s pass in six. Latency and the time-out are real.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from svckit.durations import format_duration
from svckit.errors import InvalidInput
from votegen.domain.ballots import NEW_VOTERS, Voters
from votegen.domain.profile import MAX_RATE, Profile, Recorded, Steady
from votegen.domain.schedule import Arrivals
from votegen.domain.targets import Target, check_weight

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_CONNECTIONS = 10_000
DEFAULT_RATE = 50.0
DEFAULT_TIMEOUT_SECONDS = 10.0
DEFAULT_DURATION_SECONDS = 60.0
"""Of a run in the foreground; one behind the control plane lasts until it is stopped."""
DEFAULT_SPLIT_A = 0.66


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One run.

    Attributes:
        targets: at least one, names differ, at least one weight above zero.
        rate: requests per virtual second over all targets; None sends as fast as answers come
            (closed loop over `connections`).
        shape: a rate that changes over time; it takes the place of `rate`.
        duration_seconds: virtual; None runs until it is stopped.
        arrivals: spacing of the requests.
        connections: most connections to one target (closed loop: over all targets); None chooses
            from the rate.
        voters: new or returning.
        split_a: share of votes for `a`, 0 to 1.
        gets: share of requests that look at the page instead of voting, 0 to 1.
        think_seconds: real time between an answer and the next request of the same connection;
            of the closed loop only, because an open loop waits for nobody.
        timeout_seconds: real; a request without an answer that long after its intended time
            has failed.
        host_header: replaces the URL's host in the request, as calls through an ingress need.
        seed: same seed, same schedule, same votes.
    """

    targets: tuple[Target, ...]
    rate: float | None = DEFAULT_RATE
    shape: Profile | None = None
    duration_seconds: float | None = None
    arrivals: Arrivals = Arrivals.CONSTANT
    connections: int | None = None
    voters: Voters = NEW_VOTERS
    split_a: float = DEFAULT_SPLIT_A
    gets: float = 0.0
    think_seconds: float = 0.0
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    host_header: str = ""
    seed: int = 1

    def __post_init__(self) -> None:
        names = [target.name for target in self.targets]
        if not names:
            raise InvalidInput("the plan has no target", hint="--target http://127.0.0.1:8083")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise InvalidInput(
                f"two targets are named {twice!r}", hint="name them: --target NAME=URL@WEIGHT"
            )
        if not any(target.weight > 0 for target in self.targets):
            raise InvalidInput("no target has a weight above 0, so nothing could be sent")
        if self.rate is not None:
            _check("rate", self.rate, 0, MAX_RATE, "requests per second, or max")
        if self.duration_seconds is not None:
            _check("duration", self.duration_seconds, 0.001, 10 * 365 * 86400, "a time above 0s")
        if self.connections is not None:
            _check("connections", self.connections, 1, MAX_CONNECTIONS, "a whole number")
        _check("split_a", self.split_a, 0, 1, "a share")
        _check("gets", self.gets, 0, 1, "a share")
        _check("think", self.think_seconds, 0, 3600, "a real time")
        if self.think_seconds and not self.is_closed_loop:
            raise InvalidInput(
                "think time belongs to the closed loop (rate max)",
                hint="an open loop sends on schedule; lower the rate instead",
            )
        if isinstance(self.shape, Recorded) and self.arrivals is not Arrivals.CONSTANT:
            raise InvalidInput("recorded arrivals have their own spacing; leave out arrivals")
        _check("timeout", self.timeout_seconds, 0.001, 3600, "a real time")
        if not (self.host_header.isascii() and self.host_header.isprintable()):
            raise InvalidInput("host_header: expected a host name")

    @property
    def is_closed_loop(self) -> bool:
        """Whether every answer triggers the next request."""
        return self.rate is None and self.shape is None

    @property
    def profile(self) -> Profile | None:
        """The rate over time; None in the closed loop."""
        if self.shape is not None:
            return self.shape
        return None if self.rate is None else Steady(self.rate)

    def connections_at(self, clock_rate: float) -> int:
        """Return how many connections the plan may use, chosen from the real rate by default.

        20 ms of requests plus 16: enough that an ordinary answer time never queues, few enough
        that a stalled target does not meet a storm of connections.
        """
        if self.connections is not None:
            return self.connections
        if self.profile is None:
            return 50
        return min(256, int(self.profile.peak * clock_rate * 0.02) + 16)

    def with_weights(self, weights: Mapping[str, float]) -> Plan:
        """Return the plan with other weights for the targets named.

        Raises:
            InvalidInput: no such target, a bad weight, or no weight left above zero.
        """
        known = {target.name for target in self.targets}
        for name, weight in weights.items():
            if name not in known:
                raise InvalidInput(
                    f"weights: no target is named {name!r}",
                    hint=f"targets: {', '.join(sorted(known))}",
                )
            check_weight(name, weight)
        targets = tuple(
            replace(target, weight=weights.get(target.name, target.weight))
            for target in self.targets
        )
        return replace(self, targets=targets)

    def to_document(self) -> dict[str, Any]:
        """Return the plan in the shape in which the control plane accepts it."""
        return {
            "targets": [
                {"name": target.name, "url": target.url, "weight": target.weight}
                for target in self.targets
            ],
            "rate": "max" if self.is_closed_loop else self.rate,
            "shape": None if self.shape is None else str(self.shape),
            "duration": None
            if self.duration_seconds is None
            else format_duration(self.duration_seconds),
            "arrivals": self.arrivals.value,
            "connections": self.connections,
            "voters": str(self.voters),
            "split_a": self.split_a,
            "gets": self.gets,
            "think": format_duration(self.think_seconds),
            "timeout": format_duration(self.timeout_seconds),
            "host_header": self.host_header,
            "seed": self.seed,
        }


def _check(name: str, value: float, low: float, high: float, what: str) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidInput(f"{name} is {value:g}, expected {what} from {low:g} to {high:g}")
