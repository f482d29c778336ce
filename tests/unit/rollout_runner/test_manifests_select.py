from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollout_runner.argo.rollout import read_rollout
from rollout_runner.manifests import Selection, load_manifests, select_rollout
from rollout_runner.manifests.load import read_manifests
from rollout_runner.manifests.render import Source
from svckit.errors import InvalidInput, NotFound

QA = Path(__file__).resolve().parents[3] / "deploy" / "rendered" / "qa.yaml"
Objects = dict[str, dict[str, Any]]
Change = Callable[[Objects], object]

BLUE_GREEN = {
    "blueGreen": {
        "activeService": "vote",
        "previewService": "vote-canary",
        "prePromotionAnalysis": {"templates": [{"templateName": "voting01-health-check"}]},
    }
}


@pytest.fixture(name="objects")
def _objects() -> Objects:
    """Return what QA has for `vote`, by `Kind/name`, to be changed."""
    loaded = yaml.load_all(QA.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    neighbours = {"result", "result-canary", "worker", "redis", "db", "voting01-db"}
    found = {
        f"{each['kind']}/{each['metadata']['name']}": each
        for each in loaded
        if each["metadata"]["name"] not in neighbours
    }
    del found["Ingress/voting01-ingress"]["spec"]["rules"][1:]
    return found


def select(objects: Objects, name: str | None = None) -> Selection:
    """Select from objects, written as one text called `f.yaml`."""
    text = yaml.safe_dump_all(copy.deepcopy(list(objects.values())))
    return select_rollout(read_manifests([Source(name="f.yaml", text=text)]), name)


def canary(objects: Objects) -> dict[str, Any]:
    """Return the canary strategy of `vote`, to be changed."""
    return objects["Rollout/vote"]["spec"]["strategy"]["canary"]


class TestPicking:
    """Which rollout is meant."""

    def test_our_own(self) -> None:
        """The QA manifests say which rollout is meant; everything of its namespace comes along."""
        found = select_rollout(load_manifests(QA))
        assert (found.rollout.name, found.namespace) == ("vote", "voting01-qa")
        assert found.services.keys() >= {"vote", "vote-canary"}
        assert found.ingresses.keys() == {"voting01-ingress"}
        assert found.analysis_templates.keys() == {
            "voting01-canary-analysis",
            "voting01-health-check",
        }
        assert found.config_maps.keys() == {"voting01-config"}
        assert found.secret_values["newrelic-api-key"] == {"api-key": "test-key"}

    def test_the_only_one(self, objects: Objects) -> None:
        """One rollout needs no name."""
        assert select(objects).rollout.name == "vote"

    @pytest.mark.parametrize("name", ["vote", "voting01-qa/vote"])
    def test_by_name(self, objects: Objects, name: str) -> None:
        """A name picks one of several, with or without its namespace."""
        other = copy.deepcopy(objects["Rollout/vote"])
        other["metadata"]["name"] = "result"
        assert select(objects | {"Rollout/result": other}, name).rollout.name == "vote"

    def test_several_want_a_name(self, objects: Objects) -> None:
        """Nobody guesses which of two is meant."""
        other = copy.deepcopy(objects["Rollout/vote"])
        other["metadata"]["name"] = "result"
        with pytest.raises(InvalidInput, match="more than one Rollout") as caught:
            select(objects | {"Rollout/result": other})
        assert caught.value.detail.endswith("voting01-qa/result, voting01-qa/vote")
        assert "--rollout" in caught.value.hint

    def test_the_one_marked_as_default(self, objects: Objects) -> None:
        """A mark says which of several is meant when nobody names one."""
        other = copy.deepcopy(objects["Rollout/vote"])
        other["metadata"] |= {"name": "other", "annotations": {}}
        objects["Rollout/vote"]["metadata"]["annotations"] = {"gatelab/default": "true"}
        assert select(objects | {"Rollout/other": other}).rollout.name == "vote"
        assert select(objects | {"Rollout/other": other}, "other").rollout.name == "other"

    def test_one_name_in_two_namespaces(self, objects: Objects) -> None:
        """The namespace tells them apart."""
        other = copy.deepcopy(objects["Rollout/vote"])
        other["metadata"]["namespace"] = "voting01-staging"
        both = objects | {"other": other}
        with pytest.raises(InvalidInput, match="more than one Rollout 'vote'"):
            select(both, "vote")
        assert select(both, "voting01-qa/vote").namespace == "voting01-qa"

    def test_unknown_name(self, objects: Objects) -> None:
        """The hint lists those that are there."""
        with pytest.raises(NotFound, match="there is no Rollout 'result'") as caught:
            select(objects, "result")
        assert caught.value.hint == "the manifests hold: voting01-qa/vote"

    def test_no_rollout_at_all(self, objects: Objects) -> None:
        """Templates alone cannot be rolled out."""
        del objects["Rollout/vote"]
        with pytest.raises(NotFound, match="there is no Rollout among"):
            select(objects)


def _drop(name: str) -> Change:
    return lambda objects: objects.pop(name)


def _move(name: str) -> Change:
    return lambda objects: objects[name]["metadata"].update(namespace="elsewhere")


def _cluster_scope(objects: Objects) -> None:
    canary(objects)["steps"][2]["analysis"]["templates"][0]["clusterScope"] = True


def _nested(objects: Objects) -> None:
    objects["AnalysisTemplate/voting01-health-check"]["spec"]["templates"] = [
        {"templateName": "voting01-canary-analysis"},
        {"templateName": "deeper"},
    ]


def _background(objects: Objects) -> None:
    canary(objects)["analysis"] = {"templates": [{"templateName": "beside"}]}


def _preview_analysis(objects: Objects) -> None:
    strategy = copy.deepcopy(BLUE_GREEN)
    strategy["blueGreen"]["postPromotionAnalysis"] = {"templates": [{"templateName": "after"}]}
    objects["Rollout/vote"]["spec"]["strategy"] = strategy


def _preview_service(objects: Objects) -> None:
    objects["Rollout/vote"]["spec"]["strategy"] = BLUE_GREEN
    del objects["Service/vote-canary"]


def _preview_is_active(objects: Objects) -> None:
    both = {"activeService": "vote", "previewService": "vote"}
    objects["Rollout/vote"]["spec"]["strategy"] = {"blueGreen": both}


def _ping_pong(objects: Objects) -> None:
    canary(objects)["pingPong"] = {"pingService": "ping", "pongService": "vote"}


def _other_backend(objects: Objects) -> None:
    (rule,) = objects["Ingress/voting01-ingress"]["spec"]["rules"]
    rule["http"]["paths"][0]["backend"]["service"]["name"] = "other"


def _default_backend_only(objects: Objects) -> None:
    backend = {"service": {"name": "vote", "port": {"number": 80}}}
    objects["Ingress/voting01-ingress"]["spec"] = {"defaultBackend": backend}


S = "spec.strategy"


@pytest.mark.parametrize(
    ("change", "said", "hint"),
    [
        pytest.param(
            _drop("Service/vote-canary"),
            f'{S}.canary.canaryService: Invalid value: "vote-canary": '
            'service "vote-canary" not found',
            "the manifests hold: vote",
            id="no-canary-service",
        ),
        pytest.param(
            _drop("Service/vote"),
            f'{S}.canary.stableService: Invalid value: "vote": service "vote" not found',
            "the manifests hold: vote-canary",
            id="no-stable-service",
        ),
        pytest.param(
            _move("Service/vote"),
            f'{S}.canary.stableService: Invalid value: "vote": service "vote" not found',
            "has one, but in namespace elsewhere",
            id="service-elsewhere",
        ),
        pytest.param(
            lambda objects: objects["Service/vote"]["spec"]["selector"].update(tier="web"),
            f'{S}.canary.stableService: Invalid value: "vote": '
            'Service "vote" has unmatch label "tier" in rollout',
            "selects tier=web; the pod template has no such label",
            id="selector-too-much",
        ),
        pytest.param(
            lambda objects: objects["Service/vote-canary"]["spec"]["selector"].update(app="result"),
            f'{S}.canary.canaryService: Invalid value: "vote-canary": '
            'Service "vote-canary" has unmatch label "app" in rollout',
            "selects app=result",
            id="selector-of-another",
        ),
        pytest.param(
            lambda objects: canary(objects).update(canaryService="vote"),
            f'{S}.canary.stableService: Invalid value: "vote": This rollout uses the same service '
            "for the stable and canary services, but two different services are required.",
            "",
            id="one-service-for-both",
        ),
        pytest.param(
            lambda objects: canary(objects).pop("canaryService"),
            f'{S}.canary.canaryService: Invalid value: "": '
            "Canary service and Stable service must to be set to use Traffic Routing",
            "",
            id="nginx-without-canary-service",
        ),
        pytest.param(
            _ping_pong,
            f'{S}.canary.pingPong.pingService: Invalid value: "ping": service "ping" not found',
            "the manifests hold: vote, vote-canary",
            id="no-ping-service",
        ),
        pytest.param(
            _drop("AnalysisTemplate/voting01-health-check"),
            f'{S}.canary.steps[2].analysis.templates: Invalid value: "voting01-health-check": '
            "AnalysisTemplate 'voting01-health-check' not found",
            "the manifests hold: voting01-canary-analysis",
            id="no-template",
        ),
        pytest.param(
            _move("AnalysisTemplate/voting01-canary-analysis"),
            f'{S}.canary.steps[5].analysis.templates: Invalid value: "voting01-canary-analysis": '
            "AnalysisTemplate 'voting01-canary-analysis' not found",
            "has one, but in namespace elsewhere",
            id="template-elsewhere",
        ),
        pytest.param(
            _cluster_scope,
            f'{S}.canary.steps[2].analysis.templates: Invalid value: "voting01-health-check": '
            "ClusterAnalysisTemplate 'voting01-health-check' not found",
            "the manifests hold: none",
            id="no-cluster-template",
        ),
        pytest.param(
            _nested,
            f'{S}.canary.steps[2].analysis.templates: Invalid value: "deeper": '
            "AnalysisTemplate 'deeper' not found",
            "the manifests hold: voting01-canary-analysis, voting01-health-check",
            id="no-nested-template",
        ),
        pytest.param(
            _background,
            f'{S}.canary.analysis.templates: Invalid value: "beside": '
            "AnalysisTemplate 'beside' not found",
            "the manifests hold:",
            id="no-background-template",
        ),
        pytest.param(
            _preview_analysis,
            f'{S}.blueGreen.postPromotionAnalysis.templates: Invalid value: "after": '
            "AnalysisTemplate 'after' not found",
            "the manifests hold:",
            id="no-post-promotion-template",
        ),
        pytest.param(
            _preview_service,
            f'{S}.blueGreen.previewService: Invalid value: "vote-canary": '
            'service "vote-canary" not found',
            "the manifests hold: vote",
            id="no-preview-service",
        ),
        pytest.param(
            _preview_is_active,
            f'{S}.blueGreen.activeService: Invalid value: "vote": This rollout uses the same '
            "service for the active and preview services, but two different services are required.",
            "",
            id="preview-is-active",
        ),
        pytest.param(
            _drop("Ingress/voting01-ingress"),
            f'{S}.canary.trafficRouting.nginx.stableIngress: Invalid value: "voting01-ingress": '
            'ingress.networking.k8s.io "voting01-ingress" not found',
            "the manifests hold: none",
            id="no-ingress",
        ),
        pytest.param(
            _other_backend,
            f'{S}.canary.trafficRouting.nginx.stableIngress: Invalid value: "voting01-ingress": '
            "ingress `voting01-ingress` has no rules using service vote backend",
            "see f.yaml:",
            id="ingress-of-another-service",
        ),
        pytest.param(
            _default_backend_only,
            f'{S}.canary.trafficRouting.nginx.stableIngress: Invalid value: "voting01-ingress": '
            "ingress `voting01-ingress` has no rules using service vote backend",
            "see f.yaml:",
            id="ingress-with-default-backend",
        ),
        pytest.param(
            lambda objects: canary(objects).update(
                trafficRouting={"nginx": {"stableIngresses": ["voting01-ingress", "second"]}}
            ),
            f'{S}.canary.trafficRouting.nginx.stableIngresses[1]: Invalid value: "second": '
            'ingress.networking.k8s.io "second" not found',
            "the manifests hold: voting01-ingress",
            id="no-second-ingress",
        ),
        pytest.param(
            lambda objects: canary(objects).update(trafficRouting={"nginx": {}}),
            f'{S}.canary.trafficRouting.nginx: Invalid value: "": '
            "Either StableIngress or StableIngresses must be configured. Neither are configured.",
            "",
            id="nginx-without-ingress",
        ),
        pytest.param(
            lambda objects: canary(objects)["trafficRouting"]["nginx"].update(
                stableIngresses=["voting01-ingress"]
            ),
            f'{S}.canary.trafficRouting.nginx: Invalid value: "": '
            "Either StableIngress or StableIngresses must be configured. Both are configured.",
            "",
            id="nginx-with-both",
        ),
        pytest.param(
            lambda objects: objects["Rollout/vote"]["spec"].pop("strategy"),
            f"{S}.strategy: Required value: Rollout has missing field "
            "'.spec.strategy.canary or .spec.strategy.blueGreen'",
            "where a base has no strategy",
            id="no-strategy",
        ),
    ],
)
def test_reference_that_leads_nowhere(
    objects: Objects, change: Change, said: str, hint: str
) -> None:
    """The error has the place and Argo's own words; the hint says what there is instead."""
    change(objects)
    with pytest.raises(InvalidInput) as caught:
        select(objects)
    place, _, message = caught.value.detail.partition(": ")
    assert place.startswith("f.yaml:")
    assert message == f'The Rollout "vote" is invalid: {said}'
    assert hint in caught.value.hint
    assert bool(caught.value.hint) == bool(hint)


def _labels_of_the_role(objects: Objects) -> None:
    canary(objects)["canaryMetadata"] = {"labels": {"role": "canary"}}
    objects["Service/vote-canary"]["spec"]["selector"]["role"] = "canary"


def _hash_in_the_selector(objects: Objects) -> None:
    label = "rollouts-pod-template-hash"
    objects["Service/vote"]["spec"]["selector"][label] = "7cd75c6d7c"


def _workload_ref(objects: Objects) -> None:
    spec = objects["Rollout/vote"]["spec"]
    objects["Deployment/vote"] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "vote", "namespace": "voting01-qa"},
        "spec": {"replicas": 0, "selector": spec.pop("selector"), "template": spec.pop("template")},
    }
    spec["workloadRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "vote"}


def _nested_in_a_circle(objects: Objects) -> None:
    for name in ("health-check", "canary-analysis"):
        objects[f"AnalysisTemplate/voting01-{name}"]["spec"]["templates"] = [
            {"templateName": "voting01-health-check"},
            {"templateName": "voting01-canary-analysis"},
        ]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_labels_of_the_role, id="canary-metadata"),
        pytest.param(_hash_in_the_selector, id="adopted-service"),
        pytest.param(_workload_ref, id="workload-ref"),
        pytest.param(_nested_in_a_circle, id="nested-templates"),
        pytest.param(
            lambda objects: objects["Rollout/vote"]["spec"].update(strategy=BLUE_GREEN),
            id="blue-green",
        ),
        pytest.param(
            lambda objects: canary(objects).update(trafficRouting={"istio": {"anything": 1}}),
            id="another-router",
        ),
    ],
)
def test_what_argo_accepts_is_accepted(objects: Objects, change: Change) -> None:
    """References that Argo follows are no error here."""
    change(objects)
    assert select(objects).rollout.name == "vote"


class TestWorkloadRef:
    """A Rollout that takes its pods from a Deployment."""

    def test_pods_are_those_of_the_deployment(self, objects: Objects) -> None:
        """Template and selector are taken over, the number of pods is the Rollout's own."""
        before = read_rollout(select(objects).rollout.raw)
        _workload_ref(objects)
        taken = select(objects).rollout.raw
        assert "workloadRef" not in taken["spec"]
        assert taken["spec"]["selector"] == objects["Deployment/vote"]["spec"]["selector"]
        after = read_rollout(taken)
        assert (after.pod_hash, after.replicas) == (before.pod_hash, before.replicas)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            pytest.param({"name": "voice"}, "Deployment not found", id="name"),
            pytest.param({"kind": "ReplicaSet"}, "only a Deployment is followed", id="kind"),
        ],
    )
    def test_what_is_not_there_is_refused(
        self, objects: Objects, change: dict[str, str], said: str
    ) -> None:
        """With the place of the reference."""
        _workload_ref(objects)
        objects["Rollout/vote"]["spec"]["workloadRef"].update(change)
        with pytest.raises(InvalidInput) as caught:
            select(objects)
        assert said in caught.value.detail
        assert caught.value.detail.startswith("f.yaml:")

    def test_two_templates_are_refused(self, objects: Objects) -> None:
        """As in a cluster: which of them would count?"""
        template = copy.deepcopy(objects["Rollout/vote"]["spec"]["template"])
        _workload_ref(objects)
        objects["Rollout/vote"]["spec"]["template"] = template
        with pytest.raises(InvalidInput, match="template must be empty"):
            select(objects)
