"""Fault switches: what is done to a request before the application sees it.

    delay   `latency` adds add ± jitter (uniform), `hang` holds the request for its whole length;
            both are real time, like every network time, and the request is answered afterwards
    status  the answer is this status instead of the application's
    error_ratio  only this share of the requests fails, with `status` or 500

A status without a ratio, and every delay, is a sick process: health probes suffer too, or a canary
that answers nothing but 503 would look healthy. A ratio is a defect in the application's work,
so probes are spared and the share of failed votes is the configured one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

PROBE_USER_AGENT = "kube-probe"
DEFAULT_ERROR_STATUS = 500


class Scope(StrEnum):
    """Which requests a fault applies to; GET includes HEAD."""

    ALL = "all"
    POST = "POST"
    GET = "GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The switches that are on; times in real seconds, the ratio from 0 to 1."""

    error_ratio: float | None = None
    status: int | None = None
    latency_add_seconds: float = 0.0
    latency_jitter_seconds: float = 0.0
    hang_seconds: float = 0.0
    scope: Scope = Scope.ALL

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of the switches that are on."""
        switches = {
            "error_ratio": self.error_ratio is not None,
            "latency": self.latency_add_seconds > 0 or self.latency_jitter_seconds > 0,
            "status": self.status is not None,
            "hang": self.hang_seconds > 0,
        }
        return tuple(name for name, on in switches.items() if on)

    def covers(self, method: str) -> bool:
        """Return whether requests of this method are in scope."""
        match self.scope:
            case Scope.ALL:
                return True
            case Scope.POST:
                return method == "POST"
            case Scope.GET:
                return method in {"GET", "HEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Disturbance:
    """What happens to one request: wait, then answer with `status` unless it is None."""

    delay_seconds: float = 0.0
    status: int | None = None


UNDISTURBED = Disturbance()


def is_probe(user_agent: str) -> bool:
    """Return whether a kubelet sent the request."""
    return user_agent.startswith(PROBE_USER_AGENT)


def disturb(faults: Faults, *, method: str, probe: bool, rng: Random) -> Disturbance:
    """Decide about one request.

    Two numbers are drawn for every request in scope, whichever switches are on, so that turning
    one switch never changes the decisions of another.
    """
    if not faults.covers(method):
        return UNDISTURBED
    error_draw, jitter_draw = rng.random(), rng.random()
    jitter = faults.latency_jitter_seconds * (2 * jitter_draw - 1)
    latency = max(0.0, faults.latency_add_seconds + jitter)
    status = faults.status
    if faults.error_ratio is not None:
        fails = not probe and error_draw < faults.error_ratio
        status = (faults.status or DEFAULT_ERROR_STATUS) if fails else None
    return Disturbance(delay_seconds=faults.hang_seconds + latency, status=status)
