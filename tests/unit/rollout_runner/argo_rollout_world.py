"""A tiny simulated cluster that performs the effects of the Rollout controller in virtual time.

Pods become available `startup` seconds after they are asked for; AnalysisRuns end `run_seconds`
after they are created, with the outcome that `outcomes` gives for the name (Successful otherwise).
Every pass is checked: at most one step completes, and the weights add up.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.rollout import (
    AnalysisRunState,
    CreateAnalysisRun,
    CreateReplicaSet,
    DeleteReplicaSet,
    Observation,
    RecordEvent,
    ReplicaSet,
    RolloutSpec,
    RolloutStatus,
    ScaleReplicaSet,
    SetReplicaSetRevision,
    SetScaleDownDeadline,
    SetServiceSelector,
    SetWeight,
    TerminateAnalysisRun,
    next_at,
    promote,
    promote_full,
    read_rollout,
    reconcile,
)
from rollout_runner.argo.types import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout_runner.argo.rollout import Effect

START = 1_750_000_000.0
QA_STEPS: tuple[dict[str, Any], ...] = (
    {"setWeight": 20},
    {"pause": {"duration": "2m"}},
    {"analysis": {"templates": [{"templateName": "health"}]}},
    {"setWeight": 50},
    {"pause": {"duration": "3m"}},
    {"analysis": {"templates": [{"templateName": "apm"}]}},
    {"setWeight": 100},
    {"pause": {"duration": "1m"}},
    {"analysis": {"templates": [{"templateName": "apm"}]}},
)
FAILED_APM = 'Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)'


def rollout_manifest(
    *, steps: tuple[dict[str, Any], ...] = QA_STEPS, routed: bool = True, **canary: Any
) -> dict[str, Any]:
    """Return the Rollout `vote`; `canary` replaces or adds fields of the strategy."""
    strategy: dict[str, Any] = {"steps": deepcopy(list(steps))}
    if routed:
        strategy |= {
            "canaryService": "vote-canary",
            "stableService": "vote",
            "trafficRouting": {"nginx": {"stableIngress": "voting01-ingress"}},
        }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "vote", "namespace": "voting01-qa"},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "vote"}},
            "template": {"metadata": {"labels": {"app": "vote"}}},
            "strategy": {"canary": strategy | canary},
        },
    }


def rollout_spec(pod_hash: str = "old", **options: Any) -> RolloutSpec:
    """Return `rollout_manifest` read, for one pod template."""
    spec_fields = options.pop("spec", {})
    manifest = rollout_manifest(**options)
    manifest["spec"] |= spec_fields
    return read_rollout(manifest, pod_hash=pod_hash)


@dataclass
class World:
    """The cluster, its controller and its clock."""

    spec: RolloutSpec
    now: float = START
    status: RolloutStatus = field(default_factory=RolloutStatus)
    startup: float = 0.0
    run_seconds: float = 60.0
    outcomes: dict[str, tuple[Phase, str]] = field(default_factory=dict)
    replica_sets: dict[str, ReplicaSet] = field(default_factory=dict)
    runs: dict[str, AnalysisRunState] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    effects: list[tuple[float, Effect]] = field(default_factory=list)
    statuses: list[tuple[float, RolloutStatus]] = field(default_factory=list)
    passes: list[tuple[Effect, ...]] = field(default_factory=list)
    created: list[CreateAnalysisRun] = field(default_factory=list)
    stuck_pods: set[str] = field(default_factory=set)
    _ready_at: dict[str, float] = field(default_factory=dict)
    _run_ends: dict[str, float] = field(default_factory=dict)

    @classmethod
    def with_stable(
        cls, *, spec: RolloutSpec | None = None, revision: int = 33, **options: Any
    ) -> World:
        """Return a world in which the pod template `old` has long been rolled out."""
        world = cls(spec=spec or rollout_spec(), **options)
        world.replica_sets[world.spec.pod_hash] = ReplicaSet(
            hash=world.spec.pod_hash,
            revision=revision,
            created_at=world.now,
            replicas=0,
            current=0,
            ready=0,
            available=0,
        )
        world.advance(1000)
        assert str(world.status.phase) == "Healthy"
        world.effects.clear()
        world.statuses.clear()
        world.passes.clear()
        return world

    @property
    def observed(self) -> Observation:
        """What the controller sees now."""
        return Observation(
            replica_sets=dict(self.replica_sets),
            analysis_runs=dict(self.runs),
            services=dict(self.services),
        )

    def deploy(self, pod_hash: str, *, settle: bool = True) -> None:
        """Change the pod template."""
        self.spec = replace(self.spec, pod_hash=pod_hash)
        if settle:
            self.settle()

    def operate(self, command: Callable[[RolloutStatus], RolloutStatus]) -> None:
        """Let a person change the status (abort, retry)."""
        self.status = command(self.status)
        self.settle()

    def promote(self, *, full: bool = False) -> None:
        """Let a person promote."""
        command = promote_full if full else promote
        self.spec, self.status = command(self.spec, self.status)
        self.settle()

    def settle(self) -> None:
        """Make passes until one changes nothing."""
        for _ in range(200):
            index_before = self.status.current_step_index
            before = self.status
            after, effects = reconcile(self.spec, before, self.observed, self.now)
            for effect in effects:
                self._perform(effect)
            self.status = after
            self.passes.append(effects)
            completed = [
                effect
                for effect in effects
                if isinstance(effect, RecordEvent) and effect.reason == "RolloutStepCompleted"
            ]
            assert len(completed) <= 1, "one pass completed two steps"
            if completed:
                assert after.current_step_index == (index_before or 0) + 1
            self.statuses.append((self.now, after))
            if after == before and not effects:
                return
        raise AssertionError(f"never settles: {self.status}")

    def advance(self, seconds: float) -> None:
        """Let time go on, stopping at everything that happens."""
        until = self.now + seconds
        self.settle()
        while True:
            times = [*self._ready_at.values(), *self._run_ends.values()]
            due = next_at(self.spec, self.status, self.observed, self.now)
            if due is not None:
                times.append(due)
            coming = min((at for at in times if at <= until), default=None)
            if coming is None:
                self.now = until
                return
            self.now = max(self.now, coming)
            self._happen()
            self.settle()

    def run_until(self, holds: Callable[[World], bool], limit: float = 7200) -> None:
        """Let time go on event by event until something holds."""
        end = self.now + limit
        self.settle()
        while not holds(self):
            times = [*self._ready_at.values(), *self._run_ends.values()]
            due = next_at(self.spec, self.status, self.observed, self.now)
            if due is not None:
                times.append(due)
            assert times, f"nothing will happen any more: {self.status.message}"
            assert min(times) <= end, "took too long"
            self.now = max(self.now, min(times))
            self._happen()
            self.settle()

    def run_until_step(self, index: int) -> None:
        """Let time go on until a step is current."""
        self.run_until(lambda world: world.status.current_step_index == index)

    @property
    def weight(self) -> int:
        """The canary's weight; -1 before any was set."""
        weights = self.status.canary_weights
        return -1 if weights is None else weights.canary.weight

    def of(self, kind: type[Any]) -> list[Any]:
        """Return all effects of a kind so far."""
        return [effect for _, effect in self.effects if isinstance(effect, kind)]

    def when(self, wanted: Effect) -> float:
        """Return seconds from the start until an effect."""
        return next(at for at, effect in self.effects if effect == wanted) - START

    def events(self, *reasons: str) -> list[str]:
        """Return the messages of all events with one of these reasons."""
        return [event.message for event in self.of(RecordEvent) if event.reason in reasons]

    def _happen(self) -> None:
        for pod_hash, at in list(self._ready_at.items()):
            if at <= self.now:
                del self._ready_at[pod_hash]
                rs = self.replica_sets[pod_hash]
                self.replica_sets[pod_hash] = replace(rs, ready=rs.replicas, available=rs.replicas)
        for name, at in list(self._run_ends.items()):
            if at <= self.now:
                del self._run_ends[name]
                phase, message = self.outcomes.get(name, (Phase.SUCCESSFUL, ""))
                self.runs[name] = replace(self.runs[name], phase=phase, message=message)

    def _perform(self, effect: Effect) -> None:  # noqa: C901 - one case for each effect
        self.effects.append((self.now, effect))
        match effect:
            case CreateReplicaSet(hash=pod_hash, revision=revision):
                assert pod_hash not in self.replica_sets
                self.replica_sets[pod_hash] = ReplicaSet(
                    hash=pod_hash,
                    revision=revision,
                    created_at=self.now,
                    replicas=0,
                    current=0,
                    ready=0,
                    available=0,
                )
            case SetReplicaSetRevision(hash=pod_hash, revision=revision):
                rs = self.replica_sets[pod_hash]
                self.replica_sets[pod_hash] = replace(rs, revision=revision)
            case ScaleReplicaSet(hash=pod_hash, replicas=replicas):
                self._scale(pod_hash, replicas)
            case SetScaleDownDeadline(hash=pod_hash, deadline=deadline):
                rs = self.replica_sets[pod_hash]
                self.replica_sets[pod_hash] = replace(rs, scale_down_deadline=deadline)
            case DeleteReplicaSet(hash=pod_hash):
                assert self.replica_sets.pop(pod_hash).current == 0
            case SetServiceSelector(service=service, hash=pod_hash):
                self.services[service] = pod_hash
            case SetWeight(canary=canary, stable=stable):
                assert canary + stable == self.spec.canary.max_traffic_weight
            case CreateAnalysisRun(name=name):
                assert name not in self.runs, "an AnalysisRun was created twice"
                self.created.append(effect)
                self.runs[name] = AnalysisRunState(phase=Phase.RUNNING)
                self._run_ends[name] = self.now + self.run_seconds
            case TerminateAnalysisRun(name=name):
                self._run_ends.pop(name, None)
                self.runs[name] = replace(
                    self.runs[name],
                    terminate=True,
                    phase=Phase.SUCCESSFUL,
                    message="Run Terminated",
                )
            case RecordEvent():
                pass

    def _scale(self, pod_hash: str, replicas: int) -> None:
        rs = self.replica_sets[pod_hash]
        rs = replace(
            rs,
            replicas=replicas,
            current=replicas,
            ready=min(rs.ready, replicas),
            available=min(rs.available, replicas),
        )
        self._ready_at.pop(pod_hash, None)
        if rs.available < replicas and pod_hash not in self.stuck_pods:
            if self.startup == 0:
                rs = replace(rs, ready=replicas, available=replicas)
            else:
                self._ready_at[pod_hash] = self.now + self.startup
        self.replica_sets[pod_hash] = rs
