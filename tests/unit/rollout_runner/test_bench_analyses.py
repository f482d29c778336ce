"""From what a Rollout says about an analysis to an AnalysisRun that can start."""

from __future__ import annotations

import pytest

from rollout_runner.argo.rollout import AnalysisKind, CreateAnalysisRun
from rollout_runner.bench.analyses import AnalysisPlanner
from rollout_runner.bench.subject import Subject
from rollout_runner.engine.analysis_controller import AnalysisRunPlan
from rollout_runner.scenarios.model import Versions
from runner_trial import QA


@pytest.fixture(name="subject", scope="module")
def _subject() -> Subject:
    """The QA Rollout."""
    return Subject.load(QA, rollout=None, versions=Versions(), providers=("web",))


def plan(subject: Subject, index: int) -> AnalysisRunPlan:
    """Plan the analysis of a step."""
    analysis = subject.canary.canary.steps[index].analysis
    assert analysis is not None
    planner = AnalysisPlanner(templates=subject.templates, rollout=subject.manifest)
    return planner.plan(
        CreateAnalysisRun(
            name=f"vote-new-2-{index}",
            kind=AnalysisKind.STEP,
            step_index=index,
            analysis=analysis,
            pod_hash="new",
            stable_hash="old",
            revision=2,
        )
    )


def test_names_and_places(subject: Subject) -> None:
    """What the controller asked for, and the templates that it comes from."""
    planned = plan(subject, 2)
    assert (planned.name, planned.kind, planned.index) == ("vote-new-2-2", "Step", 2)
    assert planned.templates == ("voting01-health-check",)
    names = [metric["name"] for metric in planned.spec.metrics]
    assert names == ["http-health-check", "http-direct"]


@pytest.mark.parametrize(("index", "window"), [(5, "3m"), (8, "1m")])
def test_arguments(index: int, window: str, subject: Subject) -> None:
    """The Rollout's values, the hashes of this update, the template's defaults, its Secret."""
    args = {arg.name: arg for arg in plan(subject, index).spec.args}
    assert {name: arg.value for name, arg in args.items() if arg.value is not None} == {
        "service-name": "vote-canary",
        "namespace": "voting01-qa",
        "app-name": "voting01-vote-qa",
        "canary-hash": "new",
        "stable-hash": "old",
        "error-threshold": "2",
        "window": window,
        "comparison-window": "5m",
        "newrelic-url": "http://mock-newrelic.voting01-apm.svc.cluster.local:8080",
        "analyzer-url": "http://canary-analyzer.voting01-apm.svc.cluster.local:8081",
    }
    assert args["api-key"].secret_key_ref == ("newrelic-api-key", "api-key")
