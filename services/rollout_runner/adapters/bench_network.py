"""The network of a bench: Services are forwarders, the ingress is votegen's weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from rollout_runner.events import VersionTraffic
from svckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rollout_runner.adapters.cluster_network import ClusterNetwork
    from rollout_runner.scenarios.model import Traffic

_ERRORS = ("http_5xx", "timeout", "connect", "reset", "protocol")
_RUNNING = "running"


class BenchNetwork:
    """Switches Services and splits the votes.

    A votegen that cannot be told or asked, or that has stopped sending, is reported to `lose`: the
    run goes on and shows what the gate makes of it, and is not promoted.
    """

    def __init__(
        self,
        *,
        cluster: ClusterNetwork,
        namespace: str,
        votegen: httpx.AsyncClient,
        url_of: Callable[[str], str | None],
        traffic: Traffic,
        seed: int,
        lose: Callable[[str], None],
    ) -> None:
        self._cluster = cluster
        self._namespace = namespace
        self._votegen = votegen
        self._url_of = url_of
        self._traffic = traffic
        self._seed = seed
        self._lose = lose
        self._started = False
        self._silent = False

    async def select(self, service: str, pod_hash: str) -> None:
        """Make a Service of the Rollout's namespace select the pods of this hash."""
        self._cluster.select(f"{service}.{self._namespace}", pod_hash)

    async def split(self, weights: Mapping[str, int]) -> None:
        """Give each version its share of the votes; the first split starts the traffic."""
        targets = [
            {"name": pod_hash, "url": url, "weight": weight}
            for pod_hash, weight in weights.items()
            if (url := self._url_of(pod_hash)) is not None
        ]
        if not targets:
            return
        if self._started:
            await self._tell("PATCH", "/control/plan", {"targets": targets})
            return
        plan = {
            "targets": targets,
            "rate": self._traffic.rate,
            "arrivals": self._traffic.arrivals,
            "seed": self._seed,
        }
        await self._tell("PUT", "/control/plan", plan)
        await self._tell("POST", "/control/start", None)
        self._started = True

    async def change_rate(self, rate: float) -> None:
        """Change how many votes are cast per virtual second."""
        self._traffic = self._traffic.model_copy(update={"rate": rate})
        if self._started:
            await self._tell("PATCH", "/control/plan", {"rate": rate})

    async def observe(self) -> Sequence[VersionTraffic]:
        """Return the totals per version; empty when votegen cannot be asked."""
        if self._silent:
            return ()  # asking again would hold up the run for a time-out each time
        try:
            response = await self._votegen.get("/v1/status")
            response.raise_for_status()
        except httpx.HTTPError as error:
            self._silent = True
            self._lose(f"did not tell its status ({type(error).__name__})")
            return ()
        status: dict[str, Any] = response.json()
        if self._started and status.get("state") != _RUNNING:
            self._lose(f"stopped sending (state {status.get('state')})")
        result: dict[str, Any] = status.get("result") or {}
        return tuple(
            VersionTraffic(
                hash=name,
                requests=target["requests"],
                errors=sum(target["errors"].get(kind, 0) for kind in _ERRORS),
            )
            for name, target in result.get("targets", {}).items()
        )

    async def _tell(self, method: str, path: str, body: Mapping[str, Any] | None) -> None:
        try:
            response = await self._votegen.request(method, path, json=body)
        except httpx.HTTPError as error:
            self._lose(f"did not take {method} {path} ({type(error).__name__})")
            return
        if response.is_error:
            raise Unavailable(f"votegen refused {method} {path}: {response.text}")
