"""ReplicaSets as voteapp processes: one process stands for all pods of a hash.

A ReplicaSet is available with all its replicas as soon as its process is ready, and with none
before. Replica counts are Argo's arithmetic; they start and end the process only between zero and
more than zero.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from rollout_runner.adapters.cluster_network import Address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from rollout_runner.adapters.cluster_network import ClusterNetwork
    from rollout_runner.adapters.processes import ServiceProcess


class VoteappWorkload:
    """Starts and stops the versions; `start` must return a process that serves as it should."""

    def __init__(
        self,
        *,
        start: Callable[[str], Awaitable[ServiceProcess]],
        network: ClusterNetwork,
        on_change: Callable[[], None],
        on_failure: Callable[[Exception], None],
    ) -> None:
        self._start = start
        self._network = network
        self._on_change = on_change
        self._on_failure = on_failure
        self._replicas: dict[str, int] = {}
        self._processes: dict[str, ServiceProcess] = {}
        self._starting: dict[str, asyncio.Task[None]] = {}

    async def scale(self, pod_hash: str, replicas: int) -> None:
        """Set the replica count; zero ends the process, the first replica starts it."""
        self._replicas[pod_hash] = replicas
        if replicas and pod_hash not in self._processes and pod_hash not in self._starting:
            self._starting[pod_hash] = asyncio.create_task(self._bring_up(pod_hash))
        if not replicas:
            await self._bring_down(pod_hash)

    def available(self, pod_hash: str) -> int:
        """Return the replica count while the process serves, else 0."""
        process = self._processes.get(pod_hash)
        serving = process is not None and process.exit_code is None and not process.stopping
        return self._replicas.get(pod_hash, 0) if serving else 0

    def url(self, pod_hash: str) -> str | None:
        """Return the base URL of the pods of a hash, None while there are none."""
        process = self._processes.get(pod_hash)
        return None if process is None else process.url

    async def close(self) -> None:
        """End every process."""
        for pod_hash in [*self._starting, *self._processes]:
            await self._bring_down(pod_hash)

    async def _bring_up(self, pod_hash: str) -> None:
        try:
            process = await self._start(pod_hash)
        except Exception as error:  # noqa: BLE001 - handed to the run, which ends with it
            self._on_failure(error)
            return
        finally:
            self._starting.pop(pod_hash, None)
        self._processes[pod_hash] = process
        self._network.add_pods(pod_hash, Address.of_url(process.url))
        self._on_change()

    async def _bring_down(self, pod_hash: str) -> None:
        starting = self._starting.get(pod_hash)
        if starting is not None:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
        self._network.remove_pods(pod_hash)
        process = self._processes.pop(pod_hash, None)
        if process is not None:
            await process.stop()
            self._on_change()
