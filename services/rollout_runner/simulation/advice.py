"""What a gate can see at all: app-wide error rates at the weights of a rollout, in words.

An app-wide rate mixes both versions: at weight w it reads w·canary + (1-w)·stable. A threshold
that a bad canary crosses alone may be far above what it reads at a low weight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from rollout_runner.argo.analysis import resolve_run
from rollout_runner.argo.rollout import CreateAnalysisRun
from rollout_runner.argo.rollout.effects import AnalysisKind
from rollout_runner.bench.analyses import AnalysisPlanner
from svckit.durations import DurationError, parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rollout_runner.bench.subject import Subject
    from rollout_runner.scenarios.model import Behaviour, Scenario

_SELECTORS = frozenset({"hash", "role", "version", "host"})
_CONDITION = re.compile(r"result\.errorRate\s*(<=?)\s*([0-9]+(?:\.[0-9]+)?)")
_FULL = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class AppWideGate:
    """A metric that passes while the error rate of the whole application is below a threshold.

    `threshold` is percent, `weight` that of the canary when the analysis begins, `window` seconds.
    """

    step: int
    metric: str
    threshold: float
    weight: int
    window: float

    def reads(self, canary: float, stable: float) -> float:
        """Return the rate in percent that it is told, on average."""
        return mixed(self.weight, canary, stable)


def mixed(weight: int, canary: float, stable: float) -> float:
    """Return the app-wide rate at a weight, in the unit of the rates.

    >>> round(mixed(20, 5.2, 0.0), 4)
    1.04
    """
    return (weight * canary + (_FULL - weight) * stable) / _FULL


def app_wide_gates(subject: Subject) -> list[AppWideGate]:
    """Return the app-wide error-rate gates of a Rollout's steps."""
    planner = AnalysisPlanner(templates=subject.templates, rollout=subject.manifest)
    gates: list[AppWideGate] = []
    weight = 0
    for index, step in enumerate(subject.canary.canary.steps):
        if step.set_weight is not None:
            weight = step.set_weight
        if step.analysis is None:
            continue
        plan = planner.plan(
            CreateAnalysisRun(
                name=f"{subject.canary.name}-{index}",
                kind=AnalysisKind.STEP,
                step_index=index,
                analysis=step.analysis,
                pod_hash=subject.canary.pod_hash,
                stable_hash=subject.stable.pod_hash,
                revision=2,
            )
        )
        for metric in resolve_run(plan.spec, subject.secrets).metrics:
            found = _read(metric.provider.get("web") or {}, metric.success_condition)
            if found is not None:
                threshold, window = found
                gates.append(
                    AppWideGate(
                        step=index,
                        metric=metric.name,
                        threshold=threshold,
                        weight=weight,
                        window=window,
                    )
                )
    return gates


def readings_by_weight(subject: Subject, scenario: Scenario) -> list[dict[str, Any]]:
    """Return what an app-wide error rate reads at each weight of the rollout, in percent."""
    canary, stable = _percent(scenario.canary), _percent(scenario.baseline)
    weights = [
        step.set_weight for step in subject.canary.canary.steps if step.set_weight is not None
    ]
    return [
        {"weight": weight, "errorRate": round(mixed(weight, canary, stable), 4)}
        for weight in dict.fromkeys(weights)
    ]


def advise(
    subject: Subject, scenario: Scenario, gates: Sequence[AppWideGate], result: dict[str, Any]
) -> list[str]:
    """Return sentences for whoever owns the gate.

    Args:
        subject: the Rollout.
        scenario: what was simulated.
        gates: its app-wide gates.
        result: the result document of the study.
    """
    return [*_odds(scenario, result), *_blind(subject, scenario, gates), *_noise(scenario, gates)]


def _odds(scenario: Scenario, result: dict[str, Any]) -> Iterator[str]:
    canary, stable = _percent(scenario.canary), _percent(scenario.baseline)
    chance = result["probabilities"]["promoted"]
    low, high = result["intervals"]["promoted"]
    within = f"{_share(low)} to {_share(high)}"
    if canary > stable:
        yield (
            f"A canary with {canary:g} % errors beside a stable version with {stable:g} % is"
            f" promoted in {_share(chance)} of the rollouts ({within})."
        )
    elif scenario.canary == scenario.baseline or canary == stable:
        stopped = 1 - chance
        yield (
            f"A canary that fails as often as the stable version ({stable:g} %) is stopped in"
            f" {_share(stopped)} of the rollouts ({_share(1 - high)} to {_share(1 - low)}):"
            " that is the false-alarm rate where it is no slower either."
        )


def _blind(subject: Subject, scenario: Scenario, gates: Sequence[AppWideGate]) -> Iterator[str]:
    canary, stable = _percent(scenario.canary), _percent(scenario.baseline)
    weights = sorted(
        {each.set_weight for each in subject.canary.canary.steps if each.set_weight is not None}
    )
    told: set[tuple[str, float, int]] = set()
    for gate in gates:
        for weight in (gate.weight, *weights):
            reads = mixed(weight, canary, stable)
            if (
                not canary >= gate.threshold > reads
                or (gate.metric, gate.threshold, weight) in told
            ):
                continue
            told.add((gate.metric, gate.threshold, weight))
            needed = (gate.threshold * _FULL - (_FULL - weight) * stable) / weight if weight else 0
            mixture = f"{weight} % of {canary:g} % and {_FULL - weight} % of {stable:g} %"
            visible = (
                f"only a canary above {needed:.3g} % crosses the threshold there"
                if 0 < needed <= _FULL
                else "no canary crosses the threshold there"
            )
            here = "" if weight == gate.weight else ", where it does not ask"
            reading = f"it reads {reads:.4g} % ({mixture}); {visible}"
            yield (
                f"With this traffic the {gate.threshold:g} % gate {gate.metric!r} cannot see a"
                f" {canary:g} % canary at weight {weight}{here}: {reading}."
                " Ask for the canary alone (hash=), or compare it with stable."
            )


def _noise(scenario: Scenario, gates: Sequence[AppWideGate]) -> Iterator[str]:
    """Tell about gates whose threshold lies within the noise of their own reading."""
    canary, stable = _percent(scenario.canary), _percent(scenario.baseline)
    rate = scenario.traffic.rate
    for gate in gates:
        reads = gate.reads(canary, stable) / _FULL
        requests = rate * gate.window
        if requests <= 0:
            yield (
                f"Without traffic the gate {gate.metric!r} of step {gate.step} has nothing to"
                " judge, and no data never passes."
            )
            continue
        deviation = _FULL * sqrt(reads * (1 - reads) / requests)
        if 0 < abs(gate.threshold - _FULL * reads) < 2 * deviation:
            yield (
                f"The gate {gate.metric!r} of step {gate.step} decides by chance: it reads"
                f" {_FULL * reads:.3g} % give or take {deviation:.2g} ({requests:.0f} requests),"
                f" and its threshold is {gate.threshold:g} %."
            )


def _read(web: Any, condition: str) -> tuple[float, float] | None:
    """Return threshold and window of a metric that asks for the whole application's error rate."""
    parts = urlsplit(str(web.get("url") or ""))
    query = parse_qs(parts.query)
    wanted = query.get("metric", [""])[0]
    selects = any(name in _SELECTORS or name.startswith("label.") for name in query)
    match = _CONDITION.fullmatch(condition.strip())
    if not parts.path.endswith("/v1/metrics") or wanted != "errorRate" or selects or not match:
        return None
    try:
        window = parse_duration(query.get("window", [""])[0])
    except DurationError:
        return None
    return float(match[2]), window


def _percent(behaviour: Behaviour) -> float:
    if behaviour.status is not None and behaviour.errors is None:
        return float(_FULL)
    # Ratios come from decimal percents: eight digits give them back.
    return round(_FULL * (behaviour.errors or 0.0), 8)


def _share(value: float) -> str:
    return f"{_FULL * value:.3g} %"
