"""`gatelab simulate` as a value in and a document out: one gate, a sweep, two gates compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.subject import Subject
from rollout_runner.scenarios.model import Behaviour, Scenario, TimelineEntry, Trigger
from rollout_runner.simulation.advice import advise, app_wide_gates, readings_by_weight
from rollout_runner.simulation.estimate import compare, estimate
from rollout_runner.simulation.flags import Sweep
from rollout_runner.simulation.study import Executor, StudyPlan, run_study
from rollout_runner.simulation.trial import like
from svckit.asgi import distribution_version
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout_runner.simulation.summary import RunSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What is tried how often.

    Attributes:
        subject: the Rollout with its gates.
        against: another one to compare with on the same runs, or None.
        scenario: traffic, behaviours, timeline.
        argo_version: whose behaviour is taken.
        runs: how often each case is tried.
        seed: of all of them.
        sweep: values of one field of the canary, or None.
    """

    subject: Subject
    against: Subject | None = None
    scenario: Scenario
    argo_version: ArgoVersion
    runs: int
    seed: int
    sweep: Sweep | None = None


def perform(
    experiment: Experiment, executor: Executor, progress: Callable[[int, int], None]
) -> dict[str, Any]:
    """Make all runs and return the result document."""
    subjects = [experiment.subject] + ([experiment.against] if experiment.against else [])
    scenarios = _scenarios(experiment)
    plans = [
        StudyPlan(subject=subject, scenario=scenario, argo_version=experiment.argo_version)
        for subject in subjects
        for scenario in scenarios
    ]
    made = run_study(
        plans, runs=experiment.runs, seed=experiment.seed, executor=executor, progress=progress
    )
    cases = [
        _case(
            experiment,
            scenario,
            [made[index + len(scenarios) * which] for which in range(len(subjects))],
        )
        for index, scenario in enumerate(scenarios)
    ]
    described = _described(experiment)
    if experiment.sweep is None:
        return {**cases[0], **described}
    sweep = experiment.sweep
    points = [
        {"value": value, "label": sweep.label(value), **case}
        for value, case in zip(sweep.values, cases, strict=True)
    ]
    return {
        "runs": experiment.runs,
        "seed": experiment.seed,
        **described,
        "sweep": {"field": sweep.field, "points": points},
    }


def turned_bad_at(step: int, scenario: Scenario) -> Scenario:
    """Return the scenario in which the canary is like stable until a step begins."""
    entry = TimelineEntry(on=Trigger(step=step), canary=scenario.canary)
    timeline = (entry, *scenario.timeline)
    return scenario.model_copy(update={"canary": scenario.baseline, "timeline": timeline})


def check_step(step: int, subject: Subject) -> None:
    """Refuse a step that does not exist.

    Raises:
        InvalidInput: it does not.
    """
    steps = len(subject.canary.canary.steps)
    if not 0 <= step < steps:
        raise InvalidInput(
            f"--at {step}: the Rollout {subject.canary.name} has {steps} steps",
            hint=f"steps count from 0 to {steps - 1}",
        )


def _scenarios(experiment: Experiment) -> list[Scenario]:
    scenario, sweep = experiment.scenario, experiment.sweep
    if sweep is None:
        return [scenario]
    made = []
    for value in sweep.values:
        entries = tuple(
            entry.model_copy(update={"canary": sweep.apply(entry.canary, scenario.baseline, value)})
            if entry.canary is not None
            else entry
            for entry in scenario.timeline
        )
        if entries != scenario.timeline:
            # The canary turns bad later: that is what is swept.
            made.append(scenario.model_copy(update={"timeline": entries}))
            continue
        canary = sweep.apply(scenario.canary, scenario.baseline, value)
        made.append(scenario.model_copy(update={"canary": canary}))
    return made


def _case(
    experiment: Experiment, scenario: Scenario, studies: list[list[RunSummary]]
) -> dict[str, Any]:
    """Return the document of one scenario."""
    document = estimate(studies[0], seed=experiment.seed)
    seen = _as_it_becomes(scenario)
    gates = app_wide_gates(experiment.subject)
    document["advice"] = advise(experiment.subject, seen, gates, document)
    document["appWideReadings"] = readings_by_weight(experiment.subject, seen)
    if experiment.against is not None:
        document["against"] = {
            "manifests": experiment.against.source,
            **estimate(studies[1], seed=experiment.seed),
        }
        document["comparison"] = compare(studies[0], studies[1])
    return document


def _as_it_becomes(scenario: Scenario) -> Scenario:
    """Return the scenario with the canary as the last change of the timeline leaves it."""
    canary, baseline = scenario.canary, scenario.baseline
    for entry in scenario.timeline:
        canary, baseline = entry.canary or canary, entry.baseline or baseline
    return scenario.model_copy(update={"canary": like(baseline, canary), "baseline": baseline})


def _described(experiment: Experiment) -> dict[str, Any]:
    """Return what was tried, for readers of the document."""
    scenario = experiment.scenario
    return {
        "manifests": experiment.subject.source,
        "rollout": experiment.subject.canary.name,
        "namespace": experiment.subject.namespace,
        "argoVersion": str(experiment.argo_version),
        "scenario": scenario.name,
        "traffic": f"{scenario.traffic.rate:g}/s {scenario.traffic.arrivals}",
        "baseline": _behaviour(scenario.baseline),
        "canary": _behaviour(scenario.canary),
        "timeline": [
            entry.model_dump(mode="json", exclude_none=True, by_alias=True)
            for entry in scenario.timeline
        ],
        "gatelabVersion": distribution_version(),
    }


def _behaviour(behaviour: Behaviour) -> dict[str, Any]:
    """Return a behaviour with its times in seconds and its errors as a ratio."""
    return behaviour.model_dump(mode="json", exclude_none=True, by_alias=True)
