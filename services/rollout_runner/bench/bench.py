"""One rollout on one machine: start the programs, drive the run, end the programs."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rollout_runner.adapters.bench_network import BenchNetwork
from rollout_runner.adapters.bench_world import BenchWorld
from rollout_runner.adapters.cluster_network import Address, ClusterNetwork
from rollout_runner.adapters.operator_server import operator_server
from rollout_runner.adapters.providers.http import http_providers
from rollout_runner.adapters.providers.job import JobProvider
from rollout_runner.adapters.voteapp_workload import VoteappWorkload
from rollout_runner.argo.analysis.metric import MEASURED_PROVIDERS
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.analyses import AnalysisPlanner
from rollout_runner.bench.programs import Programs
from rollout_runner.engine.alarm import Alarm
from rollout_runner.engine.analysis_controller import AnalysisController
from rollout_runner.engine.director import Director
from rollout_runner.engine.rollout_controller import RolloutController
from rollout_runner.engine.run import RolloutRun, RunPlan
from rollout_runner.engine.traffic_observer import TrafficObserver
from rollout_runner.events import (
    Event,
    ProcessExited,
    ProcessStarted,
    Revision,
    RunFinished,
    RunStarted,
    Step,
    Warned,
    moment,
)
from rollout_runner.scenarios.model import OPERATOR_COMMANDS, Scenario
from svckit.asgi import distribution_version
from svckit.clock import ScaledClock, SystemClock
from svckit.errors import SuiteError
from svckit.httpclient import create_http_client

if TYPE_CHECKING:
    from rollout_runner.adapters.processes import ServiceProcess
    from rollout_runner.argo.rollout import CreateAnalysisRun, RolloutSpec
    from rollout_runner.bench.subject import Subject
    from rollout_runner.ports import EventSink, MetricProvider

ADMIN_KEY = "bench-admin-key"
APM_SERVICE = "mock-newrelic"
ANALYZER_SERVICE = "canary-analyzer"
PROVIDERS = MEASURED_PROVIDERS
LOGS = "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """How a run is made.

    `speed` is virtual seconds per real second; `folder` receives one log per program in `logs`,
    and the control file while the run lasts.
    """

    speed: float
    argo_version: ArgoVersion
    scenario: Scenario
    stay_paused: bool
    folder: Path


async def run_on_bench(subject: Subject, options: BenchOptions, sink: EventSink) -> RunFinished:
    """Run the subject once and return how it ended; every event goes to the sink.

    Raises:
        Unavailable: a program did not start or could not do what the scenario asks.
        InvalidInput: the scenario asks for something that a program refuses.
    """
    async with AsyncExitStack() as stack:
        bench = _Bench(subject, options, sink, stack)
        try:
            return await bench.run()
        except SuiteError as error:
            bench.warn(f"the run could not go on: {error.detail}")
            raise


class _Prelude:
    """Holds back what happens before the run begins: of it only the programs are told."""

    def __init__(self, sink: EventSink) -> None:
        self._sink = sink
        self._held: list[Event] = []
        self._open = False

    def write(self, event: Event) -> None:
        if self._open or isinstance(event, RunStarted):
            self._sink.write(event)
        elif isinstance(event, ProcessStarted | ProcessExited | Warned):
            self._held.append(event)
        if isinstance(event, RunStarted):
            self._open = True
            for held in self._held:
                self._sink.write(held)


class _Bench:
    def __init__(
        self, subject: Subject, options: BenchOptions, sink: EventSink, stack: AsyncExitStack
    ) -> None:
        self._subject = subject
        self._options = options
        self._scenario = options.scenario
        self._stack = stack
        self._sink = _Prelude(sink)
        # Whole seconds: the epoch travels to the programs as an RFC 3339 timestamp.
        epoch = float(int(SystemClock().now()))
        self._clock = ScaledClock(epoch=epoch, rate=options.speed)
        self._alarm = Alarm(self._clock)
        self._cluster = ClusterNetwork()
        self._programs = Programs(
            clock=self._clock,
            log_dir=options.folder / LOGS,
            sink=self._sink,
            on_change=self._alarm.ring,
        )
        self._roles: dict[Literal["stable", "canary"], str] = {
            "stable": subject.stable.pod_hash,
            "canary": subject.canary.pod_hash,
        }
        self._runs: list[AnalysisController] = []

    async def run(self) -> RunFinished:
        subject, scenario = self._subject, self._scenario
        self._stack.push_async_callback(self._cluster.close)
        await self._cluster.open([f"{name}.{subject.namespace}" for name in subject.services])
        self._stack.push_async_callback(self._programs.close)
        apm = await self._start_apm()
        await self._start_analyzer(apm)
        votegen = await self._programs.start("votegen", "votegen")
        http = await self._stack.enter_async_context(create_http_client())
        generator = await self._stack.enter_async_context(
            create_http_client(base_url=votegen.url, timeout_seconds=5)
        )
        workload = VoteappWorkload(
            start=self._start_version,
            network=self._cluster,
            on_change=self._alarm.ring,
            on_failure=self._programs.report_failure,
        )
        network = BenchNetwork(
            cluster=self._cluster,
            namespace=subject.namespace,
            votegen=generator,
            url_of=workload.url,
            traffic=scenario.traffic,
            seed=scenario.seed,
            lose=self._lose_votegen,
        )
        self._world = BenchWorld(
            scenario,
            hashes=self._roles,
            url_of=workload.url,
            http=http,
            apm_url=apm.url,
            admin_key=ADMIN_KEY,
            network=network,
            stop=self._lose,
        )
        self._apm_url = apm.url
        self._providers = self._build_providers()
        director = Director(world=self._world, clock=self._clock, sink=self._sink)
        observer = TrafficObserver(network=network, clock=self._clock, sink=self._sink)

        async def objection() -> str:
            await observer.observe()  # a generator that has stopped sending is lost as well
            return await self._programs.objection()

        async def step_started(index: int) -> None:
            await observer.observe()  # so that the totals of each step are exact
            await director.step_started(index)

        controller = RolloutController(
            subject.stable,
            clock=self._clock,
            workload=workload,
            network=network,
            sink=self._sink,
            create_run=self._create_run,
            on_split=observer.observe,
            on_step=step_started,
            on_news=self._alarm.ring,
            objection=objection,
        )
        self._stack.push_async_callback(controller.close)
        run = RolloutRun(
            RunPlan(
                stable=subject.stable,
                canary=subject.canary,
                timeline=scenario.timeline,
                stay_paused=self._options.stay_paused,
            ),
            clock=self._clock,
            alarm=self._alarm,
            controller=controller,
            observer=observer,
            director=director,
            casualties=self._programs,
            sink=self._sink,
        )
        await run.bring_up_stable()

        def operate(command: str) -> None:
            director.request(command)
            self._alarm.ring()

        def status() -> dict[str, Any]:
            return controller.status.to_json()

        await self._stack.enter_async_context(
            operator_server(
                self._options.folder,
                commands=OPERATOR_COMMANDS,
                operate=operate,
                status=status,
            )
        )
        return await run.execute(self._started(), notes=self._notes())

    async def _start_apm(self) -> ServiceProcess:
        apm = await self._programs.start(
            APM_SERVICE,
            "mock_newrelic",
            "--ephemeral",
            environment={
                "MOCK_NEWRELIC_API_KEYS": ",".join(self._subject.gate_keys),
                "MOCK_NEWRELIC_ADMIN_KEY": ADMIN_KEY,
            },
        )
        self._cluster.publish(APM_SERVICE, Address.of_url(apm.url))
        return apm

    async def _start_analyzer(self, apm: ServiceProcess) -> None:
        resolve = ",".join(f"{name}={at}" for name, at in self._cluster.services.items())
        analyzer = await self._programs.start(
            ANALYZER_SERVICE,
            "analyzer",
            "--source",
            f"newrelic={apm.url}",
            environment={
                "ANALYZER_NEWRELIC_API_KEY": self._subject.apm_key,
                "ANALYZER_HEALTH_ALLOW": f"{self._subject.namespace}/*",
                "ANALYZER_HEALTH_RESOLVE": resolve,
            },
        )
        for name in (ANALYZER_SERVICE, "analyzer"):
            self._cluster.publish(name, Address.of_url(analyzer.url))

    async def _start_version(self, pod_hash: str) -> ServiceProcess:
        """Start the pods of a hash and make them behave as the scenario wants."""
        role: Literal["stable", "canary"] = (
            "stable" if pod_hash == self._roles["stable"] else "canary"
        )
        process = await self._programs.start(
            role,
            "voteapp",
            "--hash",
            pod_hash,
            "--version",
            getattr(self._scenario.versions, role),
            "--report-to",
            self._apm_url,
            "--app",
            self._subject.app_name,
            "--seed",
            str(self._scenario.seed),
            environment={"VOTEAPP_API_KEY": self._subject.apm_key},
        )
        await self._world.behave(pod_hash, process.url)
        return process

    async def _lose(self, name: str) -> None:
        await self._programs.lose(name)

    def _build_providers(self) -> dict[str, MetricProvider]:
        subject = self._subject
        job = JobProvider(
            clock=self._clock,
            version=self._options.argo_version,
            namespace=subject.namespace,
            secrets=subject.secrets,
            config_maps=subject.config_maps,
            environment={"http_proxy": self._cluster.proxy_url},
            log_dir=self._options.folder / LOGS,
            on_finished=self._wake_runs,
        )
        self._stack.push_async_callback(job.close)
        http = http_providers(
            clock=self._clock,
            resolve=self._cluster.resolve,
            version=self._options.argo_version,
            warn=self.warn,
            controller_secrets=subject.controller_secrets,
        )
        for provider in http.values():
            self._stack.push_async_callback(provider.close)
        return {**http, "job": job}

    def _create_run(self, effect: CreateAnalysisRun, _spec: RolloutSpec) -> AnalysisController:
        planner = AnalysisPlanner(templates=self._subject.templates, rollout=self._subject.manifest)
        run = AnalysisController(
            planner.plan(effect),
            secrets=self._subject.secrets,
            providers=self._providers,
            clock=self._clock,
            version=self._options.argo_version,
            sink=self._sink,
            on_phase_change=self._alarm.ring,
        )
        self._runs.append(run)
        return run

    def _notes(self) -> list[str]:
        """Say what manifests and scenario ask for that a live run on one machine does not do."""
        notes = [
            f"{field} has no effect without a cluster"
            for field in self._subject.canary.without_effect
        ]
        if self._subject.strategy == "RollingUpdate":
            notes.append(
                "a Deployment is updated by the rules of a Rollout without steps: there is no gate"
                " but readiness"
            )
        behaviours = [self._scenario.baseline, self._scenario.canary]
        for entry in self._scenario.timeline:
            behaviours += filter(None, (entry.canary, entry.baseline))
        if any(each.p50 is not None or each.p99 is not None for each in behaviours):
            notes.append("p50 and p99 shape simulated traffic; a live version is as fast as it is")
        return notes

    def _lose_votegen(self, how: str) -> None:
        if self._programs.declare_lost("votegen", how):
            self.warn(f"votegen {how}")

    def _wake_runs(self) -> None:
        for run in self._runs:
            run.wake()

    def warn(self, message: str) -> None:
        """Write down what a reader of the report should know."""
        self._sink.write(Warned(at=moment(self._clock.now()), message=message))

    def _started(self) -> RunStarted:
        subject, scenario = self._subject, self._scenario
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
            argo_version=str(self._options.argo_version),
            speed=self._options.speed,
            seed=scenario.seed,
            scenario=scenario.name,
            description=scenario.description,
            traffic=f"{scenario.traffic.rate:g}/s {scenario.traffic.arrivals}",
            gatelab_version=distribution_version(),
        )
