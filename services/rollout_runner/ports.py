"""What the engine needs from the world; adapters and simulations provide it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout_runner.argo.analysis import Metric
    from rollout_runner.argo.types import Measurement
    from rollout_runner.events import Event, VersionTraffic
    from rollout_runner.scenarios.model import TimelineEntry


class EventSink(Protocol):
    """Where the record of the run goes."""

    def write(self, event: Event) -> None:
        """Append one event; it is on disk when this returns."""
        ...


class Workload(Protocol):
    """Pods by ReplicaSet."""

    async def scale(self, pod_hash: str, replicas: int) -> None:
        """Ask for so many replicas; returns before they are available."""
        ...

    def available(self, pod_hash: str) -> int:
        """Return how many replicas serve now."""
        ...


class Network(Protocol):
    """Services and the ingress in front of them."""

    async def select(self, service: str, pod_hash: str) -> None:
        """Make a Service select the pods of this hash."""
        ...

    async def split(self, weights: Mapping[str, int]) -> None:
        """Send each hash its percentage of the traffic."""
        ...

    async def observe(self) -> Sequence[VersionTraffic]:
        """Return the running totals per version; empty when nobody counts."""
        ...


class MetricProvider(Protocol):
    """Argo's provider verbs; a failure is a measurement in phase Error, never an exception."""

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:
        """Start a measurement; it may come back Running with `resume_at`."""
        ...

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:
        """Look again at a measurement that is Running."""
        ...

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:
        """End a measurement that is Running."""
        ...


class World(Protocol):
    """What a scenario changes: behaviour of versions, traffic, injections, programs."""

    async def act(self, entry: TimelineEntry) -> str:
        """Perform the entry's action and say what was done."""
        ...
