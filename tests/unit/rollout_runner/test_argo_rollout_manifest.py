"""Reading Rollout manifests: defaults, refusals, texts."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo.rollout import RolloutError, UnsupportedError, read_rollout
from rollout_runner.argo.rollout.model import IntOrPercent
from rollout_runner.argo.rollout.names import (
    analysis_run_name,
    canary_ingress_name,
    free_name,
    replica_set_name,
    safe_hash,
)
from svckit.errors import InvalidInput
from unit.rollout_runner.argo_rollout_world import rollout_manifest

CANARY = "spec.strategy.canary"


def changed(manifest: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return the manifest with the field at a dotted path set."""
    *parents, last = path.split(".")
    block: Any = manifest
    for name in parents:
        block = block.setdefault(name, {}) if isinstance(block, dict) else block[int(name)]
    if isinstance(block, list):
        block[int(last)] = value
    else:
        block[last] = value
    return manifest


def test_reads_the_qa_rollout() -> None:
    """Steps, services and router are read; what is not given has Argo's default."""
    spec = read_rollout(rollout_manifest(), pod_hash="7cd75c6d7c")
    canary = spec.canary
    assert [step.kind for step in canary.steps] == ["setWeight", "pause", "analysis"] * 3
    assert [step.text for step in canary.steps][:3] == ["setWeight: 20", "pause: 2m", "analysis"]
    assert canary.steps[1].pause is not None
    assert canary.steps[1].pause.seconds == 120
    assert (canary.stable_service, canary.canary_service) == ("vote", "vote-canary")
    assert canary.traffic_routing is not None
    assert canary.traffic_routing.nginx.stable_ingresses == ("voting01-ingress",)
    assert canary.traffic_routing.nginx.annotation_prefix == "nginx.ingress.kubernetes.io"
    assert (spec.replicas, spec.pod_hash) == (2, "7cd75c6d7c")
    assert (canary.scale_down_delay, canary.abort_scale_down_delay) == (30, 30)
    assert (spec.progress_deadline_seconds, spec.revision_history_limit) == (600, 10)
    assert canary.max_surge == canary.max_unavailable == IntOrPercent(value=25, percent=True)


def test_reads_what_an_analysis_is_given() -> None:
    """Templates, arguments and rules of an analysis step are kept for the run."""
    step = {
        "analysis": {
            "templates": [{"templateName": "apm"}, {"templateName": "all", "clusterScope": True}],
            "args": [
                {"name": "error-threshold", "value": "2"},
                {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
            ],
            "dryRun": [{"metricName": "latency.*"}],
        }
    }
    spec = read_rollout(rollout_manifest(steps=(step,)))
    analysis = spec.canary.steps[0].analysis
    assert analysis is not None
    assert [ref.kind for ref in analysis.templates] == [
        "AnalysisTemplate",
        "ClusterAnalysisTemplate",
    ]
    assert [arg.name for arg in analysis.args] == ["error-threshold", "hash"]
    assert analysis.dry_run == ("latency.*",)


def test_same_template_has_the_same_hash() -> None:
    """The pod hash changes with the template and with nothing else."""
    first = read_rollout(rollout_manifest())
    scaled = read_rollout(changed(rollout_manifest(), "spec.replicas", 5))
    other = changed(rollout_manifest(), "spec.template.metadata.labels.version", "v17")
    assert first.pod_hash == scaled.pod_hash
    assert first.pod_hash != read_rollout(other).pod_hash


def test_names_fields_that_change_nothing_here() -> None:
    """Fields that only a cluster can honour are accepted and named, so that a user can be told."""
    manifest = rollout_manifest(antiAffinity={}, canaryMetadata={"labels": {"role": "canary"}})
    changed(manifest, "spec.analysis", {"successfulRunHistoryLimit": 3})
    spec = read_rollout(manifest)
    assert spec.without_effect == (
        "spec.analysis",
        f"{CANARY}.antiAffinity",
        f"{CANARY}.canaryMetadata",
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        pytest.param("spec.restartAt", "2026-07-01T00:00:00Z", id="restart"),
        pytest.param("spec.mystery", 1, id="unknown-field"),
        pytest.param(f"{CANARY}.pingPong", {}, id="ping-pong"),
        pytest.param(f"{CANARY}.mystery", 1, id="unknown-canary-field"),
        pytest.param(f"{CANARY}.steps.0.experiment", {"templates": []}, id="experiment"),
        pytest.param(f"{CANARY}.steps.0.setHeaderRoute", {"name": "x"}, id="header-route"),
        pytest.param(f"{CANARY}.steps.0.setMirrorRoute", {"name": "x"}, id="mirror-route"),
        pytest.param(f"{CANARY}.steps.0.plugin", {"name": "x"}, id="plugin"),
        pytest.param(f"{CANARY}.trafficRouting.istio", {}, id="istio"),
        pytest.param(f"{CANARY}.trafficRouting.plugins", {"x": {}}, id="router-plugin"),
    ],
)
def test_refuses_by_name(path: str, value: object) -> None:
    """What is not emulated is refused with the path of the field, never left out."""
    with pytest.raises(UnsupportedError) as caught:
        read_rollout(changed(rollout_manifest(), path, value))
    assert caught.value.field == path.replace(".0.", "[0].")
    assert str(caught.value).startswith(f"{caught.value.field} is not supported: ")


def test_refuses_routing_by_header() -> None:
    """Annotations that let requests choose the canary would make the weight untrue."""
    manifest = rollout_manifest()
    annotations = {"canary-by-header": "X-Canary"}
    changed(manifest, f"{CANARY}.trafficRouting.nginx.additionalIngressAnnotations", annotations)
    with pytest.raises(UnsupportedError, match="canary-by-header is not supported"):
        read_rollout(manifest)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        pytest.param("metadata.name", None, "metadata.name is missing", id="no-name"),
        pytest.param("spec", None, "spec is missing", id="no-spec"),
        pytest.param("spec.replicas", "2", "spec.replicas must be a whole number", id="text"),
        pytest.param("spec.paused", "yes", "spec.paused must be true or false", id="flag"),
        pytest.param(
            f"{CANARY}.maxSurge", "3", r"canary.maxSurge must be .* such as 25%", id="surge"
        ),
        pytest.param(f"{CANARY}.steps", {}, "canary.steps must be a list", id="steps"),
        pytest.param(
            f"{CANARY}.steps.1.pause", {"duration": 1.5}, "duration must be seconds", id="pause"
        ),
        pytest.param(
            f"{CANARY}.trafficRouting.nginx",
            {},
            "Either StableIngress or StableIngresses must be configured. Neither are configured.",
            id="no-ingress",
        ),
        pytest.param(
            f"{CANARY}.steps.2.analysis",
            {"templates": [{"templateName": 1}]},
            r"steps\[2\].analysis.templates\[0\].templateName must be text",
            id="template-name",
        ),
    ],
)
def test_names_the_wrong_field(path: str, value: object, message: str) -> None:
    """A wrong shape is told with the path and with what was expected."""
    with pytest.raises(InvalidInput, match=message):
        read_rollout(changed(rollout_manifest(), path, value))


def test_refusals_are_rollout_errors() -> None:
    """Callers can catch everything that is wrong with a Rollout by one class."""
    assert issubclass(UnsupportedError, RolloutError)


class TestNames:
    """Names of owned objects."""

    def test_replica_set(self) -> None:
        """A ReplicaSet is named after the Rollout and the pod hash."""
        assert replica_set_name("vote", "7cd75c6d7c") == "vote-7cd75c6d7c"

    @pytest.mark.parametrize(
        ("infix", "name"), [("", "vote-7cd75c6d7c-34"), ("2", "vote-7cd75c6d7c-34-2")]
    )
    def test_analysis_run(self, infix: str, name: str) -> None:
        """A background run has no infix, a step's run its index."""
        assert analysis_run_name("vote", "7cd75c6d7c", 34, infix) == name

    def test_collisions(self) -> None:
        """The first free suffix is taken."""
        assert free_name("a", ()) == "a"
        assert free_name("a", {"a", "a.1"}) == "a.2"

    def test_canary_ingress_is_cut_to_253_characters(self) -> None:
        """A long name keeps its suffix."""
        name = canary_ingress_name("vote", "x" * 300)
        assert len(name) == 253
        assert name.endswith("x-canary")

    def test_hash_uses_the_safe_alphabet(self) -> None:
        """The token of the empty object is FNV-1a of `{}` in Kubernetes' letters."""
        assert safe_hash({}) == "5859f96865"
        assert safe_hash({"a": 1, "b": 2}) == safe_hash({"b": 2, "a": 1})
