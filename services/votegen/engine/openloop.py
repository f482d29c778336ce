"""The engine: every request has its intended time before anything is sent.

    schedule ──► target by weight ──► lane ──► connection
    (profile)    (selection)          FIFO     (connector port)

The schedule never waits for a target: what cannot be sent yet waits in its lane, and its latency
counts from the intended time. With rate `max` the loop is closed instead: every answer triggers
the next request, over a fixed number of connections.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from svckit.errors import InvalidInput
from svckit.randomness import stream
from votegen.domain.ballots import BallotBox, Ballots
from votegen.domain.results import Progress, Tally, TargetTally, result_document
from votegen.domain.schedule import Schedule
from votegen.domain.selection import Weights, positions
from votegen.domain.wire import VoteRequest
from votegen.engine.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from votegen.domain.plan import Plan
    from votegen.domain.profile import Profile
    from votegen.domain.targets import Target
    from votegen.engine.lane import End
    from votegen.ports import ConnectorFactory, Timebase

# The longest sleep: live changes, time-outs and stopping take effect within it.
TICK_SECONDS = 0.1
DRAIN_TICK_SECONDS = 0.01
# Above this rate requests leave in ticks: waking up for each of them would cost more than sending.
TICKED_FROM_RATE = 2000.0
SEND_TICK_SECONDS = 0.0005
PREPARED = 512


class Engine:
    """One run of a plan, or of one part of it.

    Args:
        plan: what to send.
        connectors: opens connections to an endpoint.
        timebase: real time and the speed of virtual time.
        part: which part of the schedule this engine sends, from 0.
        parts: how many engines share the plan; each counts for itself.
        observe: is told, target by target, how requests ended and how long they took.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        connectors: ConnectorFactory,
        timebase: Timebase,
        part: int = 0,
        parts: int = 1,
        observe: Callable[[str, list[End], list[float]], None] | None = None,
    ) -> None:
        self.plan = plan
        self._observe = observe
        self.tally = Tally()
        self._connectors = connectors
        self._time = timebase
        self._part = part
        self._parts = parts
        self._schedule = None if plan.profile is None else self._scheduled(plan.profile)
        self._first_position = stream(plan.seed, "targets").random()
        self._made = 0
        self._positions: list[float] = []
        self._block = Ballots([], [])
        self._ready: list[tuple[Lane, bytes]] = []
        self._at = 0
        self._ballots = BallotBox(
            seed=plan.seed,
            split_a=plan.split_a,
            gets=plan.gets,
            voters=plan.voters,
            part=part,
            parts=parts,
        )
        self._thinking: deque[float] = deque()
        self._lanes: dict[str, Lane] = {}
        self._requests: dict[str, VoteRequest] = {}
        self._routes: list[tuple[Lane, VoteRequest]] = []
        self._retired: list[Lane] = []
        self._past_reconnects = 0
        self._started: float | None = None
        self._ended: float | None = None
        # Nothing is sent before the start and after the end.
        self._sending_until = -math.inf
        self._drain_until = math.inf
        self._stopping = False
        self._set_targets(plan)

    @property
    def reachable(self) -> bool:
        """Whether the latest request to every weighted target found a connection."""
        return all(
            self._lanes[target.name].reachable for target in self.plan.targets if target.weight > 0
        )

    @property
    def in_flight(self) -> int:
        """Requests that are written and not answered."""
        return sum(lane.in_flight for lane in self._all_lanes)

    @property
    def backlog(self) -> int:
        """Requests that wait for a connection."""
        return sum(lane.backlog for lane in self._all_lanes)

    async def run(self, *, start_at: float | None = None) -> None:
        """Send the plan; returns when it is over or stopped and nothing is under way.

        Args:
            start_at: real instant at which the schedule begins; now by default.
        """
        self._started = self._time.monotonic() if start_at is None else start_at
        try:
            await self._send_plan(self._started)
            self._sending_until = -math.inf
            self._ended = self._time.monotonic()
            await self._drain()
        finally:
            for lane in self._all_lanes:
                lane.close()
        # Sockets are closed by the event loop's next turn.
        await self._time.sleep(0)

    def stop(self, *, drain_seconds: float) -> None:
        """Send nothing more; what is under way may finish within real `drain_seconds`."""
        self._drain_until = self._time.monotonic() + drain_seconds
        self._sending_until = -math.inf
        self._stopping = True

    def change(self, plan: Plan) -> None:
        """Put another rate, other weights or other targets in force from now on.

        Raises:
            InvalidInput: something else differs; that needs a new run.
        """
        fixed = replace(plan, rate=self.plan.rate, shape=self.plan.shape, targets=self.plan.targets)
        if fixed != self.plan:
            raise InvalidInput(
                "only rate, weights and targets can be changed while a run is under way",
                hint="stop the run, PUT the new plan, start again",
            )
        if self._started is not None:
            self._send_due()
        now = self._elapsed(self._time.monotonic()) if self._started is not None else 0.0
        if plan.profile is None:
            self._schedule = None
        elif plan.profile != self.plan.profile:
            self._schedule = self._schedule or self._scheduled(plan.profile)
            self._schedule.change(plan.profile, now=now)
        self._set_targets(plan)
        self.plan = plan

    def snapshot(self) -> dict[str, Any]:
        """Return the result so far."""
        self.settle()
        document = result_document(self.tally, self.progress())
        document["sent"] += self.in_flight
        document["not_started"] -= self.in_flight
        return document

    def settle(self) -> None:
        """Bring the tally up to date."""
        for lane in self._all_lanes:
            lane.settle()

    def progress(self) -> Progress:
        """Return where the run stands."""
        end = self._time.monotonic() if self._ended is None else self._ended
        real = 0.0 if self._started is None else max(0.0, end - self._started)
        return Progress(
            duration_seconds=real * self._time.clock_rate,
            real_seconds=real,
            in_flight=self.in_flight,
            backlog=self.backlog,
            reconnects=self._past_reconnects + sum(lane.reconnects for lane in self._all_lanes),
        )

    @property
    def _duration(self) -> float:
        return math.inf if self.plan.duration_seconds is None else self.plan.duration_seconds

    def _scheduled(self, profile: Profile) -> Schedule:
        return Schedule(
            profile,
            arrivals=self.plan.arrivals,
            seed=self.plan.seed,
            part=self._part,
            parts=self._parts,
        )

    def _elapsed(self, now: float) -> float:
        """Return the virtual seconds since the start."""
        assert self._started is not None  # noqa: S101 - callers check
        return (now - self._started) * self._time.clock_rate

    def _real(self, elapsed: float) -> float:
        """Return the real instant of a virtual time since the start."""
        assert self._started is not None  # noqa: S101 - callers check
        return self._started + elapsed / self._time.clock_rate

    async def _send_plan(self, started: float) -> None:
        sweep_at = started + TICK_SECONDS
        end = self._real(self._duration)
        now = self._time.monotonic()
        while not self._stopping:
            if now >= started:
                self._sending_until = end
                self._send_due()
            now = self._time.monotonic()
            if now >= sweep_at:
                self._sweep()
                sweep_at = now + TICK_SECONDS
            if now >= end:
                break
            wake = self._wake(now) if now >= started else started
            await self._time.sleep(max(0.0, min(sweep_at, end, wake) - now))
            now = self._time.monotonic()

    def _wake(self, now: float) -> float:
        """Return when something is due again."""
        if self._schedule is None:
            return self._thinking[0] if self._thinking else math.inf
        profile = self.plan.profile
        due = self._real(self._schedule.next_due)
        fast = profile is not None and profile.peak * self._time.clock_rate >= TICKED_FROM_RATE
        return max(due, now + SEND_TICK_SECONDS) if fast else due

    def _send_due(self) -> None:
        if self._schedule is None:
            self._fill()
            return
        now = self._time.monotonic()
        # An instant that was slept for has been rounded on its way to real time and back.
        until = self._elapsed(now) + 2 * math.ulp(now) * self._time.clock_rate
        due = self._schedule.take(until, before=self._duration)
        started, speed = self._started or 0.0, self._time.clock_rate
        for elapsed in due:
            self._submit(started + elapsed / speed)

    def _fill(self) -> None:
        """Closed loop: keep as many requests under way as there are connections."""
        now = self._time.monotonic()
        if now >= self._sending_until:
            return
        while self._thinking and self._thinking[0] <= now:
            self._thinking.popleft()
        free = self.plan.connections_at(self._time.clock_rate) - len(self._thinking)
        free -= sum(lane.in_flight + lane.backlog for lane in self._lanes.values())
        for _ in range(free):
            self._submit(now)

    def _replace(self, now: float) -> None:
        """Closed loop: one request has ended, so another one may go."""
        if self.plan.think_seconds:
            self._thinking.append(now + self.plan.think_seconds)
        elif now < self._sending_until:
            self._submit(now)

    def _submit(self, intended: float) -> None:
        """Hand over a request to the target that its number falls to."""
        at = self._at
        if at == len(self._ready):
            self._prepare()
            at = 0
        self._at = at + 1
        self.tally.planned += 1
        lane, payload = self._ready[at]
        lane.submit(intended, payload)

    def _prepare(self) -> None:
        """Count what has ended, and make the next requests: blocks that fit into the cache."""
        self.settle()
        numbers = np.arange(self._made, self._made + PREPARED)
        self._made += PREPARED
        self._positions = positions(self._first_position, numbers * self._parts + self._part)
        self._block = self._ballots.take(PREPARED)
        self._address()

    def _address(self) -> None:
        """Address the requests that were made to the targets as they are now."""
        picks = np.searchsorted(self._weights.edges, self._positions, side="right")
        picked = [self._routes[pick] for pick in picks.tolist()]
        ballots = zip(picked, self._block.voter_ids, self._block.votes, strict=True)
        self._ready = [
            (lane, request.of(voter_id, vote)) for (lane, request), voter_id, vote in ballots
        ]

    @property
    def _all_lanes(self) -> list[Lane]:
        return [*self._lanes.values(), *self._retired]

    def _sweep(self) -> None:
        for lane in self._all_lanes:
            lane.sweep()
        for lane in self._retired:
            if not lane.busy:
                self._past_reconnects += lane.reconnects
                lane.close()
        self._retired = [lane for lane in self._retired if lane.busy]

    async def _drain(self) -> None:
        if self._stopping:
            for lane in self._all_lanes:
                lane.drop_waiting()
        while any(lane.busy for lane in self._all_lanes):
            if self._time.monotonic() >= self._drain_until:
                for lane in self._all_lanes:
                    lane.drop_waiting()
                    lane.drop_in_flight()
                break
            await self._time.sleep(DRAIN_TICK_SECONDS)
            self._sweep()

    def _set_targets(self, plan: Plan) -> None:
        limit = plan.connections_at(self._time.clock_rate)
        # Engines that share a plan share its connections, too.
        limit = max(1, -(-limit // self._parts))
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
            self._lanes[name].on_end = self._replace if plan.is_closed_loop else None
        self._weights = Weights.of({target.name: target.weight for target in plan.targets})
        self._routes = [(self._lanes[name], self._requests[name]) for name in self._weights.names]
        self._address()

    def _open_lane(self, target: Target, plan: Plan) -> Lane:
        return Lane(
            connector=self._connectors(target.endpoint),
            timebase=self._time,
            timeout_seconds=plan.timeout_seconds,
            tally=self.tally,
            target=self.tally.targets.setdefault(target.name, TargetTally()),
            observe=partial(self._note, target.name),
        )

    def _note(self, name: str, ends: list[End], latencies: NDArray[np.float64]) -> None:
        """Keep the timeline, and tell whoever else wants to know."""
        errors = sum(failure is not None or status // 100 != 2 for status, _, failure in ends)
        at = max(0.0, self._elapsed(self._time.monotonic()))
        self.tally.timeline.add(at, name, errors=errors, latencies=latencies)
        if self._observe is not None:
            self._observe(name, ends, latencies.tolist())
