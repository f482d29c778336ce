"""A run as it goes on: observations in, evidence out.

The judge (`analyzer.domain.run`) knows bad events only. Here a latency becomes one: thresholds are
quantiles of stable's history, or, without any, of all requests of the first window in which both
arms had some. That choice says nothing about who was slow: given all latencies of the window, each
way of dealing them out to the arms is alike for equal arms, so it stays exact.

Until thresholds are known nothing of latency is judged and nothing passes; then everything that
came before is judged again with them. So what a run comes to is a function of its setup and its
observations in their order, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from analyzer.domain import latency, latency_rank, run
from analyzer.domain.histogram import NO_LATENCIES, LatencyHistogram, merged
from analyzer.domain.latency import Limit
from analyzer.domain.latency_rank import Scale
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.observation import ERRORS, LATENCY, CountArms, LatencyArms, Observation
from analyzer.domain.sequential import Rules
from analyzer.domain.setup import Setup

if TYPE_CHECKING:
    from collections.abc import Iterable

    from analyzer.domain.config import JudgeConfig, LatencyRules, MetricRules

RANKS = "latency_ranks"
RANK_SHARE = 0.2
"""Of latency's part of the level, where ranks are compared too."""
_SAME_LENGTH = 0.5
_ONE_LOOK = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What counts as slow, frozen."""

    limits: tuple[Limit, ...]
    scale: Scale | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A run as of its last observation.

    Attributes:
        setup: what it began with.
        state: of the judge.
        thresholds: None as long as they are not known.
        waiting: observations so far, kept until thresholds are known.
        observed: how many observations there were.
        started, ended: first start and last end of a window.
        last: metric -> its last window.
        latencies: of both arms since the beginning, for the reader; they decide nothing.
    """

    setup: Setup
    state: run.RunState
    thresholds: Thresholds | None = None
    waiting: tuple[Observation, ...] = ()
    observed: int = 0
    started: float | None = None
    ended: float = 0.0
    last: Mapping[str, Window] = field(default_factory=dict)
    latencies: LatencyArms = field(
        default_factory=lambda: LatencyArms(canary=NO_LATENCIES, stable=NO_LATENCIES)
    )


def begin(setup: Setup) -> Progress:
    """Return a run before its first window."""
    return Progress(setup=setup, state=run.begin(_plan(setup, None)))


def advance(progress: Progress, observations: Iterable[Observation]) -> Progress:
    """Return the run after more observations, oldest first for each metric.

    Raises:
        ValueError: a window overlaps an earlier one of its metric or lies before it, or the run
            has no such metric.
    """
    for observation in observations:
        progress = _after(progress, observation)
    return progress


def replay(setup: Setup, observations: Iterable[Observation]) -> Progress:
    """Return what a run comes to."""
    return advance(begin(setup), observations)


def _after(progress: Progress, observation: Observation) -> Progress:
    metric, window = observation.metric, observation.window
    if metric not in progress.setup.metrics:
        raise ValueError(f"the run began without windows of {metric}")
    last = progress.last.get(metric)
    if last is not None and window.start < last.end:
        raise ValueError(f"it overlaps an earlier window of {metric}, or lies before it")
    arms = observation.arms
    latencies = progress.latencies
    if isinstance(arms, LatencyArms):
        latencies = LatencyArms(
            canary=latencies.canary + arms.canary, stable=latencies.stable + arms.stable
        )
    started = window.start if progress.started is None else min(progress.started, window.start)
    progress = replace(
        progress,
        observed=progress.observed + 1,
        started=started,
        ended=max(progress.ended, window.end),
        last={**progress.last, metric: window},
        latencies=latencies,
    )
    if progress.thresholds is not None or not _is_binned(progress.setup):
        return replace(progress, state=_judged(progress.state, observation, progress.thresholds))
    waiting = (*progress.waiting, observation)
    thresholds = _thresholds(progress.setup, arms) if isinstance(arms, LatencyArms) else None
    if thresholds is None:
        state = _judged(progress.state, observation, None)
        return replace(progress, state=state, waiting=waiting)
    state = run.begin(_plan(progress.setup, thresholds))
    for each in waiting:
        state = _judged(state, each, thresholds)
    return replace(progress, state=state, thresholds=thresholds, waiting=())


def _judged(
    state: run.RunState, observation: Observation, thresholds: Thresholds | None
) -> run.RunState:
    records = _records(observation, thresholds)
    return run.advance(state, records, now=math.inf)[0].without_past()


def _records(observation: Observation, thresholds: Thresholds | None) -> list[run.WindowRecord]:
    arms = observation.arms
    if isinstance(arms, CountArms):
        return [_record(observation, observation.metric, arms.canary, arms.stable)]
    whole = (arms.canary.count, arms.stable.count)
    if thresholds is None:
        return [_record(observation, LATENCY, *(ArmCounts(count=n, bad=0) for n in whole))]
    found = [
        _record(
            observation,
            limit.name,
            ArmCounts(count=whole[0], bad=arms.canary.over(limit.ms)),
            ArmCounts(count=whole[1], bad=arms.stable.over(limit.ms)),
        )
        for limit in thresholds.limits
    ]
    if thresholds.scale is not None:
        classes = [thresholds.scale.classes(one).tolist() for one in (arms.canary, arms.stable)]
        ranks = _record(observation, RANKS, *(ArmCounts(count=n, bad=0) for n in whole))
        found.append(replace(ranks, classes=(tuple(classes[0]), tuple(classes[1]))))
    return found


def _record(
    observation: Observation, metric: str, canary: ArmCounts, stable: ArmCounts
) -> run.WindowRecord:
    return run.WindowRecord(
        window=observation.window,
        metric=metric,
        canary=canary,
        stable=stable,
        weight=observation.weight,
    )


def _thresholds(setup: Setup, arms: LatencyArms) -> Thresholds | None:
    """Return the thresholds; None as long as an arm has no requests."""
    rules = setup.config.latency
    if rules is None or not arms.canary.count or not arms.stable.count:
        return None
    reference = setup.latency_history or merged(
        one.stable for one in setup.history if isinstance(one.stable, LatencyHistogram)
    )
    if not reference.count:
        reference = arms.canary + arms.stable
    expected = arms.canary.count * max(_ONE_LOOK, round(setup.horizon_s / setup.interval_s))
    limits = latency.limits_above_floor(
        reference,
        quantiles=rules.quantiles,
        floor_ms=rules.floor_ms,
        expected_canary=expected,
    )
    return Thresholds(limits=limits, scale=latency_rank.scale(reference) if rules.ranks else None)


def _plan(setup: Setup, thresholds: Thresholds | None) -> run.RunPlan:
    config = setup.config
    weights: dict[str, float] = {}
    rules: dict[str, Rules] = {}
    history: dict[str, tuple[tuple[int, int], ...]] = {}
    harm_only: set[str] = set()
    pending: set[str] = set()
    blocks = [one for one in setup.history if _is_as_long(one.window, setup.interval_s)]
    counted: tuple[tuple[str, MetricRules | None], ...] = (
        (ERRORS, config.errors),
        (LATENCY, config.latency if setup.latency_counted else None),
    )
    for name, own in counted:
        if name in setup.metrics and own is not None:
            weights[name] = own.weight
            rules[name] = _rules(config, own)
            history[name] = tuple(
                (one.stable.count, one.stable.bad)
                for one in blocks
                if one.metric == name and isinstance(one.stable, ArmCounts)
            )
    ranks = {}
    if _is_binned(setup) and config.latency is not None:
        if thresholds is None:
            weights[LATENCY] = config.latency.weight
            pending.add(LATENCY)
        else:
            share = config.latency.weight
            if thresholds.scale is not None:
                ranks[RANKS] = thresholds.scale
                weights[RANKS] = RANK_SHARE * share
                share -= weights[RANKS]
            binned = [one.stable for one in blocks if isinstance(one.stable, LatencyHistogram)]
            for limit in thresholds.limits:
                weights[limit.name] = share / len(thresholds.limits)
                rules[limit.name] = _rules(config, config.latency)
                history[limit.name] = tuple((one.count, one.over(limit.ms)) for one in binned)
            harm_only = _harm_only(thresholds.limits, config.latency)
    highest = setup.error_limit if setup.error_limit is not None else config.error_limit
    judged = ERRORS in setup.metrics
    return run.RunPlan(
        run=setup.run,
        horizon_s=setup.horizon_s,
        interval_s=setup.interval_s,
        weights=weights,
        history={name: found for name, found in history.items() if found},
        rules=Rules(alpha_fail=config.alpha_fail, alpha_pass=config.alpha_pass),
        rules_of=rules,
        warmup_s=config.warmup_s,
        minimum_windows=min(
            config.minimum_windows, max(_ONE_LOOK, round(setup.horizon_s / setup.interval_s))
        ),
        minimum_requests=config.minimum_requests,
        minimum_duration_s=config.minimum_duration_s,
        planned_weight=setup.weight,
        stale_after=config.stale_after,
        limits={ERRORS: highest} if highest is not None and judged else {},
        no_data_fail_after_s=config.no_data_fail_after_s,
        burn={ERRORS: config.burn} if config.burn is not None and judged else {},
        ranks=ranks,
        harm_only=frozenset(harm_only),
        pending=frozenset(pending),
    )


def _rules(config: JudgeConfig, own: MetricRules) -> Rules:
    return Rules(
        alpha_fail=config.alpha_fail,
        alpha_pass=config.alpha_pass,
        fail_odds=own.fail_odds,
        fail_difference=own.fail_difference,
        pass_odds=own.pass_odds,
        pass_difference=own.pass_difference,
    )


def _harm_only(limits: tuple[Limit, ...], rules: LatencyRules) -> set[str]:
    """Return the thresholds that a pass does not wait for; never all of them."""
    wanted = {latency.name_of(one) for one in rules.pass_quantiles}
    waited = {limit.name for limit in limits if limit.name in wanted}
    waited = waited or {limits[0].name}
    return {limit.name for limit in limits} - waited


def _is_binned(setup: Setup) -> bool:
    return LATENCY in setup.metrics and not setup.latency_counted


def _is_as_long(window: Window, interval_s: float) -> bool:
    return abs(window.end - window.start - interval_s) <= _SAME_LENGTH * interval_s
