"""The engine: every request has its intended time before anything is sent.

    schedule ──► target by weight ──► lane ──► connection
    (pacer)      (selection)          FIFO     (transport port)

The schedule never waits for a target: what cannot be sent yet waits in its lane, and its latency
counts from the intended time. With rate `max` the loop is closed instead: every answer triggers
the next request, over a fixed number of connections.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from svckit.errors import InvalidInput
from svckit.randomness import stream
from votegen.domain.ballots import ballots
from votegen.domain.outcome import ErrorKind
from votegen.domain.pacer import Pace, unit_gaps
from votegen.domain.results import Progress, Tally, TargetTally, result_document
from votegen.domain.selection import Weights, spread
from votegen.domain.wire import VoteRequest
from votegen.engine.lane import Due, Lane

if TYPE_CHECKING:
    from collections.abc import Mapping

    from votegen.domain.outcome import Outcome
    from votegen.domain.plan import Plan
    from votegen.domain.targets import Target
    from votegen.ports import Timebase, TransportFactory

# The longest sleep: live changes, time-outs and stopping take effect within it.
TICK_SECONDS = 0.1
DRAIN_TICK_SECONDS = 0.01


class Engine:
    """One run of a plan.

    Args:
        plan: what to send.
        transports: opens connections to an endpoint.
        timebase: real time and the speed of virtual time.
    """

    def __init__(self, plan: Plan, *, transports: TransportFactory, timebase: Timebase) -> None:
        self.plan = plan
        self.tally = Tally()
        self._transports = transports
        self._time = timebase
        self._gaps = unit_gaps(plan.arrivals, stream(plan.seed, "arrivals"))
        self._positions = spread(stream(plan.seed, "targets"))
        self._ballots = ballots(seed=plan.seed, split_a=plan.split_a, voters=plan.voters)
        self._pace: Pace | None = None
        self._lanes: dict[str, Lane] = {}
        self._requests: dict[str, VoteRequest] = {}
        self._retired: list[Lane] = []
        self._past_reconnects = 0
        self._started: float | None = None
        self._ended: float | None = None
        self._drain_until = math.inf
        self._stopping = False
        self._set_targets(plan)
        if plan.rate is not None:
            self._pace = Pace.starting(rate=plan.rate, first_gap=next(self._gaps))

    @property
    def reachable(self) -> bool:
        """Whether the latest request to every weighted target found a connection."""
        return all(
            self._lanes[target.name].reachable for target in self.plan.targets if target.weight > 0
        )

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return sum(lane.in_flight for lane in self._all_lanes)

    @property
    def backlog(self) -> int:
        """Requests that wait for a connection."""
        return sum(lane.backlog for lane in self._all_lanes)

    async def run(self) -> None:
        """Send the plan; returns when it is over or stopped and nothing is under way."""
        self._started = self._time.monotonic()
        try:
            await self._send_plan(self._started)
            self._ended = self._time.monotonic()
            await self._drain()
        finally:
            for lane in self._all_lanes:
                lane.transport.close()
        # Sockets are closed by the event loop's next turn.
        await self._time.sleep(0)

    async def _send_plan(self, started: float) -> None:
        sweep_at = started + TICK_SECONDS
        while not self._stopping:
            self._send_due()
            now = self._time.monotonic()
            if now >= sweep_at:
                self._sweep()
                sweep_at = now + TICK_SECONDS
            if now >= self._real(self._duration):
                break
            wake = min(sweep_at, self._real(self._duration), self._real(self._next_due))
            await self._time.sleep(max(0.0, wake - now))

    def stop(self, *, drain_seconds: float) -> None:
        """Send nothing more; what is under way may finish within real `drain_seconds`."""
        self._drain_until = self._time.monotonic() + drain_seconds
        self._stopping = True

    def change(self, plan: Plan) -> None:
        """Put another rate, other weights or other targets in force from now on.

        Raises:
            InvalidInput: something else differs; that needs a new run.
        """
        fixed = replace(plan, rate=self.plan.rate, targets=self.plan.targets)
        if fixed != self.plan:
            raise InvalidInput(
                "only rate, weights and targets can be changed while a run is under way",
                hint="stop the run, PUT the new plan, start again",
            )
        if self._started is not None:
            self._send_due()
        now = self._elapsed(self._time.monotonic()) if self._started is not None else 0.0
        if plan.rate is None:
            self._pace = None
        elif self._pace is None:
            self._pace = Pace.starting(rate=plan.rate, first_gap=next(self._gaps), at=now)
        else:
            self._pace = self._pace.at_rate(plan.rate, now=now)
        self._set_targets(plan)
        self.plan = plan

    def snapshot(self) -> dict[str, Any]:
        """Return the result so far."""
        end = self._time.monotonic() if self._ended is None else self._ended
        real = 0.0 if self._started is None else end - self._started
        document = result_document(
            self.tally,
            Progress(
                duration_seconds=real * self._time.clock_rate,
                real_seconds=real,
                in_flight=self.in_flight,
                backlog=self.backlog,
                reconnects=self._past_reconnects
                + sum(lane.transport.reconnects for lane in self._all_lanes),
            ),
        )
        document["sent"] += sum(lane.in_flight_sent for lane in self._all_lanes)
        return document

    @property
    def _duration(self) -> float:
        return math.inf if self.plan.duration_seconds is None else self.plan.duration_seconds

    @property
    def _next_due(self) -> float:
        return math.inf if self._pace is None else self._pace.due_at

    def _elapsed(self, now: float) -> float:
        """Return the virtual seconds since the start."""
        assert self._started is not None  # noqa: S101 - callers check
        return (now - self._started) * self._time.clock_rate

    def _real(self, elapsed: float) -> float:
        """Return the real instant of a virtual time since the start."""
        assert self._started is not None  # noqa: S101 - callers check
        return self._started + elapsed / self._time.clock_rate

    def _send_due(self) -> None:
        if self._pace is None:
            self._fill()
            return
        # Compared as real instants, the form in which they are slept for: converted back to
        # virtual time, an instant just reached may be a rounding short.
        now = self._time.monotonic()
        while (due_at := self._pace.due_at) < self._duration:
            intended = self._real(due_at)
            if intended > now:
                return
            self._submit(intended)
            self._pace = self._pace.after(next(self._gaps))

    def _fill(self) -> None:
        """Closed loop: keep as many requests under way as there are connections."""
        free = self.plan.connections_at(self._time.clock_rate)
        free -= sum(lane.in_flight + lane.backlog for lane in self._lanes.values())
        for _ in range(free):
            self._submit(self._time.monotonic())

    def _submit(self, intended: float) -> None:
        name = self._weights.pick(next(self._positions))
        payload = self._requests[name].with_ballot(next(self._ballots))
        self.tally.planned += 1
        self._lanes[name].submit(Due(intended, payload))

    def _on_end(self, outcome: Outcome) -> None:
        # A refused connection is tried again at the next tick, or a dead target would spin.
        if self._pace is None and outcome.failure is not ErrorKind.CONNECT and self._sending:
            self._fill()

    @property
    def _sending(self) -> bool:
        return (
            not self._stopping
            and self._ended is None
            and self._time.monotonic() < self._real(self._duration)
        )

    @property
    def _all_lanes(self) -> list[Lane]:
        return [*self._lanes.values(), *self._retired]

    def _sweep(self) -> None:
        for lane in self._all_lanes:
            lane.sweep()
        for lane in self._retired:
            if not lane.busy:
                self._past_reconnects += lane.transport.reconnects
                lane.transport.close()
        self._retired = [lane for lane in self._retired if lane.busy]

    async def _drain(self) -> None:
        if self._stopping:
            for lane in self._all_lanes:
                lane.drop_backlog()
        while any(lane.busy for lane in self._all_lanes):
            if self._time.monotonic() >= self._drain_until:
                for lane in self._all_lanes:
                    lane.drop_backlog()
                    lane.drop_in_flight()
                break
            await self._time.sleep(DRAIN_TICK_SECONDS)
            self._sweep()

    def _set_targets(self, plan: Plan) -> None:
        limit = plan.connections_at(self._time.clock_rate)
        urls = {target.name: target.url for target in self.plan.targets}
        wanted = {target.name: target for target in plan.targets}
        for name in [*self._lanes]:
            if name not in wanted or wanted[name].url != urls[name]:
                self._retired.append(self._lanes.pop(name))
        for name, target in wanted.items():
            if name not in self._lanes:
                self._lanes[name] = self._open_lane(target, plan)
                self._requests[name] = VoteRequest.to(target.endpoint, host_header=plan.host_header)
            self._lanes[name].limit = limit
        self._weights = Weights.of(_weights(plan))

    def _open_lane(self, target: Target, plan: Plan) -> Lane:
        return Lane(
            transport=self._transports(target.endpoint, self._time),
            limit=0,
            timeout_seconds=plan.timeout_seconds,
            timebase=self._time,
            tally=self.tally,
            target=self.tally.targets.setdefault(target.name, TargetTally()),
            on_end=self._on_end,
        )


def _weights(plan: Plan) -> Mapping[str, float]:
    return {target.name: target.weight for target in plan.targets}
