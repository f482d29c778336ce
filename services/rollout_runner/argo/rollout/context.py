"""One pass of the controller while it is being made: what it saw, and what it has decided."""

from __future__ import annotations

from dataclasses import dataclass, field

from rollout_runner.argo.rollout.effects import (
    Effect,
    RecordEvent,
    ScaleReplicaSet,
    SetScaleDownDeadline,
    SetServiceSelector,
)
from rollout_runner.argo.rollout.model import RolloutSpec
from rollout_runner.argo.rollout.names import replica_set_name
from rollout_runner.argo.rollout.observation import Observation, ReplicaSet
from rollout_runner.argo.rollout.pause import PauseContext, PauseReason
from rollout_runner.argo.rollout.status import (
    AnalysisRunRef,
    BlueGreenStatus,
    RolloutStatus,
    TrafficWeights,
)
from rollout_runner.argo.types import Phase


@dataclass(slots=True)
class PassContext:
    """The only mutable object of a pass; it does not outlive it.

    `status` stays what it was when the pass began. `weights`, `step_run`, `background_run` and
    `blue_green` are what the next status will say.
    """

    spec: RolloutSpec
    status: RolloutStatus
    observed: Observation
    now: float
    new_rs: ReplicaSet | None = None
    stable_rs: ReplicaSet | None = None
    other_rss: tuple[ReplicaSet, ...] = ()
    pause: PauseContext = field(default_factory=PauseContext)
    weights: TrafficWeights | None = None
    step_run: AnalysisRunRef | None = None
    background_run: AnalysisRunRef | None = None
    blue_green: BlueGreenStatus = field(default_factory=BlueGreenStatus)
    effects: list[Effect] = field(default_factory=list)

    @classmethod
    def begin(
        cls, spec: RolloutSpec, status: RolloutStatus, observed: Observation, now: float
    ) -> PassContext:
        """Sort the ReplicaSets into new, stable and others."""
        own = {spec.pod_hash, status.stable_rs}
        return cls(
            spec=spec,
            status=status,
            observed=observed,
            now=now,
            new_rs=observed.replica_sets.get(spec.pod_hash),
            stable_rs=observed.replica_sets.get(status.stable_rs),
            other_rss=tuple(rs for rs in observed.replica_sets.values() if rs.hash not in own),
            weights=status.canary_weights,
            blue_green=status.blue_green,
        )

    @property
    def revision(self) -> int:
        """Revision of the Rollout: that of the newest template."""
        return 0 if self.new_rs is None else self.new_rs.revision

    @property
    def aborted(self) -> bool:
        """Whether the update is aborted, as far as this pass knows."""
        return self.pause.is_aborted(self.status)

    @property
    def halted(self) -> bool:
        """Whether pods and services must stay as they are."""
        return (
            self.spec.paused
            or self.status.pause_condition(PauseReason.INCONCLUSIVE_ANALYSIS) is not None
        )

    @property
    def delays_scale_down_on_abort(self) -> bool:
        """Whether the pods of an aborted canary are kept for a while."""
        canary, blue_green = self.spec.canary, self.spec.blue_green
        if blue_green is not None:
            return (
                self.aborted
                and self.stable_rs is not None
                and blue_green.abort_scale_down_delay is not None
            )
        return (
            self.aborted
            and self.stable_rs is not None
            and canary.traffic_routing is not None
            and canary.abort_scale_down_delay is not None
            and (not canary.dynamic_stable_scale or canary.has_explicit_abort_delay)
        )

    @property
    def within_rollback_window(self) -> bool:
        """Whether the wanted template is an old one, close enough to stable to skip the steps."""
        new, stable = self.new_rs, self.stable_rs
        if new is None or stable is None or not new.created_at < stable.created_at:
            return False
        between = sum(
            1
            for rs in self.observed.replica_sets.values()
            if new.created_at < rs.created_at < stable.created_at
        )
        return between < self.spec.rollback_window_revisions

    @property
    def fast_rollback(self) -> bool:
        """Whether steps and analysis are skipped because the template is known to be good.

        A fully promoted Rollout counts as well: nothing tells it from a finished rollback.
        """
        new, stable = self.new_rs, self.stable_rs
        if new is None or stable is None:
            return False
        if self.spec.blue_green is not None and new.created_at < stable.created_at:
            # Its pods were active a moment ago and are still there.
            deadline = new.scale_down_deadline
            if deadline is not None and deadline > self.now:
                return True
        return self.within_rollback_window or new.hash == self.status.stable_rs

    @property
    def post_promotion_succeeded(self) -> bool:
        """Whether the analysis after the switch of a blue-green update was successful."""
        run = self.blue_green.post_promotion_run
        return run is not None and run.phase is Phase.SUCCESSFUL

    def selected(self, service: str) -> str:
        """Return the hash that a Service selects once the effects so far are performed."""
        found = self.observed.services.get(service, "")
        for effect in self.effects:
            if isinstance(effect, SetServiceSelector) and effect.service == service:
                found = effect.hash
        return found

    def event(self, reason: str, message: str, *, warning: bool = False) -> None:
        """Record an event."""
        self.effects.append(RecordEvent(reason=reason, message=message, warning=warning))

    def name_of(self, rs: ReplicaSet) -> str:
        """Return the name of a ReplicaSet."""
        return replica_set_name(self.spec.name, rs.hash)

    def scale(self, rs: ReplicaSet, replicas: int) -> bool:
        """Scale a ReplicaSet unless it has that size; tell whether it was needed."""
        if rs.replicas == replicas:
            return False
        self.effects.append(ScaleReplicaSet(hash=rs.hash, replicas=replicas))
        if replicas == 0 and not self.delays_scale_down_on_abort:
            self.set_deadline(rs, None)
        direction = "up" if rs.replicas < replicas else "down"
        self.event(
            "ScalingReplicaSet",
            f"Scaled {direction} ReplicaSet {self.name_of(rs)} (revision {rs.revision}) "
            f"from {rs.replicas} to {replicas}",
        )
        return True

    def set_deadline(self, rs: ReplicaSet, deadline: float | None) -> None:
        """Set or take away a ReplicaSet's scale-down deadline."""
        if rs.scale_down_deadline != deadline:
            self.effects.append(SetScaleDownDeadline(hash=rs.hash, deadline=deadline))

    def select(self, service: str, rs: ReplicaSet | None, *, check_availability: bool) -> None:
        """Point a Service at a ReplicaSet, if that has pods to serve.

        One available pod is enough, except for a Service that is selected for the first time: it
        may be in use already, so it waits for all pods. Source: ensureSVCTargets.
        """
        if rs is None or not service:
            return
        present = self.observed.services.get(service, "")
        if present == rs.hash:
            return
        if check_availability:
            adopting = not present
            if rs.available == 0 or (adopting and rs.available < rs.replicas):
                return
        self.effects.append(SetServiceSelector(service=service, hash=rs.hash))
        self.event(
            "SwitchService",
            f"Switched selector for service '{service}' from '{present}' to '{rs.hash}'",
        )
