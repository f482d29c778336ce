"""The guard of the health check: what may be probed, and where it is found."""

from __future__ import annotations

import pytest

from analyzer.domain.targets import TargetRules, parse_allow, parse_resolve
from svckit.errors import Forbidden, InvalidInput

RULES = TargetRules(
    allow=(("voting01-*", "vote-*"), ("voting01-qa", "vote")),
    resolve={"vote-canary.voting01-qa": "127.0.0.1:9001"},
)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("service", "127.0.0.1", id="loopback-address"),
        pytest.param("service", "169.254.169.254", id="metadata-address"),
        pytest.param("service", "2130706433", id="decimal-address"),
        pytest.param("service", "0x7f000001", id="hex-address"),
        pytest.param("service", "[::1]", id="ipv6"),
        pytest.param("service", "::1", id="ipv6-bare"),
        pytest.param("service", "vote-canary:8080", id="port"),
        pytest.param("service", "user@vote-canary", id="user-part"),
        pytest.param("service", "vote-canary/../x", id="path"),
        pytest.param("service", "vote-canary#", id="fragment"),
        pytest.param("service", "vote-canary%00", id="percent"),
        pytest.param("service", "vote-Canary", id="upper-case"),
        pytest.param("service", "vote-canary\n", id="newline"),
        pytest.param("service", "vöte-canary", id="not-ascii"),
        pytest.param("service", "-vote", id="leading-hyphen"),
        pytest.param("service", "v" * 64, id="too-long"),
        pytest.param("service", "vote-canary.voting01-qa", id="dotted"),
        pytest.param("namespace", "voting01-qa.svc.evil.example", id="other-domain"),
        pytest.param("namespace", "voting01-qa/..", id="namespace-path"),
        pytest.param("path", "health", id="relative-path"),
        pytest.param("path", "//evil.example/", id="double-slash"),
        pytest.param("path", "/../admin", id="parent-folder"),
        pytest.param("path", "/a b", id="space"),
        pytest.param("path", "/x\r\nHost: evil", id="header-injection"),
        pytest.param("path", "/x?y=1", id="query"),
        pytest.param("path", "@evil.example/", id="authority"),
    ],
)
def test_what_is_no_name_is_refused(field: str, value: str) -> None:
    """Addresses, ports and URL tricks are not even looked up."""
    target = {"service": "vote-canary", "namespace": "voting01-qa", "path": "/", field: value}
    with pytest.raises(InvalidInput, match=field) as caught:
        RULES.check(**target)
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("service", "namespace"),
    [
        pytest.param("kubernetes", "default", id="api-server"),
        pytest.param("localhost", "voting01-qa", id="localhost"),
        pytest.param("metadata", "voting01-qa", id="metadata-name"),
        pytest.param("vote", "voting01-staging", id="other-namespace"),
        pytest.param("vote-canary", "voting02-qa", id="similar-namespace"),
    ],
)
def test_what_is_not_listed_is_forbidden(service: str, namespace: str) -> None:
    """A valid name that the operator did not list is refused with the way to list it."""
    with pytest.raises(Forbidden) as caught:
        RULES.check(service=service, namespace=namespace, path="/")
    assert "ANALYZER_HEALTH_ALLOW" in caught.value.hint


def test_an_empty_list_allows_nothing() -> None:
    """The default is closed."""
    with pytest.raises(Forbidden):
        TargetRules(resolve={}).check(service="vote", namespace="voting01-qa", path="/")


@pytest.mark.parametrize("path", ["/", "/health", "/static/stylesheets/style.css"])
def test_a_listed_target_is_allowed(path: str) -> None:
    """The target keeps its name and path."""
    target = RULES.check(service="vote-canary", namespace="voting01-qa", path=path)
    assert (target.host, target.path) == ("vote-canary.voting01-qa.svc.cluster.local", path)


def test_a_resolved_target_is_found_at_its_address() -> None:
    """Local runs name an address; everything else keeps its cluster name."""
    canary = RULES.check(service="vote-canary", namespace="voting01-qa", path="/")
    stable = RULES.check(service="vote", namespace="voting01-qa", path="/")
    assert RULES.base_url(canary) == "http://127.0.0.1:9001"
    assert RULES.base_url(stable) == "http://vote.voting01-qa.svc.cluster.local"


@pytest.mark.parametrize("entry", ["vote", "/vote", "ns/", "ns/a/b", "ns/[a]", "NS/vote", ""])
def test_a_malformed_allow_entry_is_refused(entry: str) -> None:
    """A rule that could mean anything else is an error, not a guess."""
    with pytest.raises(ValueError, match="expected namespace/service"):
        parse_allow(entry)


@pytest.mark.parametrize(
    "entry",
    [
        "vote",
        "vote=127.0.0.1:1",
        "vote.qa=127.0.0.1",
        "vote.qa=h:0",
        "vote.qa=h:65536",
        "a.b=u@h:1",
    ],
)
def test_a_malformed_resolve_entry_is_refused(entry: str) -> None:
    """An address needs a host and a port."""
    with pytest.raises(ValueError, match="expected service"):
        parse_resolve(entry)
