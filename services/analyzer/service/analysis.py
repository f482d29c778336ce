"""Analyse an application at one look: read both arms over one window, judge, count, tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from hashlib import blake2b
from typing import TYPE_CHECKING

import structlog

from analyzer.domain.histogram import NO_LATENCIES
from analyzer.domain.judge import judge
from analyzer.domain.model import ArmCounts, MetricPair, RunVerdict, Window
from analyzer.domain.observation import LatencyArms
from analyzer.domain.policy import Policy
from analyzer.ports import Arms
from analyzer.schemas.parameters import refused

if TYPE_CHECKING:
    from analyzer.domain.config import JudgeConfig
    from analyzer.ports import Configs, WindowReading
    from analyzer.schemas.judge_body import JudgeRequest
    from analyzer.schemas.parameters import AnalysisQuery
    from analyzer.service.instruments import Instruments
    from analyzer.service.sources import Sources
    from svckit.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A verdict with what it was reached on."""

    run: str
    window: Window
    verdict: RunVerdict
    notes: tuple[str, ...] = ()


class AnalysisService:
    """Judges one window that a source delivers, or that a caller brings along."""

    def __init__(
        self, *, sources: Sources, configs: Configs, clock: Clock, instruments: Instruments
    ) -> None:
        self._sources = sources
        self._configs = configs
        self._clock = clock
        self._instruments = instruments
        self._log = structlog.get_logger()

    async def analyse(self, query: AnalysisQuery) -> Analysis:
        """Compare the two hashes over the window that ends now.

        Raises:
            InvalidInput: `since` lies in the future, or source or configuration are not known.
            Unavailable: a source failed, so there is nothing to judge.
        """
        source = self._sources.pick(query.source)
        config = None if query.config is None else self._configs.get(query.config)
        policy = policy_of(config, error_threshold=query.error_threshold)
        window = window_until(self._clock.now(), query)
        arms = Arms(app=query.app, canary=query.canary, stable=query.stable)
        reading = await self._sources.read_window(source, arms, window)
        canary, stable = reading.canary, reading.stable
        pair = MetricPair(window=window, canary=canary.counts, stable=stable.counts)
        judged = config is None or config.latency is not None
        verdict = judge(
            pair,
            policy,
            refused=_refused(reading),
            latency=latencies_of(reading) if judged else None,
        )
        self._instruments.count_verdict(verdict.metrics, app=query.app)
        run = _once(window, query.app, query.canary, query.stable)
        notes = (("canary", canary.note), ("stable", stable.note))
        self._log.info(
            "analysis_completed",
            app=query.app,
            run=run,
            verdict=verdict.verdict.value,
            reason_code=verdict.reason_code.value,
        )
        return Analysis(
            run=run,
            window=window,
            verdict=verdict,
            notes=tuple(f"{arm}: {note}" for arm, note in notes if note),
        )


def window_until(now: float, query: AnalysisQuery) -> Window:
    """Return the window of a query that ends now.

    Whole seconds, so that the text sent to a source names exactly this window.

    Raises:
        InvalidInput: `since` lies in the future.
    """
    end = float(int(now))
    start = end - query.window_seconds
    if query.since is not None:
        if query.since >= end:
            raise refused("since", "expected a time in the past", "it is when looking begins")
        start = max(start, float(int(query.since)))
    return Window(start=start, end=end)


def policy_of(config: JudgeConfig | None, *, error_threshold: Fraction | None = None) -> Policy:
    """Return the policy of single looks: its levels and its limit may come from a configuration."""
    policy = Policy()
    if config is not None:
        policy = replace(policy, alpha=config.alpha_fail, pass_alpha=config.alpha_pass)
        if config.error_limit is not None:
            policy = replace(policy, error_threshold=100 * Fraction(str(config.error_limit)))
    return policy if error_threshold is None else replace(policy, error_threshold=error_threshold)


def latencies_of(reading: WindowReading) -> LatencyArms | None:
    """Return both arms' latencies; None when a source has requests and no latencies of them."""
    found = []
    for arm in (reading.canary, reading.stable):
        if arm.latency is None and arm.counts.count:
            return None
        found.append(arm.latency or NO_LATENCIES)
    return LatencyArms(canary=found[0], stable=found[1])


def _refused(reading: WindowReading) -> MetricPair | None:
    """Return refused requests as a pair; None where there are none at all."""
    arms = (reading.canary, reading.stable)
    if not any(arm.refused for arm in arms):
        return None
    canary, stable = (ArmCounts(count=arm.counts.count, bad=arm.refused) for arm in arms)
    return MetricPair(window=reading.window, canary=canary, stable=stable)


def judge_once(request: JudgeRequest) -> Analysis:
    """Judge a lone window that a caller brought along; equal windows get equal answers."""
    pair, latency, window = None, None, request.observations[0].window
    for one in request.observations:
        window = Window(
            start=min(window.start, one.window.start), end=max(window.end, one.window.end)
        )
        if isinstance(one.arms, LatencyArms):
            latency = one.arms
        else:
            pair = MetricPair(window=one.window, canary=one.arms.canary, stable=one.arms.stable)
    run = request.id or _once(window, str(pair), str(latency))
    return Analysis(run=run, window=window, verdict=judge(pair, Policy(), latency=latency))


def _once(window: Window, *question: str) -> str:
    """Return a name for a single look: equal for equal questions, shared with no other run."""
    text = "\x1f".join((str(window.start), str(window.end), *question))
    return f"once-{blake2b(text.encode(), digest_size=6).hexdigest()}"
