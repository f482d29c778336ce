"""A whole rollout in virtual time: the real engine between fakes that do nothing but remember.

The clock stands still until every task waits for it, then jumps to the next instant at which one of
them wants to wake, so a run of eleven minutes takes no time and always goes the same way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from rollout_runner.argo.analysis import Metric
from rollout_runner.argo.rollout import CreateAnalysisRun, RolloutSpec
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.bench.analyses import AnalysisPlanner
from rollout_runner.bench.subject import Subject
from rollout_runner.engine.alarm import Alarm
from rollout_runner.engine.analysis_controller import AnalysisController
from rollout_runner.engine.director import Director
from rollout_runner.engine.rollout_controller import RolloutController
from rollout_runner.engine.run import RolloutRun, RunPlan
from rollout_runner.engine.traffic_observer import TrafficObserver
from rollout_runner.events import (
    Event,
    Revision,
    RunFinished,
    RunStarted,
    Step,
    VersionTraffic,
    encode,
    moment,
)
from rollout_runner.scenarios.model import TimelineEntry, Versions
from svckit.clock import ManualClock

QA = Path(__file__).resolve().parent.parent / "deploy" / "rendered" / "qa.yaml"
T = TypeVar("T")
_JUMPS = 20_000


async def settle() -> None:
    """Let every task run until all of them wait for the clock or for each other."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]
            return


async def run_in_virtual_time(
    clock: ManualClock, work: Awaitable[T], *, until: float | None = None
) -> T | None:
    """Jump through virtual time until the work is done.

    With `until` it stops at that instant at the latest; the work is then cancelled and None
    returned. Work that waits for something that never comes fails the test.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(_JUMPS):
            await settle()
            if task.done():
                return task.result()
            wake = clock.next_wake
            assert wake is not None, "everybody waits and nobody will wake"
            if until is not None and wake > until:
                return None
            clock.advance(max(0.0, wake - clock.now()))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    raise AssertionError("no end after so many jumps")


class Log:
    """An event sink that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def write(self, event: Event) -> None:
        """Remember the event."""
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        """Return the events of a kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def encoded(self) -> bytes:
        """Return the log as it would be on disk."""
        return b"".join(encode(event) + b"\n" for event in self.events)


class Pods:
    """A workload whose pods need `startup` virtual seconds; hashes in `stuck` never come up."""

    def __init__(self, clock: ManualClock, on_change: Callable[[], None], startup: float) -> None:
        self.stuck: set[str] = set()
        self._clock = clock
        self._on_change = on_change
        self._startup = startup
        self._replicas: dict[str, int] = {}
        self._up: set[str] = set()
        self._starting: dict[str, asyncio.Task[None]] = {}

    async def scale(self, pod_hash: str, replicas: int) -> None:
        """Set the replica count."""
        self._replicas[pod_hash] = replicas
        if not replicas:
            self._up.discard(pod_hash)
        elif pod_hash not in self._up and pod_hash not in self.stuck:
            self._starting[pod_hash] = asyncio.create_task(self._come_up(pod_hash))

    def available(self, pod_hash: str) -> int:
        """Return the replica count once the pods are up."""
        return self._replicas.get(pod_hash, 0) if pod_hash in self._up else 0

    async def _come_up(self, pod_hash: str) -> None:
        await self._clock.sleep(self._startup)
        self._up.add(pod_hash)
        self._on_change()


class Roads:
    """A network that counts ten requests a virtual second and splits them by weight."""

    def __init__(self, clock: ManualClock) -> None:
        self.selected: dict[str, str] = {}
        self.splits: list[dict[str, int]] = []
        self._clock = clock
        self._since = clock.now()
        self._served: dict[str, float] = {}

    async def select(self, service: str, pod_hash: str) -> None:
        """Remember what the Service selects."""
        self.selected[service] = pod_hash

    async def split(self, weights: Mapping[str, int]) -> None:
        """Split the traffic from now on."""
        self._count()
        self.splits.append(dict(weights))

    async def observe(self) -> Sequence[VersionTraffic]:
        """Return the totals."""
        self._count()
        return [
            VersionTraffic(hash=name, requests=int(served), errors=0)
            for name, served in self._served.items()
        ]

    def _count(self) -> None:
        seconds, self._since = self._clock.now() - self._since, self._clock.now()
        if self.splits:
            weights = self.splits[-1]
            for name, weight in weights.items():
                share = 10 * seconds * weight / sum(weights.values())
                self._served[name] = self._served.get(name, 0.0) + share


Script = Callable[[Metric, str], Awaitable[Measurement]]


class ScriptedProvider:
    """Answers by metric name with a list of phases (the last one for ever) or with a function.

    A metric without a script is Successful; every answer takes `seconds` of virtual time.
    """

    def __init__(self, clock: ManualClock, seconds: float = 0.0) -> None:
        self.script: dict[str, list[Phase] | Script] = {}
        self.calls: list[str] = []
        self.seconds = seconds
        self._clock = clock

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:
        """Give the next answer."""
        self.calls.append(measurement_name)
        script = self.script.get(metric.name, [Phase.SUCCESSFUL])
        if callable(script):
            return await script(metric, measurement_name)
        if self.seconds:
            await self._clock.sleep(self.seconds)
        phase = script.pop(0) if len(script) > 1 else script[0]
        if phase is Phase.ERROR:
            return Measurement(phase=phase, message="connection refused")
        return Measurement(phase=phase, value=f'"{metric.name}"')

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: none is ever in flight."""
        raise AssertionError(f"{metric.name}: nothing to resume")

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: none is ever in flight."""
        raise AssertionError(f"{metric.name}: nothing to terminate")


class Stage:
    """A world that only remembers what a scenario asked of it, and when."""

    def __init__(self, clock: ManualClock) -> None:
        self.acts: list[tuple[float, str]] = []
        self.failure: Exception | None = None
        self._clock = clock
        self._opened_at = clock.now()

    async def act(self, entry: TimelineEntry) -> str:
        """Remember the action and the instant."""
        if self.failure is not None:
            raise self.failure
        self.acts.append((self._clock.now(), entry.actions[0]))
        return f"did {entry.actions[0]}"


@dataclass
class Losses:
    """The programs of the run: what was lost and what could not be started."""

    objected: str = ""
    failed: list[Exception] = field(default_factory=list)

    async def objection(self) -> str:
        """Return why nothing may be promoted."""
        return self.objected

    def failures(self) -> list[Exception]:
        """Return what could not be started."""
        return self.failed


class Trial:
    """The QA Rollout between fakes. Change the fakes, then `play`."""

    def __init__(
        self,
        clock: ManualClock,
        *timeline: dict[str, Any],
        manifests: Path = QA,
        startup: float = 2.0,
        stay_paused: bool = False,
        version: ArgoVersion = ArgoVersion.V1_9,
    ) -> None:
        self.subject = Subject.load(
            manifests, rollout=None, versions=Versions(), providers=("web", "job")
        )
        self.stable_hash = self.subject.stable.pod_hash
        self.canary_hash = self.subject.canary.pod_hash
        self.clock = clock
        self.log = Log()
        self.alarm = Alarm(clock)
        self.pods = Pods(clock, self.alarm.ring, startup)
        self.roads = Roads(clock)
        self.provider = ScriptedProvider(clock)
        self.stage = Stage(clock)
        self.losses = Losses()
        self.began_at = 0.0
        self.stable_log: list[Event] = []
        self._version = version
        self._planner = AnalysisPlanner(
            templates=self.subject.templates, rollout=self.subject.manifest
        )
        director = Director(world=self.stage, clock=clock, sink=self.log)
        observer = TrafficObserver(network=self.roads, clock=clock, sink=self.log)
        self.controller = RolloutController(
            self.subject.stable,
            clock=clock,
            workload=self.pods,
            network=self.roads,
            sink=self.log,
            create_run=self._create_run,
            on_split=observer.observe,
            on_step=director.step_started,
            on_news=self.alarm.ring,
            objection=self.losses.objection,
        )
        self.run = RolloutRun(
            RunPlan(
                stable=self.subject.stable,
                canary=self.subject.canary,
                timeline=tuple(TimelineEntry.model_validate(entry) for entry in timeline),
                stay_paused=stay_paused,
            ),
            clock=clock,
            alarm=self.alarm,
            controller=self.controller,
            observer=observer,
            director=director,
            casualties=self.losses,
            sink=self.log,
        )

    async def bring_up(self) -> None:
        """Bring up the stable version; its events are moved to `stable_log`."""
        await run_in_virtual_time(self.clock, self.run.bring_up_stable())
        self.stable_log, self.log.events = self.log.events, []

    async def play(self, *, seconds: float | None = None) -> RunFinished | None:
        """Bring up stable and run to the end, or for so long; None when it was not over then."""
        if not self.stable_log:
            await self.bring_up()
        self.began_at = self.clock.now()
        until = None if seconds is None else self.began_at + seconds
        try:
            return await run_in_virtual_time(
                self.clock, self.run.execute(self._started()), until=until
            )
        finally:
            await self.controller.close()

    def seconds(self, event: Event) -> float:
        """Return when an event was, in seconds since the run began."""
        return event.at.timestamp() - self.began_at

    def _create_run(self, effect: CreateAnalysisRun, _spec: RolloutSpec) -> AnalysisController:
        return AnalysisController(
            self._planner.plan(effect),
            secrets=self.subject.secrets,
            providers={"web": self.provider, "job": self.provider},
            clock=self.clock,
            version=self._version,
            sink=self.log,
            on_phase_change=self.alarm.ring,
        )

    def _started(self) -> RunStarted:
        canary = self.subject.canary
        return RunStarted(
            at=moment(self.clock.now()),
            rollout=canary.name,
            namespace=self.subject.namespace,
            strategy=self.subject.strategy,
            replicas=canary.replicas,
            steps=tuple(
                Step(index=index, kind=step.kind, text=step.text)
                for index, step in enumerate(canary.canary.steps)
            ),
            stable=Revision(hash=self.stable_hash, version="v16", revision=1),
            canary=Revision(hash=self.canary_hash, version="v17", revision=2),
            manifests=self.subject.source,
            argo_version=str(self._version),
        )
