"""One run in a world: its versions, its votes, its engine."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx

from rollout_runner.adapters.in_process import DrawnStore, InProcessNetwork
from rollout_runner.argo.analysis import resolve_run
from rollout_runner.argo.rollout import CreateAnalysisRun
from rollout_runner.argo.rollout.effects import AnalysisKind
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.analyses import AnalysisPlanner
from rollout_runner.bench.subject import Subject
from rollout_runner.engine.alarm import Alarm
from rollout_runner.engine.analysis_controller import AnalysisController, AnalysisRunPlan
from rollout_runner.engine.director import Director
from rollout_runner.engine.rollout_controller import RolloutController
from rollout_runner.engine.run import RolloutRun, RunPlan
from rollout_runner.engine.traffic_observer import TrafficObserver
from rollout_runner.events import Revision, RunStarted, Step, moment
from rollout_runner.ports import EventSink, MetricProvider
from rollout_runner.simulation.cluster import (
    Role,
    SimulatedNetwork,
    SimulatedPods,
    SimulatedScenario,
)
from rollout_runner.simulation.traffic import SimulatedTraffic
from svckit.asgi import distribution_version
from svckit.clock import Clock
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from rollout_runner.argo.analysis import AnalysisRunStatus
    from rollout_runner.argo.rollout import RolloutAnalysis, RolloutSpec
    from rollout_runner.events import RunFinished
    from rollout_runner.scenarios.model import Behaviour, Scenario
    from rollout_runner.simulation.randomness import RunSeed

APM_SERVICE = "mock-newrelic"
ANALYZER_SERVICE = "canary-analyzer"
WARM_UP_SECONDS = 600.0
"""How long traffic has flowed when something is judged, so that no window reaches before it."""
_PROGRAMS = (APM_SERVICE, ANALYZER_SERVICE)
_NOT_PROGRAMS_HINT = (
    "traffic: {rate: 0/s} ends the votes; canary: {status: 503} makes its pods fail"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """What a world lends to a run."""

    subject: Subject
    argo_version: ArgoVersion
    startup: float
    observe_every: float
    clock: Clock
    network: InProcessNetwork
    store: DrawnStore
    providers: dict[str, MetricProvider]
    planner: AnalysisPlanner
    sink: EventSink
    control: Callable[[str, str, dict[str, Any] | None], Awaitable[httpx.Response]]


class _Lost:
    """The programs that a scenario has stopped."""

    def __init__(self) -> None:
        self.names: list[str] = []

    async def objection(self) -> str:
        if not self.names:
            return ""
        told = "; ".join(f"{name} was stopped by the scenario" for name in self.names)
        return f"{told}: a run that lost one of its programs is not promoted"

    def failures(self) -> list[Exception]:
        return []


class Trial:
    """One rollout, or one AnalysisRun of it."""

    def __init__(self, equipment: Equipment, scenario: Scenario, seed: RunSeed) -> None:
        subject, clock = equipment.subject, equipment.clock
        self._equipment = equipment
        self._clock = clock
        self._sink = equipment.sink
        self._scenario = scenario
        self._seed = seed
        self._alarm = Alarm(clock)
        self._lost = _Lost()
        self._hashes: dict[Role, str] = {
            "stable": subject.stable.pod_hash,
            "canary": subject.canary.pod_hash,
        }
        behaviours = {
            self._hashes["stable"]: scenario.baseline,
            self._hashes["canary"]: like(scenario.baseline, scenario.canary),
        }
        self.traffic = SimulatedTraffic(
            scenario.traffic,
            seed=seed,
            start=clock.now(),
            app=subject.app_name,
            versions={
                pod_hash: (self._labels(role, pod_hash), behaviours[pod_hash])
                for role, pod_hash in self._hashes.items()
            },
            telemetry=equipment.store,
        )
        self._pods = SimulatedPods(clock, startup=equipment.startup, on_change=self._alarm.ring)
        self._network = SimulatedNetwork(
            clock=clock,
            traffic=self.traffic,
            pods=self._pods,
            behaviours=behaviours,
            rng=seed.stream("probes"),
        )
        for service in subject.services:
            equipment.network.serve(
                f"{service}.{subject.namespace}", partial(self._network.answer, service)
            )
        self._stage = SimulatedScenario(
            clock=clock,
            traffic=self.traffic,
            hashes=self._hashes,
            behaviours=behaviours,
            control=equipment.control,
            stop=self._stop,
        )

    async def roll_out(self) -> RunFinished:
        """Bring up stable, let it serve for a while, and roll out the new version."""
        subject = self._equipment.subject
        director = Director(world=self._stage, clock=self._clock, sink=self._sink)
        observer = TrafficObserver(
            network=self._network,
            clock=self._clock,
            sink=self._sink,
            every=self._equipment.observe_every,
        )

        async def step_started(index: int) -> None:
            await observer.observe()
            await director.step_started(index)

        controller = RolloutController(
            subject.stable,
            clock=self._clock,
            workload=self._pods,
            network=self._network,
            sink=self._sink,
            create_run=self._create_run,
            on_split=observer.observe,
            on_step=step_started,
            on_news=self._alarm.ring,
            objection=self._lost.objection,
        )
        run = RolloutRun(
            RunPlan(
                stable=subject.stable,
                canary=subject.canary,
                timeline=self._scenario.timeline,
                stay_paused=False,
            ),
            clock=self._clock,
            alarm=self._alarm,
            controller=controller,
            observer=observer,
            director=director,
            casualties=self._lost,
            sink=self._sink,
        )
        try:
            await run.bring_up_stable()
            await self._clock.sleep(WARM_UP_SECONDS)
            self._network.count_from_now()
            return await run.execute(self._started())
        finally:
            await controller.close()

    async def analyse(
        self, step: int, *, adjust: Callable[[AnalysisRunPlan], AnalysisRunPlan]
    ) -> AnalysisRunStatus:
        """Make the AnalysisRun of a step, with the traffic that the steps before it have made.

        Every step before is taken to last as long as it does when all goes well. What the timeline
        has for a step happens when the step begins.
        """
        subject = self._equipment.subject
        spec = subject.canary.canary
        for pod_hash in self._hashes.values():
            await self._pods.scale(pod_hash, subject.canary.replicas)
        await self._network.select(spec.stable_service, self._hashes["stable"])
        await self._network.select(spec.canary_service, self._hashes["canary"])
        await self._split(0)
        await self._clock.sleep(WARM_UP_SECONDS)
        director = Director(world=self._stage, clock=self._clock, sink=self._sink)
        director.begin(self._scenario.timeline)
        for index, each in enumerate(spec.steps[:step]):
            await director.step_started(index)
            if each.set_weight is not None:
                await self._split(each.set_weight)
            if each.pause is not None:
                await self._clock.sleep(each.pause.seconds)
            if each.analysis is not None:
                await self._clock.sleep(self._planned_seconds(self._plan(each.analysis, index)))
        await director.step_started(step)
        analysis = spec.steps[step].analysis
        assert analysis is not None  # noqa: S101 - the world has looked
        run = self._controller_of(adjust(self._plan(analysis, step)))
        await run.run()
        return run.status

    async def _split(self, weight: int) -> None:
        highest = self._equipment.subject.canary.canary.max_traffic_weight
        weights = {self._hashes["stable"]: highest - weight, self._hashes["canary"]: weight}
        await self._network.split(weights)

    def _plan(self, analysis: RolloutAnalysis, index: int) -> AnalysisRunPlan:
        subject = self._equipment.subject
        return self._equipment.planner.plan(
            CreateAnalysisRun(
                name=f"{subject.canary.name}-{subject.canary.pod_hash}-2-{index}",
                kind=AnalysisKind.STEP,
                step_index=index,
                analysis=analysis,
                pod_hash=subject.canary.pod_hash,
                stable_hash=subject.stable.pod_hash,
                revision=2,
            )
        )

    def _planned_seconds(self, plan: AnalysisRunPlan) -> float:
        """Return how long a run lasts in which every metric takes all of its measurements."""
        metrics = resolve_run(plan.spec, self._equipment.subject.secrets).metrics
        return max(
            (
                (metric.initial_delay_seconds or 0.0)
                + (metric.interval_seconds or 0.0) * max(0, (metric.effective_count or 1) - 1)
                for metric in metrics
            ),
            default=0.0,
        )

    def _stop(self, name: str) -> None:
        """Let a program refuse connections.

        Raises:
            InvalidInput: it does not exist in virtual time.
        """
        if name not in _PROGRAMS:
            raise InvalidInput(
                f"scenario: {name} cannot be stopped in virtual time, where it is no program",
                hint=_NOT_PROGRAMS_HINT,
            )
        self._equipment.network.stop(name)
        self._lost.names.append(name)

    def _labels(self, role: Role, pod_hash: str) -> dict[str, str]:
        """Return what the telemetry of a version carries."""
        return {
            "hash": pod_hash,
            "version": getattr(self._scenario.versions, role),
            "host": f"{self._equipment.subject.canary.name}-{pod_hash}-0",
        }

    def _create_run(self, effect: CreateAnalysisRun, _spec: RolloutSpec) -> AnalysisController:
        return self._controller_of(self._equipment.planner.plan(effect))

    def _controller_of(self, plan: AnalysisRunPlan) -> AnalysisController:
        return AnalysisController(
            plan,
            secrets=self._equipment.subject.secrets,
            providers=self._equipment.providers,
            clock=self._clock,
            version=self._equipment.argo_version,
            sink=self._sink,
            on_phase_change=self._alarm.ring,
        )

    def _started(self) -> RunStarted:
        subject, scenario = self._equipment.subject, self._scenario
        return RunStarted(
            at=moment(self._clock.now()),
            rollout=subject.canary.name,
            namespace=subject.namespace,
            strategy=subject.strategy,
            replicas=subject.canary.replicas,
            steps=tuple(
                Step(index=index, kind=step.kind, text=step.text)
                for index, step in enumerate(subject.canary.canary.steps)
            ),
            stable=Revision(
                hash=subject.stable.pod_hash,
                version=scenario.versions.stable,
                revision=1,
                image=subject.stable_image,
            ),
            canary=Revision(
                hash=subject.canary.pod_hash,
                version=scenario.versions.canary,
                revision=2,
                image=subject.canary_image,
            ),
            manifests=subject.source,
            argo_version=str(self._equipment.argo_version),
            seed=self._seed.seed,
            scenario=scenario.name,
            description=scenario.description,
            traffic=f"{scenario.traffic.rate:g}/s {scenario.traffic.arrivals}",
            gatelab_version=distribution_version(),
        )


def like(baseline: Behaviour, version: Behaviour) -> Behaviour:
    """Return a behaviour that is as fast as the baseline where it does not say otherwise."""
    return version.model_copy(
        update={
            name: getattr(baseline, name)
            for name in ("p50", "p99")
            if getattr(version, name) is None
        }
    )
