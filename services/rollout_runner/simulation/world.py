"""One process in virtual time: the engine, the real APM and the real analyzer, simulated votes.

A world is built once for a Rollout and used for many runs, one after the other:

    world = SimulatedWorld(subject, argo_version=ArgoVersion.V1_9)
    run = world.run(scenario, RunSeed(seed=7, number=0))
    run.finished.outcome, run.events

A run is a whole rollout. `analyse` makes the AnalysisRun of one step instead, which is less work:
of the steps before it only weights and time pass, as when all goes well.
In both, an injection at a step is an entry of the scenario's timeline.

The same subject, scenario and seed give the same run, whatever was run before.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import anyio.to_thread
import httpx

from rollout_runner.adapters.in_process import (
    InProcessNetwork,
    ask,
    create_apm,
    running_analyzer,
)
from rollout_runner.adapters.providers.http import http_providers
from rollout_runner.argo.analysis import AnalysisRunStatus
from rollout_runner.bench.analyses import AnalysisPlanner
from rollout_runner.engine.traffic_observer import OBSERVE_SECONDS
from rollout_runner.events import Event, RunFinished, RunStarted, Warned, moment
from rollout_runner.simulation.trial import (
    ANALYZER_SERVICE,
    APM_SERVICE,
    Equipment,
    Trial,
)
from svckit.errors import InvalidInput
from svckit.virtual_time import EPOCH, VirtualClock, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.bench.subject import Subject
    from rollout_runner.engine.analysis_controller import AnalysisRunPlan
    from rollout_runner.ports import MetricProvider
    from rollout_runner.scenarios.model import Scenario
    from rollout_runner.simulation.randomness import RunSeed

T = TypeVar("T")

APM_URL = f"http://{APM_SERVICE}.apm.svc.cluster.local:8080"
ADMIN_KEY = "virtual-admin-key"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedRun:
    """One rollout: how it ended and everything that happened, in order."""

    started: RunStarted
    finished: RunFinished
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedAnalysis:
    """One AnalysisRun: its status as Argo would record it, and everything that happened."""

    status: AnalysisRunStatus
    events: tuple[Event, ...]


class SimulatedWorld:
    """Everything that one Rollout meets, in one process.

    Args:
        subject: the Rollout with all that its gates refer to.
        argo_version: whose behaviour is taken.
        startup: virtual seconds until pods are available.
        observe_every: virtual seconds between two looks at the traffic. Steps, splits and the end
            are always looked at; infinity leaves it at that.
        network: what everybody is connected to, when it is to be a special one.
        providers: what measures besides the providers over HTTP, by Argo's name.
        reuse_apm: empty the APM after a run with injections instead of building another one, which
            is faster; injections that strike by chance then depend on the runs before.
    """

    def __init__(
        self,
        subject: Subject,
        *,
        argo_version: ArgoVersion,
        startup: float = 0.0,
        observe_every: float = OBSERVE_SECONDS,
        network: InProcessNetwork | None = None,
        providers: Callable[[VirtualClock], Mapping[str, MetricProvider]] | None = None,
        reuse_apm: bool = False,
    ) -> None:
        self.subject = subject
        self._version = argo_version
        self._startup = startup
        self._observe_every = observe_every
        self._loop = VirtualLoop(EPOCH)
        self._clock = VirtualClock(self._loop)
        self._network = network or InProcessNetwork()
        self._planner = AnalysisPlanner(templates=subject.templates, rollout=subject.manifest)
        self._providers = http_providers(
            clock=self._clock,
            resolve=lambda _host: None,
            version=argo_version,
            warn=self._warn,
            controller_secrets=subject.controller_secrets,
            transport=self._network,
        )
        self._extra = providers(self._clock) if providers else {}
        self._analyzers = AsyncExitStack()
        self._events: list[Event] = []
        self._trial: Trial | None = None
        self._injected = False
        self._reuse_apm = reuse_apm
        self._complete(self._count_threads())
        self._open_apm()
        self._complete(self._open_analyzer())

    def run(self, scenario: Scenario, seed: RunSeed) -> SimulatedRun:
        """Make one whole rollout of the scenario.

        Raises:
            InvalidInput: the scenario asks for something that virtual time has not.
            Unavailable: the run went on for hours.
        """
        trial = self._begin(scenario, seed)
        finished = self._complete(trial.roll_out())
        first, started = next(
            (index, event)
            for index, event in enumerate(self._events)
            if isinstance(event, RunStarted)
        )
        return SimulatedRun(started=started, finished=finished, events=tuple(self._events[first:]))

    def analyse(
        self,
        step: int,
        scenario: Scenario,
        seed: RunSeed,
        *,
        adjust: Callable[[AnalysisRunPlan], AnalysisRunPlan] = lambda plan: plan,
    ) -> SimulatedAnalysis:
        """Make the AnalysisRun of one step, with the traffic that the steps before it have made.

        Timeline entries of a step up to that one happen when their step begins; all others are
        left out. `adjust` may change the run before it is created.

        Raises:
            InvalidInput: the step is no analysis, or the scenario asks for something that virtual
                time has not.
        """
        steps = self.subject.canary.canary.steps
        analysis = steps[step].analysis if 0 <= step < len(steps) else None
        if analysis is None:
            raise InvalidInput(
                f"step {step} of {self.subject.canary.name} is no analysis",
                hint="analyses are at "
                + (", ".join(str(index) for index in self.analysis_steps) or "no step at all"),
            )
        trial = self._begin(scenario, seed)
        status = self._complete(trial.analyse(step, adjust=adjust))
        return SimulatedAnalysis(status=status, events=tuple(self._events))

    @property
    def analysis_steps(self) -> tuple[int, ...]:
        """The indices of the steps that are analyses."""
        steps = self.subject.canary.canary.steps
        return tuple(index for index, each in enumerate(steps) if each.analysis is not None)

    def close(self) -> None:
        """Let go of everything; the world cannot be used afterwards."""
        if not self._loop.is_closed():
            self._complete(self._analyzers.aclose())
            for provider in self._providers.values():
                self._complete(provider.close())
            self._complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def write(self, event: Event) -> None:
        """Remember an event of the run."""
        self._events.append(event)

    def _begin(self, scenario: Scenario, seed: RunSeed) -> Trial:
        """Forget the run before and prepare one."""
        self._trial = None
        self._events = []
        self._network.restart_all()
        self._loop.rewind(EPOCH)
        if self._injected and not self._reuse_apm:
            # The numbers of injections go on counting, and their chance depends on them.
            self._open_apm()
        else:
            self._complete(self._control("POST", "/control/reset", None))
        if self._network.runs_judged:
            self._complete(self._open_analyzer())
        self._injected = any(entry.inject is not None for entry in scenario.timeline)
        equipment = Equipment(
            subject=self.subject,
            argo_version=self._version,
            startup=self._startup,
            observe_every=self._observe_every,
            clock=self._clock,
            network=self._network,
            store=self._store,
            providers={**self._providers, **self._extra},
            planner=self._planner,
            sink=self,
            control=self._control,
        )
        self._trial = Trial(equipment, scenario, seed)
        return self._trial

    def _open_apm(self) -> None:
        self._apm, self._store = create_apm(
            clock=self._clock,
            catch_up=self._catch_up,
            api_keys=self.subject.gate_keys,
            admin_key=ADMIN_KEY,
        )
        self._network.publish(APM_SERVICE, self._apm)

    async def _open_analyzer(self) -> None:
        """Start an analyzer that knows of no run; the one before ends."""
        self._network.runs_judged = False
        await self._analyzers.aclose()
        analyzer = await self._analyzers.enter_async_context(
            running_analyzer(
                clock=self._clock,
                network=self._network,
                apm_url=APM_URL,
                api_key=self.subject.apm_key,
                allow=f"{self.subject.namespace}/*",
            )
        )
        for name in (ANALYZER_SERVICE, "analyzer"):
            self._network.publish(name, analyzer)

    def _catch_up(self) -> None:
        """Report the votes of the seconds that are over."""
        if self._trial is not None:
            self._trial.traffic.tell(self._loop.time())

    def _complete(self, work: Coroutine[Any, Any, T]) -> T:
        return self._loop.run_until_complete(work)

    async def _count_threads(self) -> None:
        self._loop.wait_for_threads_of(anyio.to_thread.current_default_thread_limiter())

    async def _control(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        """Tell the APM's control plane something.

        Raises:
            InvalidInput: it refuses.
        """
        request = httpx.Request(
            method, f"{APM_URL}{path}", json=body, headers={"Api-Key": ADMIN_KEY}
        )
        response = await ask(self._apm, request)
        if response.is_error:
            raise InvalidInput(f"scenario: {method} {path} refused {body}: {response.text}")
        return response

    def _warn(self, message: str) -> None:
        self.write(Warned(at=moment(self._clock.now()), message=message))
