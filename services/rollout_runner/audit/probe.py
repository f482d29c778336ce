"""One gate in one world: what its analysis does with a canary under a fault.

Every metric is made a dry run, so that each takes all of its measurements whatever the others do:
that is how it ends by itself, and what the whole analysis does follows from it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.analysis import resolve_run
from rollout_runner.argo.analysis.rules import dry_run_metrics
from rollout_runner.argo.types import Phase
from rollout_runner.audit.faults import Change, Inject, Target
from rollout_runner.audit.gates import bounded
from rollout_runner.audit.judgement import Observation
from rollout_runner.audit.matrix import Canary
from rollout_runner.audit.network import AuditNetwork
from rollout_runner.audit.scripts import ScriptProvider
from rollout_runner.scenarios.model import Scenario
from rollout_runner.simulation.randomness import RunSeed
from rollout_runner.simulation.world import SimulatedWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from rollout_runner.argo.analysis import Metric
    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.audit.faults import ChangeKind, Fault
    from rollout_runner.bench.subject import Subject
    from rollout_runner.engine.analysis_controller import AnalysisRunPlan
    from rollout_runner.ports import MetricProvider
    from svckit.virtual_time import VirtualClock

TRAFFIC: Final = {"rate": 50, "arrivals": "constant"}
BEHAVIOURS: Final[dict[Canary, dict[str, Any]]] = {
    Canary.GOOD: {"errors": "0%"},
    Canary.FAILING: {"errors": "50%", "latency": {"add": "2s"}},
    Canary.DOWN: {"status": 503},
}
_ALL = (".",)
_REAL_MILLISECONDS = re.compile(r'"latencyMs":[0-9.]+')
"""What the analyzer's probe takes is real time: it would differ from one audit to the next."""
_FOR_EVER = "24h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What was seen: each metric by itself, the run when it could not start, and who was asked."""

    observations: tuple[Observation, ...]
    run_phase: Phase | None
    run_message: str
    asked: frozenset[Target]


class Probe:
    """A world for one subject, perhaps with a mistake in the set-up of its gates."""

    def __init__(
        self,
        subject: Subject,
        *,
        argo_version: ArgoVersion,
        folder: Path,
        seed: int,
        change: ChangeKind | None = None,
    ) -> None:
        self._subject = changed(subject, change)
        self._network = AuditNetwork()
        self._network.services = subject.services
        self._seed = RunSeed(seed)
        self._scripts: ScriptProvider | None = None
        self._folder = folder
        self._dry: frozenset[str] = frozenset()
        self._metrics: tuple[Metric, ...] = ()
        self._world = SimulatedWorld(
            self._subject,
            argo_version=argo_version,
            network=self._network,
            providers=self._providers,
            reuse_apm=True,
        )

    def look(
        self,
        index: int,
        canary: Canary,
        fault: Fault | None = None,
        *,
        only: Collection[str] | None = None,
    ) -> Sight:
        """Make the analysis of a step; `only` names the metrics that matter."""
        self._network.fault = fault
        self._network.asked.clear()
        self._network.page_is_fine = canary is Canary.FAILING
        if self._scripts is not None:
            self._scripts.begin(
                slow=fault is not None and fault.slow, steady=fault is None or fault.steady
            )
        self._metrics = ()

        def adjust(plan: AnalysisRunPlan) -> AnalysisRunPlan:
            spec = bounded(plan.spec)
            if only is not None:
                kept = tuple(each for each in spec.metrics if each["name"] in only)
                spec = replace(spec, metrics=kept)
            resolved = resolve_run(spec, self._subject.secrets)
            self._metrics = resolved.metrics
            names = [each.name for each in self._metrics]
            self._dry = dry_run_metrics(spec.dry_run, names) if names else frozenset()
            return replace(plan, spec=replace(spec, dry_run=_ALL))

        analysis = self._world.analyse(
            index, self._scenario(canary, fault), self._seed, adjust=adjust
        )
        measured: tuple[Metric, ...] = self._metrics if analysis.status.metric_results else ()
        return Sight(
            observations=tuple(
                self._observe(each, analysis.status.result(each.name)) for each in measured
            ),
            run_phase=analysis.status.phase,
            run_message=analysis.status.message,
            asked=frozenset(self._network.asked),
        )

    def close(self) -> None:
        """End the world."""
        self._world.close()

    def _scenario(self, canary: Canary, fault: Fault | None) -> Scenario:
        timeline = []
        if fault is not None and isinstance(fault.means, Inject):
            injection: dict[str, Any] = {
                "app": "*",
                "effect": self._by_hash(fault.means.effect),
                "ttl": _FOR_EVER,
            }
            if fault.means.role:
                injection["role"] = fault.means.role
            timeline = [{"on": {"step": 0}, "inject": injection}]
        return Scenario.model_validate(
            {
                "name": "audit",
                "traffic": TRAFFIC,
                "baseline": BEHAVIOURS[Canary.GOOD],
                "canary": BEHAVIOURS[canary],
                "timeline": timeline,
            }
        )

    def _by_hash(self, effect: Mapping[str, Any]) -> dict[str, Any]:
        """Return the effect with roles as telemetry has them: the hash of their pods."""
        copied = effect.get("copy")
        if isinstance(copied, dict) and copied.get("role") == "stable":
            return {"copy": {"hash": self._subject.stable.pod_hash}}
        return dict(effect)

    def _observe(self, metric: Metric, result: Any) -> Observation:
        last = None if result is None else result.last_measurement
        provider = metric.provider_names[0]
        value = "" if last is None else last.value
        if provider == "job" and self._scripts is not None:
            execution = self._scripts.executions.get(metric.name)
            value = "" if execution is None else execution.output
            if execution is not None and execution.killed:
                value = f"{value} ({execution.killed})".strip()
        return Observation(
            metric=metric.name,
            provider=provider,
            phase=None if result is None else result.phase,
            ended_at=0.0 if last is None else last.finished_at or 0.0,
            value=_REAL_MILLISECONDS.sub('"latencyMs":0', value),
            message=(last.message if last is not None else "")
            or ("" if result is None else result.message),
            success_condition=metric.success_condition,
            failure_condition=metric.failure_condition,
            dry_run=metric.name in self._dry,
        )

    def _providers(self, clock: VirtualClock) -> Mapping[str, MetricProvider]:
        self._network.sleep = clock.sleep
        self._scripts = ScriptProvider(
            clock=clock,
            network=self._network,
            namespace=self._subject.namespace,
            secrets=self._subject.secrets,
            config_maps=self._subject.config_maps,
            folder=self._folder,
        )
        return {"job": self._scripts}


def changed(subject: Subject, kind: ChangeKind | None) -> Subject:
    """Return the subject with a mistake in its set-up; the APM keeps the key that it had."""
    match kind:
        case None:
            return subject
        case "no_secret":
            return replace(subject, secrets={}, controller_secrets={})
        case "no_secret_key":
            return _with_secrets(subject, lambda _: {})
        case "wrong_secret":
            return _with_secrets(subject, lambda values: dict.fromkeys(values, "not-the-key"))
        case "other_app_name":
            return replace(subject, app_name=f"{subject.app_name}-renamed")
        case "no_config_map":
            return replace(subject, config_maps={})


def _with_secrets(
    subject: Subject, change: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> Subject:
    return replace(
        subject,
        secrets={name: change(values) for name, values in subject.secrets.items()},
        controller_secrets={
            name: change(values) for name, values in subject.controller_secrets.items()
        },
    )


def change_of(fault: Fault) -> ChangeKind | None:
    """Return the mistake in the set-up that the fault is, if it is one."""
    return fault.means.kind if isinstance(fault.means, Change) else None
