"""Writes down how many requests each version has served."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.events import TrafficObserved, moment

if TYPE_CHECKING:
    from rollout_runner.ports import EventSink, Network
    from svckit.clock import Clock

OBSERVE_SECONDS = 10.0
"""Virtual seconds between two looks at the traffic."""


class TrafficObserver:
    """Looks at regular times, and whenever somebody wants exact totals at this moment."""

    def __init__(
        self,
        *,
        network: Network,
        clock: Clock,
        sink: EventSink,
        every: float = OBSERVE_SECONDS,
    ) -> None:
        self._every = every
        self._network = network
        self._clock = clock
        self._sink = sink
        self._observed_at = 0.0

    @property
    def next_at(self) -> float:
        """When the next look is due."""
        return self._observed_at + self._every

    async def observe_if_due(self) -> None:
        """Look if it is time."""
        if self._clock.now() >= self.next_at:
            await self.observe()

    async def observe(self) -> None:
        """Look now; nothing is written when nobody counts."""
        self._observed_at = self._clock.now()
        versions = tuple(await self._network.observe())
        if versions:
            self._sink.write(TrafficObserved(at=moment(self._clock.now()), versions=versions))
