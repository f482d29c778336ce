"""The providers that ask over HTTP and are done when the answer is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rollout_runner.adapters.providers.new_relic import NewRelicProvider
from rollout_runner.adapters.providers.prometheus import PrometheusProvider
from rollout_runner.adapters.providers.web import WebProvider
from rollout_runner.argo.prometheus import ADDRESS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from rollout_runner.adapters.cluster_network import Address
    from rollout_runner.argo.types import ArgoVersion
    from svckit.clock import Clock


def http_providers(
    *,
    clock: Clock,
    resolve: Callable[[str], Address | None],
    version: ArgoVersion,
    warn: Callable[[str], None],
    controller_secrets: Mapping[str, Mapping[str, str]],
    transport: httpx.AsyncBaseTransport | None = None,
) -> dict[str, WebProvider | NewRelicProvider | PrometheusProvider]:
    """Return them by the name of their block.

    Args:
        clock: the time.
        resolve: where a host name answers; None calls it as it is.
        version: whose behaviour to take.
        warn: called with what a reader of the report should know.
        controller_secrets: New Relic profiles, by name.
        transport: for all of them; the network unless given.
    """
    return {
        "web": WebProvider(
            clock=clock, resolve=resolve, version=version, warn=warn, transport=transport
        ),
        "newRelic": NewRelicProvider(
            clock=clock,
            resolve=resolve,
            version=version,
            secrets=controller_secrets,
            transport=transport,
        ),
        "prometheus": PrometheusProvider(
            clock=clock,
            resolve=resolve,
            version=version,
            default_address=os.environ.get(ADDRESS_VARIABLE, ""),
            transport=transport,
        ),
    }
