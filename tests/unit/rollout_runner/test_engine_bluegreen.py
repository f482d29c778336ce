"""Whole blue-green runs and undone ones of the shipped overlays, in virtual time."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout_runner.argo.types import Phase
from rollout_runner.events import (
    AnalysisRunStarted,
    OperatorCommand,
    PauseStarted,
    ServiceSwitched,
    WeightChanged,
)
from rollout_runner.report import build_report, render_markdown, render_text
from runner_trial import Trial
from svckit.clock import ManualClock

pytestmark = pytest.mark.anyio

ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: vote, namespace: staging}
spec:
  replicas: 3
  selector: {matchLabels: {app: vote}}
  template:
    metadata: {labels: {app: vote}}
    spec: {containers: [{name: vote, image: "vote:v17"}]}
  strategy:
    blueGreen:
      activeService: vote
      previewService: vote-preview
      autoPromotionEnabled: false
      prePromotionAnalysis: {templates: [{templateName: health}]}
---
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: health, namespace: staging}
spec:
  metrics:
    - name: http-health
      interval: 30s
      count: 3
      provider: {web: {url: "http://analyzer/health"}}
---
apiVersion: v1
kind: Service
metadata: {name: vote, namespace: staging}
spec: {ports: [{port: 80}], selector: {app: vote}}
---
apiVersion: v1
kind: Service
metadata: {name: vote-preview, namespace: staging}
spec: {ports: [{port: 80}], selector: {app: vote}}
"""
ON_PAUSE = {"on": {"phase": "Paused"}, "do": "promote"}


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    """Return a blue-green Rollout with a health check before the switch."""
    path = tmp_path / "staging.yaml"
    path.write_text(ROLLOUT, encoding="utf-8")
    return path


async def test_a_person_at_the_pause_gives_it_the_users(clock: ManualClock, staging: Path) -> None:
    """Preview at once, analysis, pause, command, switch; all traffic moves in one go."""
    trial = Trial(clock, ON_PAUSE, manifests=staging)
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase) == ("promoted", "Healthy")
    assert [event.kind for event in trial.log.of(AnalysisRunStarted)] == ["PrePromotion"]
    assert [event.reason for event in trial.log.of(PauseStarted)] == ["BlueGreenPause"]
    assert [event.command for event in trial.log.of(OperatorCommand)] == ["promote"]
    assert [(e.service, e.hash == trial.canary_hash) for e in trial.log.of(ServiceSwitched)] == [
        ("vote-preview", True),
        ("vote", True),
    ]
    assert [event.weight for event in trial.log.of(WeightChanged)] == [100]
    assert trial.roads.splits[-1] == {trial.canary_hash: 100}
    assert trial.pods.available(trial.stable_hash) == 0


async def test_without_a_person_the_run_ends_as_paused(clock: ManualClock, staging: Path) -> None:
    """Nobody promotes, so nobody may say that it was promoted."""
    trial = Trial(clock, manifests=staging)
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.message) == ("paused", "BlueGreenPause")
    assert not trial.log.of(WeightChanged)


async def test_a_failed_check_of_the_preview_aborts(clock: ManualClock, staging: Path) -> None:
    """Users never meet the new version, and the report says where it ended."""
    trial = Trial(clock, ON_PAUSE, manifests=staging)
    trial.provider.script["http-health"] = [Phase.FAILED]
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.aborted_at_step) == ("aborted", None)
    assert "Blue/green pre-promotion analysis phase error/failed" in finished.message
    assert trial.roads.splits == [{trial.stable_hash: 100}]
    text = render_text(build_report(trial.log.events))
    assert "v17 was rolled back at the switch" in text


async def test_the_report_of_an_update_without_steps_has_no_empty_table(
    clock: ManualClock, staging: Path
) -> None:
    """It says what kind of update it was, and how to go back."""
    trial = Trial(clock, ON_PAUSE, manifests=staging)
    await trial.play()
    report = build_report(trial.log.events)
    assert "update has no steps." in render_markdown(report)
    assert "0 of 0" not in render_text(report)


async def test_undo_makes_the_version_before_the_wanted_one(clock: ManualClock) -> None:
    """In the middle of a canary: weight 0, no step left, and the outcome is no promotion."""
    trial = Trial(clock, {"on": {"step": 4}, "do": "undo"})
    finished = await trial.play()
    assert finished is not None
    assert (finished.outcome, finished.phase, finished.aborted_at_step) == ("aborted", "Healthy", 4)
    assert finished.message.startswith("undone: ")
    assert [event.weight for event in trial.log.of(WeightChanged)] == [20, 50, 0]
    assert trial.controller.status.stable_rs == trial.stable_hash
    assert trial.pods.available(trial.canary_hash) == 0
