"""The product's own judge as a contender: `analyzer.domain.run`, window after window.

Nothing is modelled here. Every rollout is a `RunPlan` with the history that a service would have,
and every window that arrived goes through the same admission as in a request.
"""

from __future__ import annotations

import hashlib
import math
import time
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain import latency, run
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.sequential import Rules
from league.outcome import Outcome
from league.scenarios import HORIZON, SUB_WINDOW, ErrorScenario, LatencyScenario
from league.streams import ErrorStreams, LatencyStreams

if TYPE_CHECKING:
    from collections.abc import Iterator

    from league.scenarios import Scenario

    Records = Iterator[tuple[run.WindowRecord, ...]]

DOMAIN = Path(run.__file__).parent


@lru_cache(maxsize=1)
def code() -> str:
    """Return a hash of all code that the product judges with."""
    files = [Path(__file__), *sorted(DOMAIN.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def judge(streams: ErrorStreams | LatencyStreams, scenario: Scenario, alpha: float) -> Outcome:
    """Return what the product says about every rollout of a chunk."""
    runs = len(streams.arrived)
    failed, passed = np.full(runs, math.inf), np.full(runs, math.inf)
    judgements, started = 0, time.perf_counter()
    for number in range(runs):
        plan, windows = rollout(streams, scenario, number, alpha)
        state = run.begin(plan)
        for records in windows:
            state, _ = run.advance(state, records, now=math.inf)
            judgements += 1
            if state.failed_at is not None:
                failed[number] = state.failed_at
                break
        if state.passed_at is not None:
            passed[number] = state.passed_at
    return Outcome(
        failed_at=failed,
        passed_at=passed,
        seconds=time.perf_counter() - started,
        judgements=judgements,
    )


def rollout(
    streams: ErrorStreams | LatencyStreams, scenario: Scenario, number: int, alpha: float
) -> tuple[run.RunPlan, Records]:
    """Return plan and windows of one rollout."""
    if isinstance(scenario, ErrorScenario) and isinstance(streams, ErrorStreams):
        return _errors(streams, scenario, number, alpha)
    if isinstance(scenario, LatencyScenario) and isinstance(streams, LatencyStreams):
        return _latency(streams, scenario, number, alpha)
    raise TypeError("streams and scenario are of different kinds")


def _errors(
    streams: ErrorStreams, scenario: ErrorScenario, number: int, alpha: float
) -> tuple[run.RunPlan, Records]:
    group = scenario.poll // SUB_WINDOW
    blocks = zip(
        streams.history_count[number].reshape(-1, group).sum(axis=1).tolist(),
        streams.history_bad[number].reshape(-1, group).sum(axis=1).tolist(),
        strict=True,
    )
    names = [f"errors{metric or ''}" for metric in range(scenario.metrics)]
    plan = run.RunPlan(
        run=f"{scenario.name}-{number}",
        horizon_s=HORIZON - scenario.skip,
        interval_s=scenario.poll,
        weights=dict.fromkeys(names, 1.0),
        history={names[0]: tuple(blocks)},
        rules=Rules(alpha_fail=alpha, fail_odds=scenario.margin or 1.0),
        planned_weight=scenario.weights[0][1] if len(scenario.weights) == 1 else None,
    )
    return plan, _error_windows(streams, scenario, number, names)


def _error_windows(
    streams: ErrorStreams, scenario: ErrorScenario, number: int, names: list[str]
) -> Records:
    bad_canary, bad_stable = streams.bad_canary, streams.bad_stable
    if scenario.metrics == 1:
        bad_canary, bad_stable = bad_canary[None], bad_stable[None]
    for index in range(streams.arrived.shape[1]):
        if not streams.arrived[number, index]:
            continue
        yield tuple(
            run.WindowRecord(
                window=_window(scenario.skip, scenario.poll, index),
                metric=name,
                canary=ArmCounts(
                    count=int(streams.count_canary[number, index]),
                    bad=int(bad_canary[metric, number, index]),
                ),
                stable=ArmCounts(
                    count=int(streams.count_stable[number, index]),
                    bad=int(bad_stable[metric, number, index]),
                ),
            )
            for metric, name in enumerate(names)
        )


def _latency(
    streams: LatencyStreams, scenario: LatencyScenario, number: int, alpha: float
) -> tuple[run.RunPlan, Records]:
    expected = scenario.rps * scenario.poll * float(streams.weight.sum())
    limits = latency.thresholds(streams.history[number], expected_canary=expected)
    plan = run.RunPlan(
        run=f"{scenario.name}-{number}",
        horizon_s=HORIZON,
        interval_s=scenario.poll,
        weights={limit.name: 1.0 for limit in limits},
        rules=Rules(alpha_fail=alpha),
    )
    return plan, _latency_windows(streams, scenario, number, limits)


def _latency_windows(
    streams: LatencyStreams,
    scenario: LatencyScenario,
    number: int,
    limits: tuple[latency.Threshold, ...],
) -> Records:
    for index in range(streams.arrived.shape[1]):
        if not streams.arrived[number, index]:
            continue
        canary, slow_canary = latency.slow_requests(streams.canary[number, index], limits)
        stable, slow_stable = latency.slow_requests(streams.stable[number, index], limits)
        yield tuple(
            run.WindowRecord(
                window=_window(0, scenario.poll, index),
                metric=limit.name,
                canary=ArmCounts(count=canary, bad=slow_canary[i]),
                stable=ArmCounts(count=stable, bad=slow_stable[i]),
            )
            for i, limit in enumerate(limits)
        )


def _window(skip: int, poll: int, index: int) -> Window:
    return Window(start=skip + index * poll, end=skip + (index + 1) * poll)
