"""Network policies, decided as a policy engine would: what must get through does, nothing else."""

from __future__ import annotations

import copy
from itertools import product

import pytest
from deploy_manifests import Documents, only, rendered
from deploy_network import Network, Pod

OVERLAYS = ("dev", "qa", "staging", "platform")
ENVIRONMENTS = ("dev", "qa", "staging")
APM = "voting01-apm"


def manifests() -> Documents:
    """Return the objects of all namespaces together, as one cluster holds them."""
    return [each for overlay in OVERLAYS for each in rendered(overlay)]


def pod(namespace: str, app: str) -> Pod:
    """Return a pod of ours."""
    return Pod(namespace=namespace, labels={"app": app})


def ours(environment: str, app: str) -> Pod:
    """Return a pod of an environment."""
    return pod(f"voting01-{environment}", app)


CONTROLLER = Pod(namespace="argo-rollouts", labels={"app.kubernetes.io/name": "argo-rollouts"})
INGRESS = Pod(namespace="ingress-nginx", labels={"app.kubernetes.io/name": "ingress-nginx"})
TESTER = Pod(namespace="qa-team", namespace_labels={"gatelab/tester": "true"})
PROMETHEUS = pod("monitoring", "prometheus")
STRANGER = pod("default", "anything")
DNS = Pod(namespace="kube-system", labels={"k8s-app": "kube-dns"})
SERVICES = {"mock-newrelic": 8080, "canary-analyzer": 8081, "votegen": 8082}


@pytest.fixture(name="network", scope="module")
def _network() -> Network:
    return Network(manifests())


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_default_deny(overlay: str) -> None:
    """Each namespace refuses in both directions what no policy allows."""
    assert only(rendered(overlay), "NetworkPolicy", "default-deny")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_the_application_needs(network: Network, environment: str) -> None:
    """Users reach the pages, votes reach the database, telemetry reaches the APM."""
    vote, result, worker, redis, db = (
        ours(environment, app) for app in ("vote", "result", "worker", "redis", "db")
    )
    assert network.allows(INGRESS, vote, 80)
    assert network.allows(INGRESS, result, 80)
    assert network.allows(vote, redis, 6379)
    assert network.allows(worker, redis, 6379)
    assert network.allows(worker, db, 5432)
    assert network.allows(result, db, 5432)
    for each in (vote, result, worker):
        assert network.allows(each, pod(APM, "mock-newrelic"), 8443)
        assert network.allows(each, DNS, 53, "UDP")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_the_application_does_not_need(network: Network, environment: str) -> None:
    """Pages know no database of votes, stores open no connection, nobody listens to strangers."""
    apps = ("vote", "result", "worker", "redis", "db")
    assert not network.allows(ours(environment, "vote"), ours(environment, "db"), 5432)
    assert not network.allows(ours(environment, "result"), ours(environment, "redis"), 6379)
    for store, other in product(("redis", "db"), ("vote", "worker")):
        assert not network.allows(ours(environment, store), ours(environment, other), 80)
    for app, port in product(apps, (80, 5432, 6379)):
        assert not network.allows(STRANGER, ours(environment, app), port)
        assert not network.allows(ours(environment, app), STRANGER, port)
    for app in ("vote", "result", "worker"):
        assert not network.allows(ours(environment, app), pod(APM, "canary-analyzer"), 8081)
        assert not network.allows(ours(environment, app), pod(APM, "votegen"), 8082)


def test_environments_do_not_know_each_other(network: Network) -> None:
    """A pod of one environment reaches no store of another."""
    for here, there in product(ENVIRONMENTS, repeat=2):
        if here != there:
            assert not network.allows(ours(here, "vote"), ours(there, "redis"), 6379)
            assert not network.allows(ours(here, "worker"), ours(there, "db"), 5432)


def test_what_the_gate_needs(network: Network) -> None:
    """The controller asks APM and analyzer; the analyzer asks the APM and probes the pages."""
    apm, analyzer = pod(APM, "mock-newrelic"), pod(APM, "canary-analyzer")
    assert network.allows(CONTROLLER, apm, 8080)
    assert network.allows(CONTROLLER, analyzer, 8081)
    assert network.allows(analyzer, apm, 8080)
    for environment, app in product(ENVIRONMENTS, ("vote", "result")):
        assert network.allows(analyzer, ours(environment, app), 80)


def test_testers_and_prometheus(network: Network) -> None:
    """Testers reach the three services, Prometheus scrapes them, and the generator votes."""
    for name, port in SERVICES.items():
        assert network.allows(TESTER, pod(APM, name), port)
        assert network.allows(PROMETHEUS, pod(APM, name), port)
    assert network.allows(pod(APM, "votegen"), INGRESS, 80)
    assert network.allows(pod(APM, "votegen"), ours("qa", "vote"), 80)
    assert network.allows(pod(APM, "votegen"), pod(APM, "mock-newrelic"), 8080)


def test_nobody_else_reaches_the_services(network: Network) -> None:
    """Neither a stranger nor the ingress; and only a tester starts the generator."""
    for name, port in SERVICES.items():
        assert not network.allows(STRANGER, pod(APM, name), port)
        assert not network.allows(INGRESS, pod(APM, name), port)
    votegen = pod(APM, "votegen")
    for each in (CONTROLLER, pod(APM, "canary-analyzer"), pod(APM, "mock-newrelic")):
        assert not network.allows(each, votegen, 8082)
    # A namespace that calls itself a tester does so by a label that its owner cannot set.
    assert not network.allows(Pod(namespace="qa-team"), votegen, 8082)


def test_the_services_open_no_other_connection(network: Network) -> None:
    """The APM calls nobody; the analyzer and the generator reach only what they are for."""
    for port in (80, 443, 8081, 8082):
        assert not network.allows(pod(APM, "mock-newrelic"), STRANGER, port)
        assert not network.allows(pod(APM, "canary-analyzer"), STRANGER, port)
        assert not network.allows(pod(APM, "votegen"), STRANGER, port)
    assert not network.allows(pod(APM, "canary-analyzer"), ours("qa", "redis"), 6379)


def test_a_hole_is_found() -> None:
    """The decisions come from the policies: without the default, the rest is open."""
    found = copy.deepcopy(manifests())
    for each in [each for each in found if each["metadata"]["name"] == "default-deny"]:
        found.remove(each)
    network = Network(found)
    assert network.allows(STRANGER, ours("qa", "worker"), 80)
    assert not network.allows(STRANGER, ours("qa", "redis"), 6379)
