"""Pods, Services, ingress and scenario of a simulated run: the engine's ports without a machine."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Literal

import httpx

from rollout_runner.events import VersionTraffic
from svckit.durations import parse_duration
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    import numpy as np

    from rollout_runner.scenarios.model import Behaviour, TimelineEntry
    from rollout_runner.simulation.traffic import SimulatedTraffic
    from svckit.clock import Clock

Role = Literal["stable", "canary"]
PROBE_USER_AGENT = "kube-probe"
_PAGE = b"<!DOCTYPE html>\n<title>Cats vs Dogs!</title>\n"
_FAILED_STATUS = 500


class SimulatedPods:
    """ReplicaSets whose pods are available so many virtual seconds after they were asked for."""

    def __init__(self, clock: Clock, *, startup: float, on_change: Callable[[], None]) -> None:
        self._clock = clock
        self._startup = startup
        self._on_change = on_change
        self._replicas: dict[str, int] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._serving: set[str] = set()

    async def scale(self, pod_hash: str, replicas: int) -> None:
        """Set the replica count."""
        self._replicas[pod_hash] = replicas
        if not replicas:
            self._serving.discard(pod_hash)
            starting = self._starting.pop(pod_hash, None)
            if starting is not None:
                starting.cancel()
        elif pod_hash not in self._serving and pod_hash not in self._starting:
            if self._startup > 0:
                self._starting[pod_hash] = asyncio.create_task(self._come_up(pod_hash))
            else:
                self._serving.add(pod_hash)
                self._on_change()

    def available(self, pod_hash: str) -> int:
        """Return the replica count once the pods serve, else 0."""
        return self._replicas.get(pod_hash, 0) if pod_hash in self._serving else 0

    async def _come_up(self, pod_hash: str) -> None:
        await self._clock.sleep(self._startup)
        self._starting.pop(pod_hash, None)
        self._serving.add(pod_hash)
        self._on_change()


class SimulatedNetwork:
    """Services that select pods, and an ingress that splits the simulated votes."""

    def __init__(
        self,
        *,
        clock: Clock,
        traffic: SimulatedTraffic,
        pods: SimulatedPods,
        behaviours: dict[str, Behaviour],
        rng: np.random.Generator,
    ) -> None:
        self._clock = clock
        self._traffic = traffic
        self._pods = pods
        self._behaviours = behaviours
        self._rng = rng
        self._selected: dict[str, str] = {}
        self._before: dict[str, VersionTraffic] = {}

    async def select(self, service: str, pod_hash: str) -> None:
        """Make a Service select the pods of this hash."""
        self._selected[service] = pod_hash

    async def split(self, weights: Mapping[str, int]) -> None:
        """Send each version its share of the votes."""
        self._traffic.split(weights, self._clock.now())

    async def observe(self) -> Sequence[VersionTraffic]:
        """Return the totals per version."""
        before = self._before
        return [
            VersionTraffic(
                hash=each.hash,
                requests=each.requests - (before[each.hash].requests if before else 0),
                errors=each.errors - (before[each.hash].errors if before else 0),
            )
            for each in self._traffic.totals(self._clock.now())
        ]

    def count_from_now(self) -> None:
        """Leave what was served so far out of the totals."""
        totals = self._traffic.totals(self._clock.now())
        self._before = {each.hash: each for each in totals}

    async def answer(self, service: str, request: httpx.Request) -> httpx.Response:
        """Answer a request to a Service as one of its pods would.

        Raises:
            httpx.ReadError: no pod is selected that serves.
        """
        pod_hash = self._selected.get(service, "")
        if not self._pods.available(pod_hash):
            raise httpx.ReadError("", request=request)
        behaviour = self._behaviours[pod_hash]
        if behaviour.latency is not None:
            jitter = parse_duration(behaviour.latency.jitter) * (2 * self._rng.random() - 1)
            await self._clock.sleep(parse_duration(behaviour.latency.add) + jitter)
        if behaviour.hang is not None:
            await self._clock.sleep(parse_duration(behaviour.hang))
        status = behaviour.status
        if behaviour.errors is not None:
            # A defect of the application's work: probes are spared, as by the voting application.
            probe = request.headers.get("User-Agent", "").startswith(PROBE_USER_AGENT)
            fails = self._rng.random() < behaviour.errors and not probe
            status = (behaviour.status or _FAILED_STATUS) if fails else None
        return httpx.Response(
            status or 200,
            headers={"Content-Type": "text/html; charset=utf-8"},
            content=_PAGE,
            request=request,
        )


class SimulatedScenario:
    """Performs the actions of a timeline."""

    def __init__(
        self,
        *,
        clock: Clock,
        traffic: SimulatedTraffic,
        hashes: Mapping[Role, str],
        behaviours: dict[str, Behaviour],
        control: Callable[[str, str, dict[str, Any] | None], Awaitable[httpx.Response]],
        stop: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._traffic = traffic
        self._hashes = hashes
        self._behaviours = behaviours
        self._control = control
        self._stop = stop

    async def act(self, entry: TimelineEntry) -> str:
        """Perform the entry's action and say what was done.

        Raises:
            InvalidInput: it cannot be done, or not in virtual time.
        """
        if entry.canary is not None:
            return self._change("canary", entry.canary)
        if entry.baseline is not None:
            return self._change("stable", entry.baseline)
        if entry.traffic is not None:
            self._traffic.change_rate(entry.traffic.rate, self._clock.now())
            return f"traffic is now {entry.traffic.rate:g}/s"
        if entry.inject is not None:
            return await self._inject(entry.inject)
        if entry.clear is not None:
            await self._control("DELETE", "/control/injections", None)
            return "all injections are cleared"
        if entry.stop is not None:
            self._stop(entry.stop)
            return f"{entry.stop} is stopped"
        raise InvalidInput(f"timeline: nothing here can do {entry.actions}")

    def _change(self, role: Role, behaviour: Behaviour) -> str:
        pod_hash = self._hashes[role]
        self._behaviours[pod_hash] = behaviour
        self._traffic.behave(pod_hash, behaviour, self._clock.now())
        return f"{role} is now: {behaviour.describe()}"

    async def _inject(self, injection: dict[str, Any]) -> str:
        """Create the injection; a role is named by its hash, which is what telemetry carries."""
        body = dict(injection)
        role = body.pop("role", None)
        if role is not None:
            if role not in self._hashes:
                raise InvalidInput(
                    f"timeline: inject.role is {role!r}", hint="expected canary or stable"
                )
            body["hash"] = self._hashes[role]
        await self._control("POST", "/control/injections", body)
        scope = f" for the {role}" if role else ""
        return f"the APM now answers {json.dumps(body.get('effect'))}{scope}"
