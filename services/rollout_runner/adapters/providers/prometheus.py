"""The prometheus provider: one PromQL query, judged by the pure rules of `argo.prometheus`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.adapters.providers.exchange import ExchangeError, HttpExchanges
from rollout_runner.argo import prometheus
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.argo.web import WebProviderError

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rollout_runner.adapters.cluster_network import Address
    from rollout_runner.argo.analysis import Metric
    from svckit.clock import Clock


class PrometheusProvider:
    """Measures metrics whose provider is `prometheus`.

    `default_address` is asked when a metric names no address, as the controller's environment
    variable ARGO_ROLLOUTS_PROMETHEUS_ADDRESS says in a cluster.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        resolve: Callable[[str], Address | None],
        version: ArgoVersion,
        default_address: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._version = version
        self._default_address = default_address
        self._exchanges = HttpExchanges(resolve=resolve, transport=transport)

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:  # noqa: ARG002
        """Ask once; the measurement is complete when this returns."""
        try:
            query = prometheus.build_query(
                metric.provider["prometheus"],
                now=self._clock.now(),
                version=self._version,
                default_address=self._default_address,
            )
            answer = await self._answer(query)
        except (prometheus.PrometheusError, WebProviderError, ExchangeError) as error:
            return Measurement(phase=Phase.ERROR, message=str(error))
        return prometheus.measure(
            answer,
            success_condition=metric.success_condition,
            failure_condition=metric.failure_condition,
            version=self._version,
            now=self._clock.now(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._exchanges.close()

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: it is never in flight."""
        return measurement

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: it is never in flight."""
        return measurement

    async def _answer(self, query: prometheus.PrometheusQuery) -> prometheus.Answer:
        if query.timeout_seconds == 0:
            return prometheus.Answer(error=prometheus.out_of_time(query))
        reply = await self._exchanges.perform(query.post)
        if prometheus.takes_no_post(reply.status):
            reply = await self._exchanges.perform(query.get)
        return prometheus.read_answer(reply.status, reply.body)
