"""One rollout from `kubectl apply` of the new version to its end.

    bring up stable ──► apply the new version ──► wait for: time, news, scenario ──► outcome

The run ends when the rules have nothing more to do: promoted and scaled down, aborted and scaled
down, or paused with nobody left who could go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rollout_runner.argo.rollout import RolloutPhase, RolloutSpec
from rollout_runner.events import RunFinished, Warned, moment
from rollout_runner.scenarios.model import OPERATOR_COMMANDS, TimelineEntry
from svckit.durations import short_duration
from svckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

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

    async def objection(self) -> str:
        """Ask every program, and say which ones were lost; "" when none."""
        ...

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
            Unavailable: it did not become healthy, or a program was lost before the run began.
        """
        deadline = self._clock.now() + STABLE_SECONDS * self._clock.rate
        while True:
            next_at = await self._controller.reconcile()
            self._raise_failures()
            lost = await self._casualties.objection()
            if lost:
                raise Unavailable(f"the stable version is not up: {lost}")
            if self._controller.status.phase is RolloutPhase.HEALTHY and next_at is None:
                return
            if self._clock.now() >= deadline:
                status = self._controller.status
                raise Unavailable(f"the stable version is {status.phase}: {status.message}")
            await self._alarm.wait_until(deadline if next_at is None else min(next_at, deadline))

    async def execute(self, started: RunStarted, *, notes: Sequence[str] = ()) -> RunFinished:
        """Apply the new version and go on to the end; every event is written on the way.

        Args:
            started: the first event.
            notes: what a reader of the report should know from the start.

        Raises:
            Unavailable: a program could not be started, or the run went on for hours.
        """
        now = self._clock.now()
        self._sink.write(started)
        for note in notes:
            self._sink.write(Warned(at=moment(now), message=note))
        self._director.begin(self._plan.timeline)
        self._controller.apply(self._plan.canary)
        deadline = now + LONGEST_RUN_SECONDS
        while True:
            await self._director.time_passed()
            next_at = await self._settle()
            await self._director.phase_reached(str(self._controller.status.phase))
            if self._director.has_commands:
                continue
            self._raise_failures()
            await self._observer.observe_if_due()
            finished = self._outcome(next_at)
            if finished is not None:
                await self._observer.observe()
                self._tell_what_never_happened()
                self._sink.write(finished)
                return finished
            if self._clock.now() >= deadline:
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

    async def _settle(self) -> float | None:
        """Perform commands and reconcile until neither leads to the other."""
        while True:
            for command in self._director.take_commands():
                await self._controller.operate(command)
            next_at = await self._controller.reconcile()
            if not self._director.has_commands:
                return next_at

    def _outcome(  # noqa: PLR0911 - one return for each end
        self, next_at: float | None
    ) -> RunFinished | None:
        """Return how the run ended, None while it goes on."""
        status = self._controller.status
        at = moment(self._clock.now())
        phase, message = str(status.phase), status.message
        if next_at is not None:
            return None
        match status.phase:
            case RolloutPhase.PAUSED:
                if self._plan.stay_paused or self._director.will(*OPERATOR_COMMANDS):
                    return None
                return RunFinished(at=at, outcome="paused", phase=phase, message=message)
            case RolloutPhase.HEALTHY if (
                self._controller.spec.pod_hash != self._plan.canary.pod_hash
            ):
                return RunFinished(
                    at=at,
                    outcome="aborted",
                    phase=phase,
                    message="undone: the stable version is the wanted one again",
                    aborted_at_step=self._controller.aborted_at_step,
                )
            case RolloutPhase.HEALTHY if status.fully_promoted:
                return RunFinished(at=at, outcome="promoted", phase=phase)
            case RolloutPhase.DEGRADED if not self._director.will("retry", "promote-full", "undo"):
                return RunFinished(
                    at=at,
                    outcome="aborted" if status.abort else "degraded",
                    phase=phase,
                    message=": ".join(filter(None, (message, self._controller.withheld))),
                    aborted_at_step=self._controller.aborted_at_step if status.abort else None,
                )
        return None

    def _tell_what_never_happened(self) -> None:
        for entry in self._director.pending:
            when = str(entry.on) if entry.on else f"after {entry.at:g} s"
            message = f"the scenario's {entry.actions[0]} {when} never happened: the run was over"
            self._sink.write(Warned(at=moment(self._clock.now()), message=message))

    def _raise_failures(self) -> None:
        failures = self._casualties.failures()
        if failures:
            raise failures[0]
