"""The newRelic provider: NRQL through NerdGraph, judged by the pure rules of `argo.newrelic`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.adapters.providers.exchange import ExchangeError, HttpExchanges
from rollout_runner.argo import newrelic
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.argo.web import WebProviderError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from rollout_runner.adapters.cluster_network import Address
    from rollout_runner.argo.analysis import Metric
    from rollout_runner.argo.web import WebRequest
    from svckit.clock import Clock

_RELEASES = {
    ArgoVersion.V1_8: "v1.8.4",
    ArgoVersion.V1_9: "v1.9.1",
    ArgoVersion.V1_10: "v1.10.0",
}
"""What the controller of a release line calls itself to New Relic."""


class NewRelicProvider:
    """Measures metrics whose provider is `newRelic`.

    `secrets` holds the values of Secrets by name: the profile of a metric is one of them. In a
    cluster it must lie in the namespace of the controller. Waits between attempts are virtual time.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        resolve: Callable[[str], Address | None],
        version: ArgoVersion,
        secrets: Mapping[str, Mapping[str, str]],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._version = version
        self._secrets = secrets
        self._exchanges = HttpExchanges(resolve=resolve, transport=transport)

    async def run(self, metric: Metric, measurement_name: str) -> Measurement:  # noqa: ARG002
        """Ask once, with the client's retries; the measurement is complete when this returns."""
        block = metric.provider["newRelic"]
        name = newrelic.profile_name(block)
        try:
            profile = newrelic.read_profile(self._secrets.get(name), name)
            request = newrelic.build_request(block, profile, release=_RELEASES[self._version])
        except newrelic.NewRelicError as error:
            return Measurement(phase=Phase.ERROR, message=str(error))
        answer = await self._answer(request)
        if answer.rows is None:
            return Measurement(phase=Phase.ERROR, message=answer.error)
        return newrelic.measure(
            answer.rows,
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

    async def _answer(self, request: WebRequest) -> newrelic.Answer:
        for attempt in range(1, newrelic.MAX_ATTEMPTS + 1):
            status, retry_after = 0, ""
            try:
                reply = await self._exchanges.perform(request)
            except ExchangeError as error:
                if error.reading:
                    return newrelic.Answer(error=error.reason)
                told = newrelic.given_up(request.url, str(error))
                answer = newrelic.Answer(error=told, retried=True)
            except WebProviderError as error:
                return newrelic.Answer(error=str(error))
            else:
                status, retry_after = reply.status, reply.headers.get("Retry-After", "")
                answer = newrelic.read_answer(reply.status, reply.body, url=request.url)
            if not answer.retried or attempt == newrelic.MAX_ATTEMPTS:
                break
            await self._clock.sleep(
                newrelic.retry_wait(attempt, status=status, retry_after=retry_after)
            )
        return answer
