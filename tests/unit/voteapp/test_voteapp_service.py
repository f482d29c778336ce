"""One request through the service: faults in real time, votes stored, everything observed."""

from __future__ import annotations

import asyncio

import pytest

from svckit.clock import ManualClock
from voteapp.adapters.store import MemoryVoteStore
from voteapp.domain.contract import Reply, Request, Site
from voteapp.domain.faults import Faults
from voteapp.domain.observation import CLIENT_LEFT, Observation
from voteapp.service import VoteService

pytestmark = pytest.mark.anyio

VOTE = Request(
    method="POST",
    path="/",
    content_type="application/x-www-form-urlencoded",
    body=b"vote=a",
    user_agent="votegen",
)
PAGE = Request(method="GET", path="/")


class _Sink:
    def __init__(self) -> None:
        self.observations: list[Observation] = []

    def record(self, observation: Observation) -> None:
        self.observations.append(observation)

    async def start(self) -> None: ...

    async def close(self) -> None: ...


async def _stays() -> None:
    await asyncio.get_running_loop().create_future()


async def _leaves() -> None:
    return


class _Bench:
    def __init__(self, clock: ManualClock, *, seed: int = 1) -> None:
        self.delays: list[float] = []
        self.sink = _Sink()
        self.store = MemoryVoteStore(capacity=3)
        self.service = VoteService(
            site=Site(
                version="v17", pod_template_hash="7cd75c6d7c", pod_name="vote-7cd75c6d7c-7hqnx"
            ),
            store=self.store,
            telemetry=self.sink,
            clock=clock,
            seed=seed,
            sleep=self._sleep,
        )

    async def _sleep(self, seconds: float) -> None:
        self.delays.append(seconds)

    async def send(self, request: Request) -> Reply | None:
        return await self.service.handle(request, client_left=_stays)

    async def statuses(self, n: int) -> list[int]:
        return [reply.status for _ in range(n) if (reply := await self.send(VOTE))]


@pytest.fixture(name="bench")
def _bench(clock: ManualClock) -> _Bench:
    return _Bench(clock)


async def test_a_vote_is_recorded_as_the_worker_expects_it(bench: _Bench) -> None:
    """The record is the JSON object that the queue holds, with the voter's own id."""
    await bench.send(
        Request(
            method="POST",
            path="/",
            cookie="SERVERID=x; voter_id=abc",
            content_type=VOTE.content_type,
            body=b"vote=b",
        )
    )
    assert await bench.store.latest(10) == ['{"voter_id": "abc", "vote": "b"}']


async def test_the_store_is_bounded_and_counts_all(bench: _Bench) -> None:
    """Five votes into a store of three: the newest three stay, five are counted."""
    for _ in range(5):
        await bench.send(VOTE)
    assert (len(await bench.store.latest(10)), bench.store.recorded) == (3, 5)


async def test_a_failed_vote_is_not_recorded(bench: _Bench) -> None:
    """A request that a fault spoils never reaches the application."""
    bench.service.set_faults(Faults(status=503))
    reply = await bench.send(VOTE)
    assert reply is not None
    assert (reply.status, bench.store.recorded) == (503, 0)


async def test_a_spoiled_answer_still_says_who_answered(bench: _Bench) -> None:
    """Errors can be attributed to a version like pages."""
    bench.service.set_faults(Faults(status=503))
    reply = await bench.send(VOTE)
    assert reply is not None
    assert (b"x-pod-template-hash", b"7cd75c6d7c") in reply.headers


async def test_faults_repeat_after_they_are_set_again(bench: _Bench) -> None:
    """Setting the same faults again gives the same decisions."""
    bench.service.set_faults(Faults(error_ratio=0.3))
    first = await bench.statuses(50)
    bench.service.set_faults(Faults(error_ratio=0.3))
    assert await bench.statuses(50) == first
    assert {200, 500} == set(first)


async def test_probes_do_not_shift_the_decisions_about_votes(bench: _Bench) -> None:
    """However many probes arrive in between, the same votes fail."""
    bench.service.set_faults(Faults(error_ratio=0.3))
    first = await bench.statuses(50)
    bench.service.set_faults(Faults(error_ratio=0.3))
    second = []
    for _ in range(50):
        await bench.send(Request(method="GET", path="/", user_agent="kube-probe/1.33"))
        second += await bench.statuses(1)
    assert second == first


async def test_latency_is_waited_for_in_real_time(bench: _Bench) -> None:
    """The wait is what the switch says, then the page comes."""
    bench.service.set_faults(Faults(latency_add_seconds=0.2))
    reply = await bench.send(PAGE)
    assert reply is not None
    assert (bench.delays, reply.status) == ([0.2], 200)


async def test_a_client_that_leaves_during_a_hang_is_observed_as_an_error(bench: _Bench) -> None:
    """Nothing is answered, no vote is recorded, and the request counts as failed."""

    async def never(_seconds: float) -> None:
        await _stays()

    bench.service._sleep = never
    bench.service.set_faults(Faults(hang_seconds=60))
    reply = await bench.service.handle(VOTE, client_left=_leaves)
    assert (reply, bench.store.recorded) == (None, 0)
    assert [(o.status, o.error) for o in bench.sink.observations] == [(CLIENT_LEFT, True)]


async def test_every_request_is_observed_once(bench: _Bench, clock: ManualClock) -> None:
    """The observation carries the virtual instant, status, method, path and user agent."""
    clock.advance(5)
    await bench.send(VOTE)
    (observation,) = bench.sink.observations
    assert (
        observation.finished_at,
        observation.status,
        observation.method,
        observation.path,
        observation.user_agent,
        observation.error,
    ) == (1_770_170_405.0, 200, "POST", "/", "votegen", False)


@pytest.mark.parametrize(
    ("status", "error"),
    [pytest.param(503, True, id="5xx"), pytest.param(404, False, id="4xx")],
)
async def test_only_5xx_is_an_error(bench: _Bench, status: int, error: bool) -> None:  # noqa: FBT001 - table
    """A 4xx is the caller's mistake and no error of the application."""
    bench.service.set_faults(Faults(status=status))
    await bench.send(VOTE)
    assert [o.error for o in bench.sink.observations] == [error]


async def test_two_pods_of_one_seed_fail_different_requests(clock: ManualClock) -> None:
    """Decisions depend on the pod, or all pods would fail in step."""
    one, other = _Bench(clock), _Bench(clock, seed=2)
    for bench in (one, other):
        bench.service.set_faults(Faults(error_ratio=0.5))
    assert await one.statuses(40) != await other.statuses(40)


async def test_error_sim_toggles_and_fails_votes_only(bench: _Bench) -> None:
    """The fork's switch fails every POST / and leaves the page alone."""
    toggle = Request(method="POST", path="/api/error-sim")
    bodies = [reply.body for _ in range(2) if (reply := await bench.send(toggle))]
    assert bodies == [b'{"enabled": true}', b'{"enabled": false}']
    await bench.send(toggle)
    assert await bench.statuses(1) == [500]
    page = await bench.send(PAGE)
    assert page is not None
    assert page.status == 200
