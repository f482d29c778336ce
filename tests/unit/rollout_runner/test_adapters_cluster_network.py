"""How names of a cluster are read, without any socket."""

from __future__ import annotations

import pytest

from rollout_runner.adapters.cluster_network import Address, ClusterNetwork, cluster_name


@pytest.mark.parametrize(
    ("host", "name"),
    [
        pytest.param("vote.voting01-qa", "vote.voting01-qa", id="service.namespace"),
        pytest.param("vote.voting01-qa.svc", "vote.voting01-qa", id="svc"),
        pytest.param("vote.voting01-qa.svc.cluster.local", "vote.voting01-qa", id="full"),
        pytest.param("vote.voting01-qa.svc.cluster.local.", "vote.voting01-qa", id="dot"),
        pytest.param("Vote.Voting01-QA.svc", "vote.voting01-qa", id="capitals"),
        pytest.param("vote", None, id="bare"),
        pytest.param("a.vote.voting01-qa.svc", None, id="pod"),
        pytest.param("vote.svc", "vote.svc", id="a-namespace-called-svc"),
        pytest.param("localhost", None, id="localhost"),
        pytest.param("127.0.0.1", None, id="ip"),
        pytest.param("10.1", None, id="short-ip"),
        pytest.param("::1", None, id="ipv6"),
        pytest.param("insights-api.newrelic.com", None, id="internet"),
        pytest.param("", None, id="empty"),
    ],
)
def test_cluster_names(host: str, name: str | None) -> None:
    """Service and namespace of the forms that a cluster resolves; None for other hosts."""
    assert cluster_name(host) == name


@pytest.mark.parametrize(
    "host",
    [
        "canary-analyzer.voting01-apm",
        "canary-analyzer.voting01-apm.svc",
        "canary-analyzer.elsewhere.svc.cluster.local",
    ],
)
def test_a_program_is_found_in_every_namespace(host: str) -> None:
    """The programs of the bench stand for Services wherever the manifests put them."""
    network = ClusterNetwork()
    network.publish("canary-analyzer", Address("127.0.0.1", 8081))
    assert network.resolve(host) == Address("127.0.0.1", 8081)


@pytest.mark.parametrize(
    "host", ["analyzer.ns.svc", "canary-analyzer", "canary-analyzer.example.com", "127.0.0.1"]
)
def test_other_names_are_not_found(host: str) -> None:
    """Only what was published is there."""
    network = ClusterNetwork()
    network.publish("canary-analyzer", Address("127.0.0.1", 8081))
    assert network.resolve(host) is None


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8080", Address("127.0.0.1", 8080)),
        ("http://127.0.0.1", Address("127.0.0.1", 80)),
        ("http://[::1]:9/x", Address("::1", 9)),
    ],
)
def test_an_address_of_an_url(url: str, address: Address) -> None:
    """Host and port, 80 unless given."""
    assert Address.of_url(url) == address
