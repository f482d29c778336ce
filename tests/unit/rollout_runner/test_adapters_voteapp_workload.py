"""ReplicaSets as processes: counts are arithmetic, availability is a process that serves."""

from __future__ import annotations

import asyncio

import pytest

from rollout_runner.adapters.cluster_network import ClusterNetwork
from rollout_runner.adapters.voteapp_workload import VoteappWorkload
from runner_trial import settle
from svckit.errors import Unavailable

pytestmark = pytest.mark.anyio


class Process:
    """A process that does nothing."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.exit_code: int | None = None
        self.stopping = False

    async def stop(self) -> None:
        """End."""
        self.stopping = True
        self.exit_code = 0


class Pods:
    """The workload, and processes that start when the test says so."""

    def __init__(self) -> None:
        self.network = ClusterNetwork()
        self.started: list[Process] = []
        self.cancelled = 0
        self.changes = 0
        self.failures: list[Exception] = []
        self.ready = asyncio.Event()
        self.failure: Exception | None = None
        self.workload = VoteappWorkload(
            start=self._start,  # type: ignore[arg-type]
            network=self.network,
            on_change=self._changed,
            on_failure=self.failures.append,
        )

    async def _start(self, pod_hash: str) -> Process:
        try:
            await self.ready.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        process = Process(f"http://127.0.0.1:{9000 + len(self.started)}")
        process.pod_hash = pod_hash  # type: ignore[attr-defined]
        self.started.append(process)
        return process

    def _changed(self) -> None:
        self.changes += 1


async def test_pods_are_available_once_their_process_is_ready() -> None:
    """Until then there are none and they have no address."""
    pods = Pods()
    await pods.workload.scale("abc", 2)
    await settle()
    assert (pods.workload.available("abc"), pods.workload.url("abc")) == (0, None)
    pods.ready.set()
    await settle()
    assert pods.workload.available("abc") == 2
    assert pods.workload.url("abc") == "http://127.0.0.1:9000"
    assert pods.changes == 1


async def test_more_replicas_need_no_other_process() -> None:
    """One process stands for all of them, however often it is scaled."""
    pods = Pods()
    await pods.workload.scale("abc", 1)
    await pods.workload.scale("abc", 2)
    pods.ready.set()
    await settle()
    await pods.workload.scale("abc", 5)
    assert pods.workload.available("abc") == 5
    assert len(pods.started) == 1


async def test_zero_replicas_end_the_process() -> None:
    """And one replica starts another."""
    pods = Pods()
    pods.ready.set()
    await pods.workload.scale("abc", 1)
    await settle()
    await pods.workload.scale("abc", 0)
    assert pods.started[0].stopping
    assert (pods.workload.available("abc"), pods.workload.url("abc")) == (0, None)
    await pods.workload.scale("abc", 1)
    await settle()
    assert pods.workload.url("abc") == "http://127.0.0.1:9001"


async def test_zero_replicas_end_a_start() -> None:
    """A process that is not ready yet is not waited for."""
    pods = Pods()
    await pods.workload.scale("abc", 1)
    await settle()
    await pods.workload.scale("abc", 0)
    pods.ready.set()
    await settle()
    assert pods.cancelled == 1
    assert pods.started == []
    assert pods.workload.available("abc") == 0


async def test_a_process_that_died_serves_nothing() -> None:
    """It is not started again: the run is to see what happens without it."""
    pods = Pods()
    pods.ready.set()
    await pods.workload.scale("abc", 2)
    await settle()
    pods.started[0].exit_code = -9
    assert pods.workload.available("abc") == 0
    await pods.workload.scale("abc", 2)
    await settle()
    assert len(pods.started) == 1


async def test_versions_do_not_share_anything() -> None:
    """Two hashes are two processes."""
    pods = Pods()
    pods.ready.set()
    await pods.workload.scale("old", 2)
    await pods.workload.scale("new", 1)
    await settle()
    assert (pods.workload.available("old"), pods.workload.available("new")) == (2, 1)
    await pods.workload.scale("old", 0)
    assert (pods.workload.available("old"), pods.workload.available("new")) == (0, 1)
    assert pods.workload.available("unheard-of") == 0


async def test_a_start_that_fails_is_told() -> None:
    """The run ends with the error; a later scale may try again."""
    pods = Pods()
    pods.failure = Unavailable("canary did not start: no memory")
    pods.ready.set()
    await pods.workload.scale("abc", 1)
    await settle()
    assert pods.failures == [pods.failure]
    assert pods.workload.available("abc") == 0
    pods.failure = None
    await pods.workload.scale("abc", 1)
    await settle()
    assert pods.workload.available("abc") == 1


async def test_closing_ends_everything() -> None:
    """What runs and what is about to."""
    pods = Pods()
    pods.ready.set()
    await pods.workload.scale("old", 1)
    await settle()
    pods.ready.clear()
    await pods.workload.scale("new", 1)
    await settle()
    await pods.workload.close()
    assert pods.started[0].stopping
    assert pods.cancelled == 1
