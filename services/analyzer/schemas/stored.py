"""How runs and their windows are kept: JSON that says exactly what was judged."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from analyzer.domain.histogram import LatencyHistogram
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.observation import CountArms, LatencyArms, Observation, StableBlock
from analyzer.domain.setup import RunOrigin, Setup, StoredRun
from analyzer.schemas.config_file import config_of

SCHEMA = 1
_INFINITE = "+Inf"


def encode_run(stored: StoredRun) -> str:
    """Return a run as text."""
    setup = stored.setup
    return _dumps(
        {
            "schema": SCHEMA,
            "origin": asdict(stored.origin),
            "run": setup.run,
            "config": {"name": setup.config.name, "content": json.loads(setup.config.content)},
            "metrics": sorted(setup.metrics),
            "horizon": setup.horizon_s,
            "interval": setup.interval_s,
            "weight": setup.weight,
            "latencyCounted": setup.latency_counted,
            "errorLimit": setup.error_limit,
            "history": [
                [one.window.start, one.window.end, one.metric, arm_document(one.stable)]
                for one in setup.history
            ],
            "latencyHistory": None
            if setup.latency_history is None
            else arm_document(setup.latency_history),
        }
    )


def decode_run(text: str) -> StoredRun:
    """Return a run from its text.

    Raises:
        ValueError: another version of the service wrote it, or it is damaged.
    """
    document = json.loads(text)
    if document["schema"] != SCHEMA:
        raise ValueError(f"schema {document['schema']}, expected {SCHEMA}")
    config, latency = document["config"], document["latencyHistory"]
    setup = Setup(
        run=document["run"],
        config=config_of(config["content"], name=config["name"], where="stored configuration"),
        metrics=frozenset(document["metrics"]),
        horizon_s=document["horizon"],
        interval_s=document["interval"],
        weight=document["weight"],
        latency_counted=document["latencyCounted"],
        error_limit=document["errorLimit"],
        history=tuple(
            StableBlock(window=Window(start=start, end=end), metric=metric, stable=arm_of(stable))
            for start, end, metric, stable in document["history"]
        ),
        latency_history=None if latency is None else _latencies(latency),
    )
    return StoredRun(origin=RunOrigin(**document["origin"]), setup=setup)


def encode_arm(arm: ArmCounts | LatencyHistogram) -> str:
    """Return an arm as text."""
    return _dumps(arm_document(arm))


def decode_observation(
    *, metric: str, start: float, end: float, weight: float | None, canary: str, stable: str
) -> Observation:
    """Return an observation from its columns."""
    arms = arm_of(json.loads(canary)), arm_of(json.loads(stable))
    pair: CountArms | LatencyArms
    if isinstance(arms[0], ArmCounts) and isinstance(arms[1], ArmCounts):
        pair = CountArms(canary=arms[0], stable=arms[1])
    elif isinstance(arms[0], LatencyHistogram) and isinstance(arms[1], LatencyHistogram):
        pair = LatencyArms(canary=arms[0], stable=arms[1])
    else:
        raise ValueError("arms of two forms")  # noqa: TRY004 - bad data, not a bad call
    return Observation(window=Window(start=start, end=end), metric=metric, arms=pair, weight=weight)


def arm_document(arm: ArmCounts | LatencyHistogram) -> dict[str, Any]:
    """Return an arm in the form of a judge body."""
    if isinstance(arm, ArmCounts):
        return {"count": arm.count, "bad": arm.bad}
    edges = [_INFINITE if math.isinf(one) else one for one in arm.le_ms]
    return {"le_ms": edges, "counts": list(arm.counts)}


def arm_of(document: dict[str, Any]) -> ArmCounts | LatencyHistogram:
    """Return an arm from its document."""
    if "count" in document:
        return ArmCounts(count=document["count"], bad=document["bad"])
    return _latencies(document)


def _latencies(document: dict[str, Any]) -> LatencyHistogram:
    return LatencyHistogram(
        le_ms=tuple(math.inf if one == _INFINITE else float(one) for one in document["le_ms"]),
        counts=tuple(document["counts"]),
    )


def _dumps(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)
