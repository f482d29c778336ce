"""A Deployment stands for a Rollout without steps where there is no Rollout."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout_runner.argo.rollout import read_rollout
from rollout_runner.bench.subject import Subject
from rollout_runner.manifests import load_manifests, select_rollout
from rollout_runner.scenarios.model import Versions
from svckit.errors import InvalidInput

VOTE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: vote, namespace: dev, annotations: {gatelab/default: "true"}}
spec:
  replicas: 3
  revisionHistoryLimit: 2
  selector: {matchLabels: {app: vote}}
  strategy: {STRATEGY}
  template:
    metadata: {labels: {app: vote}}
    spec: {containers: [{name: vote, image: "vote:v17"}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis, namespace: dev}
spec:
  selector: {matchLabels: {app: redis}}
  strategy: {type: Recreate}
  template: {metadata: {labels: {app: redis}}}
"""
ROLLING = "type: RollingUpdate, rollingUpdate: {maxSurge: 1, maxUnavailable: 0}"


def path_of(folder: Path, strategy: str = ROLLING) -> Path:
    """Return a file with two Deployments."""
    path = folder / "dev.yaml"
    path.write_text(VOTE.replace("STRATEGY", strategy), encoding="utf-8")
    return path


def test_its_update_is_that_of_a_canary_without_steps(tmp_path: Path) -> None:
    """Size and bounds are taken over; there are no steps, no Services and no analysis."""
    selection = select_rollout(load_manifests(path_of(tmp_path)))
    spec = read_rollout(selection.rollout.raw)
    assert (spec.name, spec.replicas, spec.revision_history_limit) == ("vote", 3, 2)
    assert (spec.canary.max_surge.value, spec.canary.max_unavailable.value) == (1, 0)
    assert (spec.canary.steps, spec.services, spec.analyses) == ((), (), ())


def test_a_run_of_it_says_what_it_is(tmp_path: Path) -> None:
    """The strategy of the record is a rolling update, not a canary."""
    subject = Subject.load(path_of(tmp_path), rollout=None, versions=Versions(), providers=())
    assert subject.strategy == "RollingUpdate"
    assert subject.app_name == "dev-vote"


def test_without_a_strategy_kubernetes_defaults_hold(tmp_path: Path) -> None:
    """25 % each way."""
    selection = select_rollout(load_manifests(path_of(tmp_path, "")), "vote")
    canary = read_rollout(selection.rollout.raw).canary
    assert canary.max_surge == canary.max_unavailable
    assert (canary.max_surge.value, canary.max_surge.percent) == (25, True)


def test_replacing_all_pods_at_once_is_refused(tmp_path: Path) -> None:
    """Recreate is downtime by design; it is told with the line."""
    with pytest.raises(InvalidInput) as caught:
        select_rollout(load_manifests(path_of(tmp_path)), "redis")
    assert "dev.yaml:" in caught.value.detail
    assert 'The Deployment "redis" is invalid: spec.strategy.type' in caught.value.detail


def test_a_rollout_is_preferred(tmp_path: Path) -> None:
    """Where there is a Rollout, Deployments are other workloads."""
    rollout = VOTE.split("---", maxsplit=1)[0]
    rollout = rollout.replace("apps/v1", "argoproj.io/v1alpha1").replace("Deployment", "Rollout")
    rollout = rollout.replace("name: vote, namespace", "name: other, namespace")
    path = path_of(tmp_path)
    text = rollout.replace("{STRATEGY}", "{canary: {}}") + "---" + path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    assert select_rollout(load_manifests(path)).rollout.name == "other"
