"""Runs one Rollout, as Argo's rollout controller does: reconcile until nothing changes, then wait.

The pure rules say what a pass wants done; this does it through the ports and records it.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout import (
    AnalysisRunState,
    CreateAnalysisRun,
    CreateReplicaSet,
    DeleteReplicaSet,
    Observation,
    RecordEvent,
    ReplicaSet,
    RolloutStatus,
    ScaleReplicaSet,
    SetReplicaSetRevision,
    SetScaleDownDeadline,
    SetServiceSelector,
    SetWeight,
    TerminateAnalysisRun,
    next_at,
    reconcile,
)
from rollout_runner.argo.rollout.operator import abort, promote, promote_full, retry, undo
from rollout_runner.engine.rollout_changes import changes
from rollout_runner.events import (
    ControllerEvent,
    ReplicaSetScaled,
    ServiceSwitched,
    StepStarted,
    WeightChanged,
    moment,
)
from svckit.errors import InvalidInput, SuiteError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rollout_runner.argo.rollout import Effect, RolloutSpec
    from rollout_runner.engine.analysis_controller import AnalysisController
    from rollout_runner.ports import EventSink, Network, Workload
    from svckit.clock import Clock

_STEP_COMPLETED = "RolloutStepCompleted"
_MAX_PASSES = 200
"""More passes than any sequence of immediate changes needs; beyond it the rules contradict."""


class RolloutController:
    """One Rollout and everything it owns: ReplicaSets, Services, AnalysisRuns."""

    def __init__(
        self,
        spec: RolloutSpec,
        *,
        clock: Clock,
        workload: Workload,
        network: Network,
        sink: EventSink,
        create_run: Callable[[CreateAnalysisRun, RolloutSpec], AnalysisController],
        on_split: Callable[[], Awaitable[None]],
        on_step: Callable[[int], Awaitable[None]],
        on_news: Callable[[], None],
        objection: Callable[[], Awaitable[str]],
    ) -> None:
        """Start with a Rollout that no controller has seen yet.

        Args:
            spec: what is wanted now; `apply` changes it.
            clock: the time.
            workload: the pods.
            network: Services and ingress.
            sink: where the record goes.
            create_run: builds an AnalysisRun for the Rollout.
            on_split: awaited before the traffic is split in another way.
            on_step: awaited when a step becomes current, before anything of it happens.
            on_news: called when the task of an AnalysisRun has ended, also by an error.
            objection: a sentence when a promotion must not happen, else "". It is asked when the
                rules would promote; then the update is aborted and `withheld` holds the sentence.
        """
        self.spec = spec
        self.status = RolloutStatus()
        self.weight = 0
        self.aborted_at_step: int | None = None
        self.withheld = ""
        self._clock = clock
        self._workload = workload
        self._network = network
        self._sink = sink
        self._create_run = create_run
        self._on_split = on_split
        self._on_step = on_step
        self._on_news = on_news
        self._objection = objection
        self._replica_sets: dict[str, ReplicaSet] = {}
        self._services: dict[str, str] = {}
        self._runs: dict[str, AnalysisController] = {}
        self._terminated: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._split: dict[str, int] = {}
        self._recorded_weight = 0

    def apply(self, spec: RolloutSpec) -> None:
        """Change the wanted spec, as `kubectl apply` would."""
        self.spec = spec

    @property
    def runs(self) -> tuple[AnalysisController, ...]:
        """Every AnalysisRun that was created."""
        return tuple(self._runs.values())

    async def reconcile(self) -> float | None:
        """Make passes until nothing changes; return when to look again, None for news only."""
        for _ in range(_MAX_PASSES):
            self._raise_failures()
            now = self._clock.now()
            observed = self._observe()
            status, effects = reconcile(self.spec, self.status, observed, now)
            if self._promotes(status):
                self.withheld = await self._objection()
                if self.withheld:
                    # A full promotion that was asked for would lift the abort in the next pass.
                    status, effects = replace(abort(self.status), promote_full=False), ()
            changed = status != self.status
            before, self.status = self.status, status
            for effect in effects:
                await self._perform(effect)
            await self._split_traffic()
            completed = any(
                isinstance(effect, RecordEvent) and effect.reason == _STEP_COMPLETED
                for effect in effects
            )
            await self._record(before, completed=completed)
            if not changed and not effects:
                return next_at(self.spec, self.status, self._observe(), self._clock.now())
        raise SuiteError(
            f"rollout {self.spec.name}: no end after {_MAX_PASSES} passes; this is a bug"
        )

    async def operate(self, command: str) -> None:
        """Let a person act, as `kubectl argo rollouts` does; the next `reconcile` follows it.

        Raises:
            InvalidInput: there is no such command.
        """
        before = self.status
        match command:
            case "promote":
                self.spec, self.status = promote(self.spec, before)
            case "promote-full":
                self.spec, self.status = promote_full(self.spec, before)
            case "abort":
                self.status = abort(before)
            case "retry":
                self.status = retry(before)
            case "undo":
                self.spec = undo(self.spec, self._observe())
                self._note_where(before)
            case _:
                raise InvalidInput(
                    f"unknown operator command {command!r}",
                    hint="expected promote, promote-full, abort, retry or undo",
                )
        await self._record(before)

    async def close(self) -> None:
        """End what still runs."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _promotes(self, after: RolloutStatus) -> bool:
        """Whether the pass makes a new version stable in place of another."""
        before = self.status
        return bool(before.stable_rs) and after.stable_rs != before.stable_rs

    def _note_where(self, status: RolloutStatus) -> None:
        """Remember at which step the update ended."""
        index, steps = status.current_step_index, len(self.spec.canary.steps)
        self.aborted_at_step = index if index is not None and index < steps else None

    def _raise_failures(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def _observe(self) -> Observation:
        available = {name: self._workload.available(name) for name in self._replica_sets}
        return Observation(
            replica_sets={
                name: replace(
                    each,
                    current=each.replicas,
                    ready=min(available[name], each.replicas),
                    available=min(available[name], each.replicas),
                )
                for name, each in self._replica_sets.items()
            },
            analysis_runs={
                name: AnalysisRunState(
                    phase=run.status.phase,
                    message=run.status.message,
                    terminate=name in self._terminated,
                )
                for name, run in self._runs.items()
            },
            services=dict(self._services),
        )

    async def _perform(self, effect: Effect) -> None:  # noqa: C901 - one case per effect
        at = moment(self._clock.now())
        match effect:
            case CreateReplicaSet():
                self._replica_sets[effect.hash] = ReplicaSet(
                    hash=effect.hash,
                    revision=effect.revision,
                    created_at=self._clock.now(),
                    replicas=0,
                    current=0,
                    ready=0,
                    available=0,
                )
            case SetReplicaSetRevision():
                self._change(effect.hash, revision=effect.revision)
            case SetScaleDownDeadline():
                self._change(effect.hash, scale_down_deadline=effect.deadline)
            case ScaleReplicaSet():
                self._change(effect.hash, replicas=effect.replicas)
                await self._split_traffic()  # nobody is sent to pods that are about to go
                await self._workload.scale(effect.hash, effect.replicas)
                self._sink.write(
                    ReplicaSetScaled(at=at, hash=effect.hash, replicas=effect.replicas)
                )
            case DeleteReplicaSet():
                del self._replica_sets[effect.hash]
            case SetServiceSelector():
                self._services[effect.service] = effect.hash
                await self._network.select(effect.service, effect.hash)
                self._sink.write(ServiceSwitched(at=at, service=effect.service, hash=effect.hash))
            case SetWeight():
                self.weight = effect.canary
            case CreateAnalysisRun():
                run = self._create_run(effect, self.spec)
                self._runs[effect.name] = run
                task = asyncio.create_task(run.run())
                task.add_done_callback(lambda _: self._on_news())
                self._tasks.append(task)
            case TerminateAnalysisRun():
                self._terminated.add(effect.name)
                self._runs[effect.name].terminate()
            case RecordEvent():
                self._sink.write(
                    ControllerEvent(at=at, reason=effect.reason, message=effect.message)
                )

    def _change(self, pod_hash: str, **fields: object) -> None:
        self._replica_sets[pod_hash] = replace(self._replica_sets[pod_hash], **fields)  # type: ignore[arg-type]

    async def _split_traffic(self) -> None:
        """Tell the network who gets what, when that has changed."""
        canary, both = self.spec.canary, self.spec.blue_green
        if both is not None:
            active = self._services.get(both.active_service, "")
            split = {active: canary.max_traffic_weight}
            # Before the switch the new version has nothing, after it everything. What is brought up
            # first is nobody's new version.
            switched = bool(self._split) and active not in self._split
            if active != self.spec.pod_hash:
                self.weight = 0
            elif switched:
                self.weight = canary.max_traffic_weight
        elif canary.traffic_routing is None:
            split = self._shares_of_pods()
        else:
            stable_hash = self._services.get(canary.stable_service, "")
            canary_hash = self._services.get(canary.canary_service, "")
            split = {stable_hash: canary.max_traffic_weight - self.weight}
            split[canary_hash] = split.get(canary_hash, 0) + self.weight
        split = {name: weight for name, weight in split.items() if name and weight}
        if split and split != self._split:
            await self._on_split()
            self._split = split
            await self._network.split(split)
        if self.weight != self._recorded_weight:
            self._recorded_weight = self.weight
            self._sink.write(WeightChanged(at=moment(self._clock.now()), weight=self.weight))

    def _shares_of_pods(self) -> dict[str, int]:
        """Return what each hash gets without a router: its share of the available pods.

        The canary's share is its weight, which the rules do not set in this case.
        """
        pods = {
            name: min(self._workload.available(name), each.replicas)
            for name, each in self._replica_sets.items()
        }
        total = sum(pods.values())
        if total:
            canary = 0 if self.status.fully_promoted else pods.get(self.spec.pod_hash, 0)
            self.weight = round(100 * canary / total)
        return pods

    async def _record(self, before: RolloutStatus, *, completed: bool = False) -> None:
        """Write down what the status says that it did not say before."""
        after, steps = self.status, self.spec.canary.steps
        if after.abort and not before.abort:
            self._note_where(before)
        for event in changes(
            before, after, steps=steps, completed=completed, now=self._clock.now()
        ):
            self._sink.write(event)
            if isinstance(event, StepStarted):
                await self._on_step(event.index)
