"""What makes a Rollout invalid, in Argo's words."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo.analysis import AnalysisTemplate
from rollout_runner.argo.rollout import (
    RolloutSpec,
    analysis_problems,
    spec_problems,
    with_invalid_spec,
)
from unit.rollout_runner.argo_rollout_world import World, rollout_manifest, rollout_spec


def template(name: str = "apm", *, args: tuple[str, ...] = (), **metric: Any) -> AnalysisTemplate:
    """Return a template with one metric that is measured once, unless `metric` says otherwise."""
    return AnalysisTemplate.from_manifest(
        {
            "kind": "AnalysisTemplate",
            "metadata": {"name": name},
            "spec": {
                "args": [{"name": each} for each in args],
                "metrics": [{"name": "rate", "provider": {"web": {"url": "http://apm"}}} | metric],
            },
        }
    )


def problems(spec: RolloutSpec, *templates: AnalysisTemplate) -> tuple[str, ...]:
    """Return what is wrong with the analyses of a spec, given the templates that there are."""
    known = templates or (template("apm"), template("health"))
    return analysis_problems(spec, known, rollout_manifest())


def test_the_qa_rollout_is_valid() -> None:
    """Nothing is wrong with it."""
    assert spec_problems(rollout_spec()) == ()
    assert problems(rollout_spec()) == ()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        pytest.param(
            {"steps": ({"setWeight": 101},)},
            "spec.strategy.steps[0].setWeight: Invalid value: 101: "
            "SetWeight needs to be between 0 and 100",
            id="weight",
        ),
        pytest.param(
            {"steps": ({"setWeight": 5}, {"pause": {"duration": "1d"}})},
            "spec.strategy.steps[1].pause.duration: Invalid value: -1: "
            "Duration needs to be greater than 0",
            id="pause",
        ),
        pytest.param(
            {"steps": ({},)},
            'spec.strategy.steps[0]: Invalid value: "step.Experiment: true step.Pause: true '
            "step.SetWeight: true step.Analysis: true step.SetCanaryScale: true "
            'step.SetHeaderRoute: true step.SetMirrorRoute: true step.Plugin: true": Step must '
            "have one of the following set: experiment, setWeight, setCanaryScale, plugin or pause",
            id="empty-step",
        ),
        pytest.param(
            {"steps": ({"setWeight": 5, "pause": {}},)},
            'spec.strategy.steps[0]: Invalid value: "step.Experiment: false step.Pause: true '
            'step.SetWeight: true step.Analysis: false": Step must have '
            "one of the following set: experiment, setWeight, setCanaryScale, plugin or pause",
            id="two-kinds",
        ),
        pytest.param(
            {"canaryService": "vote"},
            'spec.strategy.stableService: Invalid value: "vote": This rollout uses the same '
            "service for the stable and canary services, but two different services are required.",
            id="one-service",
        ),
        pytest.param(
            {"stableService": ""},
            'spec.strategy.stableService: Invalid value: "": '
            "Canary service and Stable service must to be set to use Traffic Routing",
            id="no-service",
        ),
        pytest.param(
            {"maxSurge": 0, "maxUnavailable": "0%"},
            "spec.strategy.maxSurge: Invalid value: 0: "
            "MaxSurge and MaxUnavailable both can not be zero",
            id="no-room",
        ),
        pytest.param(
            {"routed": False, "scaleDownDelaySeconds": 5},
            "spec.strategy.scaleDownDelaySeconds: Invalid value: 5: "
            "Canary scaleDownDelaySeconds can only be used with traffic routing",
            id="delay-without-router",
        ),
        pytest.param(
            {"routed": False, "dynamicStableScale": True},
            "spec.strategy.dynamicStableScale: Invalid value: true: "
            "Canary dynamicStableScale can only be used with traffic routing",
            id="dynamic-without-router",
        ),
        pytest.param(
            {"scaleDownDelaySeconds": 5, "dynamicStableScale": True},
            "spec.strategy.dynamicStableScale: Invalid value: true: "
            "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds",
            id="dynamic-with-delay",
        ),
        pytest.param(
            {"routed": False, "steps": ({"setCanaryScale": {"replicas": 1}},)},
            "spec.strategy.trafficRouting: Required value: "
            "SetCanaryScale requires TrafficRouting to be set",
            id="scale-without-router",
        ),
        pytest.param(
            {"spec": {"replicas": -1}},
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            id="replicas",
        ),
        pytest.param(
            {"spec": {"minReadySeconds": 600}},
            "spec.progressDeadlineSeconds: Invalid value: 600: "
            "must be greater than minReadySeconds",
            id="deadline",
        ),
    ],
)
def test_problems_of_the_spec(options: dict[str, Any], problem: str) -> None:
    """The first problem that is found is the one that the cluster shows."""
    assert spec_problems(rollout_spec(**options))[0] == problem


@pytest.mark.parametrize(
    ("templates", "problem"),
    [
        pytest.param(
            (template("apm"),),
            'spec.strategy.canary.steps[2].analysis.templates: Invalid value: "health": '
            "AnalysisTemplate 'health' not found",
            id="template-missing",
        ),
        pytest.param(
            (template("apm"), template("health", interval="30s")),
            'spec.strategy.canary.steps[2].analysis.templates: Invalid value: "health": '
            "AnalysisTemplate health has metric rate which runs indefinitely. "
            "Invalid value for count: <nil>",
            id="endless-metric",
        ),
        pytest.param(
            (template("apm"), template("health", args=("url",))),
            "spec.strategy.canary.steps[2].analysis.templates: Invalid value: "
            '"templateNames: [health]": args.url was not resolved',
            id="argument-missing",
        ),
    ],
)
def test_problems_of_analyses(templates: tuple[AnalysisTemplate, ...], problem: str) -> None:
    """The templates of an analysis exist, get their arguments, and come to an end."""
    assert problems(rollout_spec(), *templates)[0] == problem


def test_count_from_an_argument_needs_a_numeric_default() -> None:
    """A count that comes from the Rollout is not seen by the check for endless metrics."""
    step = {
        "analysis": {
            "templates": [{"templateName": "apm"}],
            "args": [{"name": "n", "value": "3"}],
        }
    }
    apm = template("apm", args=("n",), interval="30s", count="{{args.n}}")
    (problem,) = problems(rollout_spec(steps=(step,)), apm)
    assert problem.endswith("runs indefinitely. Invalid value for count: dummy-value")


def test_background_analysis_may_be_endless() -> None:
    """An analysis beside the steps may run until the promotion."""
    spec = rollout_spec(steps=(), analysis={"templates": [{"templateName": "apm"}]})
    assert problems(spec, template("apm", interval="30s")) == ()


def test_invalid_rollout_is_degraded_until_it_is_mended() -> None:
    """The condition shows as phase and message, follows the problem, and goes with the cause."""
    world = World.with_stable()
    for problem in ("first", "second"):
        world.status = with_invalid_spec(world.spec, world.status, problem, world.now)
        assert str(world.status.phase) == "Degraded"
        assert world.status.message == f'InvalidSpec: The Rollout "vote" is invalid: {problem}'
    world.settle()
    assert (str(world.status.phase), world.status.message) == ("Healthy", "")
