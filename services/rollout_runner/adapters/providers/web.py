"""The web provider: one HTTP call, judged by the pure rules of `argo.web`.

Whatever goes wrong on the way is a measurement in phase Error with Go's wording.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.adapters.providers.exchange import ExchangeError, HttpExchanges
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.argo.web import WebProviderError, WebReading, build_request, measure

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from rollout_runner.adapters.cluster_network import Address
    from rollout_runner.argo.analysis import Metric
    from svckit.clock import Clock


class WebProvider:
    """Measures metrics whose provider is `web`."""

    def __init__(
        self,
        *,
        clock: Clock,
        resolve: Callable[[str], Address | None],
        version: ArgoVersion,
        warn: Callable[[str], None],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._version = version
        self._warn = warn
        self._exchanges = HttpExchanges(resolve=resolve, transport=transport)

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:  # noqa: ARG002
        """Call the endpoint once; the measurement is complete when this returns."""
        web = metric.provider["web"]
        try:
            reply = await self._exchanges.perform(build_request(web), body_of_errors=False)
            reading = measure(
                reply.status,
                reply.body,
                json_path=web.get("jsonPath") or "",
                success_condition=metric.success_condition,
                failure_condition=metric.failure_condition,
                version=self._version,
                now=self._clock.now(),
            )
        except ExchangeError as error:
            told = f"Received no bytes in response: {error.reason}" if error.reading else str(error)
            return Measurement(phase=Phase.ERROR, message=told)
        except WebProviderError as error:
            return Measurement(phase=Phase.ERROR, message=str(error))
        self._warn_if_unevaluated(metric, reading)
        return Measurement(phase=reading.phase, value=reading.value, message=reading.message)

    async def close(self) -> None:
        """Close the connections."""
        await self._exchanges.close()

    async def resume(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: a web measurement is never in flight."""
        return measurement

    async def terminate(self, metric: Metric, measurement: Measurement) -> Measurement:  # noqa: ARG002
        """Return the measurement: a web measurement is never in flight."""
        return measurement

    def _warn_if_unevaluated(self, metric: Metric, reading: WebReading) -> None:
        if reading.unevaluated:
            self._warn(
                f"metric {metric.name!r}: the answer was not JSON and Argo Rollouts"
                f" {self._version} passes such an answer without evaluating any condition"
            )
