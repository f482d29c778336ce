"""Targets, plans, ballots, wire, attribution, outcomes and results."""

from __future__ import annotations

from dataclasses import replace

import pytest

from svckit.errors import InvalidInput
from votegen.domain.attribution import UNKNOWN, pod_template_hash
from votegen.domain.ballots import BallotBox, Ballots, Voters
from votegen.domain.histogram import Histogram, HistogramRecorder
from votegen.domain.outcome import ErrorKind, Outcome
from votegen.domain.plan import Plan
from votegen.domain.results import MAX_HASHES, Progress, Tally, TargetTally, result_document
from votegen.domain.targets import Endpoint, Target
from votegen.domain.wire import VoteRequest
from votegen.report import render
from votegen.report.text import progress_line
from votegen.schemas import PlanBody

STABLE = Target(name="stable", url="http://127.0.0.1:8083", weight=80)
CANARY = Target(name="canary", url="http://127.0.0.1:8084", weight=20)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("http://h:1", Target(name="default", url="http://h:1"), id="url"),
        pytest.param("a=http://h", Target(name="a", url="http://h"), id="name"),
        pytest.param(
            "a=http://h:1/vote@20", Target(name="a", url="http://h:1/vote", weight=20), id="weight"
        ),
        pytest.param(
            "http://h@0.5", Target(name="default", url="http://h", weight=0.5), id="ratio"
        ),
        pytest.param("http://h/?x=1", Target(name="default", url="http://h/?x=1"), id="query"),
        pytest.param(
            "http://[::1]:8083@3",
            Target(name="default", url="http://[::1]:8083", weight=3),
            id="ipv6",
        ),
        pytest.param("a=http://h@0", Target(name="a", url="http://h", weight=0), id="zero"),
    ],
)
def test_targets_are_read(text: str, expected: Target) -> None:
    """[NAME=]URL[@WEIGHT] in all its forms."""
    assert Target.parse(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("h:8083", "cannot be used", id="no-scheme"),
        pytest.param("ftp://h", "cannot be used", id="ftp"),
        pytest.param("http://", "cannot be used", id="no-host"),
        pytest.param("http://h:port", "target URL", id="bad-port"),
        pytest.param("http://h:0", "cannot be used", id="port-zero"),
        pytest.param("http://u:p@h:1", "cannot be used", id="credentials"),
        pytest.param("a=http://h@many", "'many' is not a number", id="bad-weight"),
        pytest.param("a=http://h@-1", "weight -1.0", id="negative-weight"),
        pytest.param("a=http://h@nan", "weight nan", id="nan-weight"),
        pytest.param("a=http://h@inf", "weight inf", id="endless-weight"),
        pytest.param("a=http://h@1e308", "weight 1e\\+308", id="huge-weight"),
        pytest.param("http://b\u00f6se.test", "cannot be used", id="not-ascii"),
        pytest.param("http://\ud800", "cannot be used", id="no-text"),
        pytest.param("http://a b/", "cannot be used", id="space-in-host"),
        pytest.param("=http://h", "target name ''", id="empty-name"),
        pytest.param("a b=http://h", "target name 'a b'", id="space-in-name"),
        pytest.param("http://h/a b", "percent-encoded", id="space-in-path"),
    ],
)
def test_wrong_targets_are_refused(text: str, message: str) -> None:
    """The error quotes the part that cannot be used."""
    with pytest.raises(InvalidInput, match=message):
        Target.parse(text)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param(
            "http://vote.test",
            Endpoint(host="vote.test", port=80, path="/", authority="vote.test"),
            id="bare",
        ),
        pytest.param(
            "http://[::1]:8083/a?b=c",
            Endpoint(host="::1", port=8083, path="/a?b=c", authority="[::1]:8083"),
            id="full",
        ),
    ],
)
def test_endpoints(url: str, expected: Endpoint) -> None:
    """Host, port, path and authority of a URL."""
    assert Endpoint.parse(url) == expected


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"targets": ()}, "no target", id="no-target"),
        pytest.param({"targets": (STABLE, STABLE)}, "two targets are named 'stable'", id="twice"),
        pytest.param({"targets": (replace(STABLE, weight=0),)}, "above 0", id="no-weight"),
        pytest.param({"rate": -1}, "rate is -1", id="rate"),
        pytest.param({"rate": float("nan")}, "rate is nan", id="nan-rate"),
        pytest.param({"duration_seconds": 0}, "duration is 0", id="duration"),
        pytest.param({"connections": 0}, "connections is 0", id="connections"),
        pytest.param({"split_a": 1.1}, "split_a is 1.1", id="split"),
        pytest.param({"timeout_seconds": 0}, "timeout is 0", id="timeout"),
        pytest.param({"host_header": "a\r\nb: c"}, "host_header", id="header-injection"),
    ],
)
def test_wrong_plans_are_refused(changes: dict[str, object], message: str) -> None:
    """The error names the field."""
    with pytest.raises(InvalidInput, match=message):
        replace(Plan(targets=(STABLE,)), **changes)  # type: ignore[arg-type]


def test_weights_change_by_name() -> None:
    """Only the named target changes."""
    plan = Plan(targets=(STABLE, CANARY)).with_weights({"canary": 50})
    assert [target.weight for target in plan.targets] == [80, 50]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        pytest.param({"cannary": 50}, "no target is named 'cannary'", id="unknown"),
        pytest.param({"canary": -5}, "weight -5", id="negative"),
        pytest.param({"canary": 0, "stable": 0}, "above 0", id="all-zero"),
    ],
)
def test_wrong_weights_are_refused(weights: dict[str, float], message: str) -> None:
    """A weight that would be ignored or leave nothing is an error."""
    with pytest.raises(InvalidInput, match=message):
        Plan(targets=(STABLE, CANARY)).with_weights(weights)


@pytest.mark.parametrize(
    ("rate", "clock_rate", "connections", "expected"),
    [
        pytest.param(50, 1, None, 17, id="slow"),
        pytest.param(50, 10, None, 26, id="accelerated"),
        pytest.param(100_000, 1, None, 256, id="capped"),
        pytest.param(None, 1, None, 50, id="max"),
        pytest.param(50, 1, 3, 3, id="given"),
    ],
)
def test_connections_follow_the_real_rate(
    rate: float | None, clock_rate: float, connections: int | None, expected: int
) -> None:
    """Twenty milliseconds of real requests plus sixteen, at most 256."""
    plan = Plan(targets=(STABLE,), rate=rate, connections=connections)
    assert plan.connections_at(clock_rate) == expected


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(targets=(STABLE,)), id="defaults"),
        pytest.param(
            Plan(
                targets=(STABLE, CANARY),
                rate=None,
                duration_seconds=90.0,
                connections=4,
                voters=Voters(pool=500),
                split_a=0.5,
                timeout_seconds=2.5,
                host_header="vote-voting01-qa.agent.opsera.dev",
                seed=7,
            ),
            id="everything",
        ),
    ],
)
def test_a_plans_document_gives_the_plan_again(plan: Plan) -> None:
    """What the control plane shows can be sent back to it."""
    assert PlanBody.model_validate(plan.to_document()).to_domain() == plan


@pytest.mark.parametrize(
    ("text", "pool"),
    [("new", None), ("returning", 1000), ("returning:1", 1), ("returning:500", 500)],
)
def test_voters_are_read(text: str, pool: int | None) -> None:
    """new, returning, returning:N."""
    assert Voters.parse(text).pool == pool


@pytest.mark.parametrize(
    "text",
    [
        "", "old", "returning:", "returning:0", "returning:-1", "returning:1000001", "new:5",
        pytest.param("returning:" + "9" * 5000, id="digits"),
    ],
)  # fmt: skip
def test_wrong_voters_are_refused(text: str) -> None:
    """Anything else is an error."""
    with pytest.raises(InvalidInput, match="expected new, returning or returning:N"):
        Voters.parse(text)


def _take(
    count: int, *, seed: int = 1, split_a: float = 0.5, gets: float = 0.0, pool: int | None = None
) -> Ballots:
    return BallotBox(seed=seed, split_a=split_a, gets=gets, voters=Voters(pool=pool)).take(count)


def test_votes_split_two_to_one() -> None:
    """Of 3,000 votes two thirds are for a, within three standard deviations."""
    votes = _take(3000, split_a=2 / 3).votes
    assert abs(votes.count(b"a") - 2000) <= 3 * (3000 * 2 / 9) ** 0.5
    assert set(votes) == {b"a", b"b"}


def test_a_share_only_looks_at_the_page() -> None:
    """Of 3,000 requests a third has no vote, and the votes of the others do not change."""
    looking, voting = _take(3000, gets=1 / 3).votes, _take(3000).votes
    assert abs(looking.count(b"") - 1000) <= 3 * (3000 * 2 / 9) ** 0.5
    assert all(one in {other, b""} for one, other in zip(looking, voting, strict=True))


def test_new_voters_never_repeat() -> None:
    """Each new voter has an id of 15 hexadecimal digits without a leading zero, seen once."""
    ids = _take(5000).voter_ids
    assert len(set(ids)) == 5000
    assert all(
        len(voter_id) == 15 and f"{int(voter_id, 16):x}".encode() == voter_id for voter_id in ids
    )


def test_returning_voters_come_from_a_pool() -> None:
    """Many votes, few voters, each of them several times."""
    assert len(set(_take(500, pool=10).voter_ids)) == 10


def test_votes_do_not_depend_on_the_kind_of_voters() -> None:
    """Switching to returning voters leaves the sequence of votes alone."""
    assert _take(300, seed=3).votes == _take(300, seed=3, pool=3).votes


def test_a_vote_on_the_wire() -> None:
    """The form post of the voting page, byte for byte."""
    request = VoteRequest.to(Endpoint.parse("http://127.0.0.1:8083"))
    assert request.of(b"c0ffee", b"a") == (
        b"POST / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:8083\r\n"
        b"User-Agent: votegen\r\n"
        b"Accept: */*\r\n"
        b"Content-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 6\r\n"
        b"Cookie: voter_id=c0ffee\r\n"
        b"\r\n"
        b"vote=a"
    )


def test_a_look_at_the_page_on_the_wire() -> None:
    """A request without a vote is a plain GET of the same page."""
    request = VoteRequest.to(Endpoint.parse("http://127.0.0.1:8083"))
    assert request.of(b"c0ffee", b"") == (
        b"GET / HTTP/1.1\r\n"
        b"Host: 127.0.0.1:8083\r\n"
        b"User-Agent: votegen\r\n"
        b"Accept: */*\r\n"
        b"Cookie: voter_id=c0ffee\r\n"
        b"\r\n"
    )


def test_the_host_header_can_be_given() -> None:
    """Calls through an ingress need its host name."""
    request = VoteRequest.to(Endpoint.parse("http://127.0.0.1"), host_header="vote.test")
    assert b"\r\nHost: vote.test\r\n" in request.post


@pytest.mark.parametrize(
    ("header", "body", "expected"),
    [
        pytest.param(b"7cd75c6d7c", b"Pod: vote-54bc444575-7hqnx", "7cd75c6d7c", id="header-wins"),
        pytest.param(b"", b"<footer>Pod: vote-54bc444575-7hqnx &middot;", "54bc444575", id="pod"),
        pytest.param(b"", b"Pod: <b>vote-7cd75c6d7c-7hqnx</b>", "7cd75c6d7c", id="markup"),
        pytest.param(
            b"", b"Processed by container ID vote-7cd75c6d7c-9kmvp", "7cd75c6d7c", id="upstream"
        ),
        pytest.param(b"", b"Processed by container ID 3f2a9c1b7d4e", UNKNOWN, id="container-id"),
        pytest.param(b"", b"<h1>500</h1>", UNKNOWN, id="no-host-name"),
        pytest.param(b"", b"", UNKNOWN, id="nothing"),
        pytest.param(b"not a hash", b"Pod: vote-7cd75c6d7c-7hqnx", UNKNOWN, id="strange-header"),
    ],
)
def test_attribution(header: bytes, body: bytes, expected: str) -> None:
    """The header, else the page's host name, else unknown: never a guess."""
    assert pod_template_hash(header, body) == expected


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        pytest.param(Outcome(status=200), None, id="200"),
        pytest.param(Outcome(status=204), None, id="204"),
        pytest.param(Outcome(status=302), ErrorKind.HTTP_3XX, id="302"),
        pytest.param(Outcome(status=404), ErrorKind.HTTP_4XX, id="404"),
        pytest.param(Outcome(status=503), ErrorKind.HTTP_5XX, id="503"),
        pytest.param(Outcome(status=999), ErrorKind.PROTOCOL, id="999"),
        pytest.param(Outcome(failure=ErrorKind.RESET), ErrorKind.RESET, id="reset"),
    ],
)
def test_only_2xx_is_ok(outcome: Outcome, expected: ErrorKind | None) -> None:
    """Every other end has its kind of error."""
    assert outcome.error == expected


def _tally(*outcomes: Outcome) -> TargetTally:
    target = TargetTally()
    for outcome in outcomes:
        target.record(outcome)
        target.latency.record([0.02])
        target.service.record([0.01])
    return target


def test_a_version_is_blamed_for_5xx_and_lost_answers_only() -> None:
    """Per hash, 4xx and redirects are requests but not errors."""
    target = _tally(
        *(Outcome(status=status, pod_hash="a") for status in (200, 302, 404, 500, 503)),
        Outcome(failure=ErrorKind.TIMEOUT),
    )
    counts = {name: (count.requests, count.errors) for name, count in target.hashes.items()}
    assert counts == {"a": (5, 2), "unknown": (1, 1)}


def test_the_number_of_hashes_is_bounded() -> None:
    """A target that answers with ever new hashes does not fill the memory."""
    target = _tally(*(Outcome(status=200, pod_hash=f"h{n}") for n in range(MAX_HASHES + 50)))
    assert len(target.hashes) == MAX_HASHES + 1
    assert target.hashes["other"].requests == 50


def test_the_result_has_the_contracts_keys() -> None:
    """Names, units and order of the JSON result."""
    tally = Tally(planned=3, sent=2, completed=2, targets={"canary": _tally(Outcome(status=200))})
    document = result_document(tally, Progress(duration_seconds=10.0, real_seconds=1.0))
    assert list(document) == [
        "planned", "sent", "not_started", "completed", "abandoned", "in_flight", "backlog",
        "reconnects", "late", "duration_s", "duration_real_s", "rate", "rate_real", "targets",
    ]  # fmt: skip
    target = document["targets"]["canary"]
    assert list(target) == [
        "requests", "ok", "errors", "latency_ms", "service_ms", "share", "hashes",
    ]  # fmt: skip
    times = ["mean", "p50", "p90", "p95", "p99", "p999", "max"]
    assert list(target["latency_ms"]) == list(target["service_ms"]) == times
    assert {"http_5xx", "http_4xx", "timeout", "connect", "reset"} <= set(target["errors"])
    assert (document["rate"], document["rate_real"]) == (0.2, 2.0)


def test_times_are_milliseconds() -> None:
    """20 ms from the intended time, 10 ms from the write."""
    document = result_document(
        Tally(targets={"canary": _tally(Outcome(status=200))}),
        Progress(duration_seconds=1, real_seconds=1),
    )
    target = document["targets"]["canary"]
    assert (target["latency_ms"]["max"], target["service_ms"]["max"]) == (20.0, 10.0)


def test_no_data_is_null_not_zero() -> None:
    """Without a request there is no latency, no share and no rate."""
    document = result_document(
        Tally(targets={"canary": TargetTally()}), Progress(duration_seconds=0, real_seconds=0)
    )
    target = document["targets"]["canary"]
    assert set(target["latency_ms"].values()) == {None}
    assert (target["share"], document["rate"], document["late"]["p99_ms"]) == (None, None, None)


@pytest.mark.parametrize(
    ("lags", "late"),
    [
        pytest.param([0.0, 0.001, 0.002], 0, id="on-time"),
        pytest.param([0.0021, 0.5], 2, id="late"),
    ],
)
def test_late_starts_are_counted(lags: list[float], late: int) -> None:
    """A write more than two milliseconds after its intended time is late."""
    tally = Tally()
    tally.record_sent(lags)
    document = result_document(tally, Progress(duration_seconds=1, real_seconds=1))
    assert document["late"]["count"] == late
    assert document["late"]["max_ms"] == pytest.approx(max(lags) * 1000)
    assert document["sent"] == len(lags)


def test_a_time_of_zero_is_recorded() -> None:
    """A lag of exactly nothing has a bucket, and negative ones count as nothing."""
    recorder = HistogramRecorder()
    recorder.record([0.0, -1.0])
    snapshot = recorder.snapshot()
    assert (snapshot.count, snapshot.max_seconds, snapshot.quantiles((0.5,))) == (2, 0.0, (0.0,))


def test_an_empty_histogram_has_no_quantiles() -> None:
    """No data, no number."""
    empty = Histogram(counts={})
    assert (empty.mean, empty.quantiles((0.5, 0.99))) == (None, (None, None))


def test_a_quantile_is_never_above_the_maximum() -> None:
    """The middle of a bucket may lie above the largest time in it."""
    recorder = HistogramRecorder()
    recorder.record([1.0])
    assert recorder.snapshot().quantiles((0.99,)) == (1.0,)


def test_the_text_names_every_count() -> None:
    """People see planned and sent requests, errors by kind, and versions."""
    target = _tally(*(Outcome(status=status, pod_hash="7cd75c6d7c") for status in (200, 503)))
    tally = Tally(planned=4, sent=3, completed=3, targets={"canary": target})
    document = result_document(tally, Progress(duration_seconds=60, real_seconds=6))
    text = render(document, "text")
    for part in (
        "60s (6s real)",
        "4 planned, 3 sent, 1 not started, 3 completed",
        "canary: 2 requests (100.0%), 1 ok, http_5xx 1",
        "hash 7cd75c6d7c  2 requests, 1 errors",
    ):
        assert part in text
    assert "ok 1  errors 1" in progress_line(document)
