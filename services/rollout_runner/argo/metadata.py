"""What a metric's result tells besides its measurements: the query, arguments filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.argo import newrelic, prometheus

if TYPE_CHECKING:
    from rollout_runner.argo.analysis import Metric

_BY_PROVIDER = {"newRelic": newrelic.metadata, "prometheus": prometheus.metadata}


def metric_metadata(metric: Metric) -> dict[str, str]:
    """Return the metadata that the metric's provider gives its result; most give none."""
    for name, metadata in _BY_PROVIDER.items():
        block = metric.provider.get(name)
        if block is not None:
            return metadata(block)
    return {}
