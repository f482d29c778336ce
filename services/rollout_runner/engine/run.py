"""One rollout from `kubectl apply` of the new version to its end.

    bring up stable ──► apply the new version ──► wait for: time, news, scenario ──► outcome

The run ends when the rules have nothing more to do: promoted and scaled down, aborted and scaled
down, or paused with nobody left who could go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rollout_runner.argo.rollout import RolloutPhase, RolloutSpec
from rollout_runner.argo.rollout.operator import abort, promote, promote_full, retry
from rollout_runner.events import RunFinished, moment
from rollout_runner.scenarios.model import TimelineEntry
from svckit.durations import short_duration
from svckit.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from rollout_runner.engine.alarm import Alarm
    from rollout_runner.engine.director import Director
    from rollout_runner.engine.rollout_controller import RolloutController
    from rollout_runner.engine.traffic_observer import TrafficObserver
    from rollout_runner.events import RunStarted
    from rollout_runner.ports import EventSink
    from svckit.clock import Clock

STABLE_SECONDS = 600.0
LONGEST_RUN_SECONDS = 4 * 3600.0


class Casualties(Protocol):
    """The programs that a run needs."""

    def failures(self) -> list[Exception]:
        """Return what could not be started; the run cannot go on."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """What to do: from which spec to which, and what happens on the way."""

    stable: RolloutSpec
    canary: RolloutSpec
    timeline: tuple[TimelineEntry, ...]
    stay_paused: bool
    """Wait for an operator at an inconclusive pause instead of ending the run."""


class RolloutRun:
    """Drives one controller through one plan."""

    def __init__(
        self,
        plan: RunPlan,
        *,
        clock: Clock,
        alarm: Alarm,
        controller: RolloutController,
        observer: TrafficObserver,
        director: Director,
        casualties: Casualties,
        sink: EventSink,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._alarm = alarm
        self._controller = controller
        self._observer = observer
        self._director = director
        self._casualties = casualties
        self._sink = sink

    async def bring_up_stable(self) -> None:
        """Deploy the stable version: no steps, no analysis, as Argo's initial deploy.

        Raises:
            Unavailable: it did not become healthy.
        """
        deadline = self._clock.now() + STABLE_SECONDS * self._clock.rate
        while True:
            next_at = await self._controller.reconcile()
            self._raise_failures()
            if self._controller.status.phase is RolloutPhase.HEALTHY and next_at is None:
                return
            if self._clock.now() > deadline:
                status = self._controller.status
                raise Unavailable(f"the stable version is {status.phase}: {status.message}")
            await self._alarm.wait_until(deadline if next_at is None else min(next_at, deadline))

    async def execute(self, started: RunStarted) -> RunFinished:
        """Apply the new version and go on to the end; every event is written on the way.

        Raises:
            Unavailable: a program could not be started, or the run went on for hours.
        """
        now = self._clock.now()
        self._sink.write(started)
        self._director.begin(self._plan.timeline)
        self._controller.apply(self._plan.canary)
        deadline = now + LONGEST_RUN_SECONDS
        while True:
            await self._director.time_passed()
            for command in self._director.take_commands():
                self._operate(command)
            next_at = await self._controller.reconcile()
            self._raise_failures()
            await self._observer.observe_if_due()
            finished = self._outcome(next_at)
            if finished is not None:
                await self._observer.observe()
                self._sink.write(finished)
                return finished
            if self._clock.now() > deadline:
                raise Unavailable(
                    f"the run is not over after {short_duration(LONGEST_RUN_SECONDS)}",
                    hint="a scenario can end it: {at: 30m, do: abort}",
                )
            wakes = [
                next_at,
                self._director.next_at,
                self._observer.next_at,
                deadline,
            ]
            await self._alarm.wait_until(min(each for each in wakes if each is not None))

    def _operate(self, command: str) -> None:
        controller = self._controller
        spec, status = controller.spec, controller.status
        match command:
            case "promote":
                spec, status = promote(spec, status)
            case "promote-full":
                spec, status = promote_full(spec, status)
            case "abort":
                status = abort(status)
            case "retry":
                status = retry(status)
            case _:
                raise InvalidInput(f"unknown operator command {command!r}")
        controller.apply(spec)
        controller.status = status

    def _outcome(self, next_at: float | None) -> RunFinished | None:
        """Return how the run ended, None while it goes on."""
        status = self._controller.status
        at = moment(self._clock.now())
        phase, message = str(status.phase), status.message
        if status.phase is RolloutPhase.PAUSED:
            waits_for_person = next_at is None and not self._director.awaits_operator
            if waits_for_person and not self._plan.stay_paused:
                return RunFinished(at=at, outcome="paused", phase=phase, message=message)
            return None
        if next_at is not None or self._director.awaits_operator:
            return None
        if status.phase is RolloutPhase.HEALTHY and status.fully_promoted:
            return RunFinished(at=at, outcome="promoted", phase=phase)
        if status.phase is RolloutPhase.DEGRADED:
            return RunFinished(
                at=at,
                outcome="aborted" if status.abort else "degraded",
                phase=phase,
                message=": ".join(filter(None, (message, self._controller.withheld))),
                aborted_at_step=self._controller.aborted_at_step,
            )
        return None

    def _raise_failures(self) -> None:
        failures = self._casualties.failures()
        if failures:
            raise failures[0]
