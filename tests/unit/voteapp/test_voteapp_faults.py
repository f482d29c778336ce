"""Fault switches decide request by request."""

from __future__ import annotations

import pytest

from svckit.randomness import stream
from voteapp.domain.faults import UNDISTURBED, Disturbance, Faults, Scope, disturb, is_probe


def _statuses(faults: Faults, *, seed: int, n: int = 2000, probe: bool = False) -> list[int | None]:
    rng = stream(seed, "faults")
    return [disturb(faults, method="POST", probe=probe, rng=rng).status for _ in range(n)]


def test_no_switch_disturbs_nothing() -> None:
    """Without faults every request is served at once."""
    assert disturb(Faults(), method="POST", probe=False, rng=stream(1)) == UNDISTURBED


def test_error_ratio_fails_its_share() -> None:
    """A ratio of 5.2 % fails 5.2 % of the requests within four standard deviations."""
    failed = sum(status == 500 for status in _statuses(Faults(error_ratio=0.052), seed=7, n=20_000))
    assert abs(failed - 1040) < 4 * (20_000 * 0.052 * 0.948) ** 0.5


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [pytest.param(0.0, {None}, id="never"), pytest.param(1.0, {500}, id="always")],
)
def test_error_ratio_at_its_ends_is_exact(ratio: float, expected: set[int | None]) -> None:
    """Ratio 0 fails no request, ratio 1 fails every request."""
    assert set(_statuses(Faults(error_ratio=ratio), seed=3)) == expected


def test_the_same_seed_gives_the_same_decisions() -> None:
    """Decisions depend on the seed and the order of requests only."""
    faults = Faults(error_ratio=0.3)
    assert _statuses(faults, seed=5) == _statuses(faults, seed=5)
    assert _statuses(faults, seed=5) != _statuses(faults, seed=6)


def test_latency_does_not_change_which_requests_fail() -> None:
    """Turning one switch leaves the decisions of another alone."""
    plain = _statuses(Faults(error_ratio=0.3), seed=5)
    slow = _statuses(
        Faults(error_ratio=0.3, latency_add_seconds=0.2, latency_jitter_seconds=0.1), seed=5
    )
    assert plain == slow


def test_a_larger_ratio_fails_a_superset() -> None:
    """What fails at 2 % also fails at 5 % with the same seed."""
    small = {i for i, s in enumerate(_statuses(Faults(error_ratio=0.02), seed=1)) if s}
    large = {i for i, s in enumerate(_statuses(Faults(error_ratio=0.05), seed=1)) if s}
    assert small < large


def test_status_with_ratio_is_the_status_of_the_failing_share() -> None:
    """error_ratio says how often, status says what."""
    assert set(_statuses(Faults(error_ratio=0.5, status=503), seed=1)) == {None, 503}


def test_probes_suffer_a_status_without_ratio() -> None:
    """A pod that answers only 503 looks unhealthy to its probes."""
    assert set(_statuses(Faults(status=503), seed=1, probe=True)) == {503}


@pytest.mark.parametrize(
    "faults",
    [
        pytest.param(Faults(error_ratio=1.0), id="ratio"),
        pytest.param(Faults(error_ratio=1.0, status=503), id="ratio-with-status"),
    ],
)
def test_probes_are_spared_by_a_ratio(faults: Faults) -> None:
    """A defect in the application's work does not make the probes fail."""
    assert set(_statuses(faults, seed=1, probe=True)) == {None}


@pytest.mark.parametrize(
    ("scope", "method", "hit"),
    [
        pytest.param(Scope.ALL, "POST", True, id="all-post"),
        pytest.param(Scope.ALL, "PUT", True, id="all-put"),
        pytest.param(Scope.POST, "POST", True, id="post-post"),
        pytest.param(Scope.POST, "GET", False, id="post-get"),
        pytest.param(Scope.GET, "GET", True, id="get-get"),
        pytest.param(Scope.GET, "HEAD", True, id="get-head"),
        pytest.param(Scope.GET, "POST", False, id="get-post"),
    ],
)
def test_scope_selects_methods(scope: Scope, method: str, hit: bool) -> None:  # noqa: FBT001 - table
    """A fault applies to the methods of its scope only."""
    decision = disturb(Faults(status=503, scope=scope), method=method, probe=False, rng=stream(1))
    assert decision.status == (503 if hit else None)


def test_jitter_stays_within_its_bounds_and_spreads() -> None:
    """200ms ± 50ms delays from 150 to 250 ms."""
    rng = stream(2)
    faults = Faults(latency_add_seconds=0.2, latency_jitter_seconds=0.05)
    delays = [
        disturb(faults, method="GET", probe=False, rng=rng).delay_seconds for _ in range(2000)
    ]
    assert 0.15 <= min(delays) < 0.155
    assert 0.245 < max(delays) <= 0.25


def test_jitter_beyond_the_latency_never_goes_negative() -> None:
    """A delay is never below zero."""
    rng = stream(2)
    faults = Faults(latency_add_seconds=0.01, latency_jitter_seconds=0.5)
    delays = [disturb(faults, method="GET", probe=False, rng=rng).delay_seconds for _ in range(200)]
    assert min(delays) == 0.0


def test_hang_adds_to_latency() -> None:
    """A hang holds the request for its length; a status is answered afterwards."""
    faults = Faults(hang_seconds=60, latency_add_seconds=0.2, status=503)
    expected = Disturbance(delay_seconds=60.2, status=503)
    assert disturb(faults, method="GET", probe=False, rng=stream(1)) == expected


@pytest.mark.parametrize(
    ("user_agent", "expected"),
    [
        pytest.param("kube-probe/1.33", True, id="kubelet"),
        pytest.param("curl/8 kube-probe", False, id="mentions-it"),
        pytest.param("", False, id="none"),
    ],
)
def test_probes_are_known_by_their_user_agent(user_agent: str, expected: bool) -> None:  # noqa: FBT001 - table
    """The user agent begins with kube-probe."""
    assert is_probe(user_agent) is expected
