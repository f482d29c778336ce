"""Analyse an application: read both arms over one window, judge, count, tell."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import structlog

from analyzer.domain.judge import judge
from analyzer.domain.model import MetricPair, RunVerdict, Window
from analyzer.domain.policy import Policy
from analyzer.ports import Arms
from analyzer.schemas.parameters import refused
from svckit.errors import SuiteError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analyzer.ports import Source, WindowReading
    from analyzer.schemas.parameters import AnalysisQuery
    from analyzer.service.instruments import Instruments
    from svckit.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """A verdict with what it was reached on."""

    run: str
    window: Window
    verdict: RunVerdict
    notes: tuple[str, ...] = ()


class AnalysisService:
    """Judges windows that a source delivers, or that a caller brings along."""

    def __init__(
        self,
        *,
        sources: Mapping[str, Source],
        clock: Clock,
        instruments: Instruments,
        policy: Policy | None = None,
    ) -> None:
        self._sources = sources
        self._clock = clock
        self._instruments = instruments
        self._policy = policy or Policy()
        self._log = structlog.get_logger()

    async def analyse(self, query: AnalysisQuery) -> Analysis:
        """Compare the two hashes over the window that ends now.

        Raises:
            InvalidInput: `since` lies in the future, or the source is not configured.
            Unavailable: a source failed, so there is nothing to judge.
        """
        source = self._source(query.source)
        window = self._window(query)
        arms = Arms(app=query.app, canary=query.canary, stable=query.stable)
        reading = await self._read(source, arms, window)
        canary, stable = reading.canary, reading.stable
        policy = self._policy
        if query.error_threshold is not None:
            policy = replace(policy, error_threshold=query.error_threshold)
        pair = MetricPair(window=window, canary=canary.counts, stable=stable.counts)
        verdict = judge(pair, policy)
        self._instruments.count_verdict(verdict, app=query.app)
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

    def judge(self, identity: str | None, pair: MetricPair) -> Analysis:
        """Judge one pair by the policy; the same pair always gives the same answer."""
        analysis = judge_pair(identity, pair, self._policy)
        self._instruments.count_verdict(analysis.verdict)
        return analysis

    def _source(self, name: str | None) -> Source:
        if not self._sources:
            raise Unavailable(
                "no metric source is configured",
                code="no_source",
                status=503,
                hint="start the analyzer with --source newrelic=URL",
            )
        if name is None:
            return next(iter(self._sources.values()))
        if name not in self._sources:
            raise refused(
                "source", "not configured", f"configured sources: {', '.join(self._sources)}"
            )
        return self._sources[name]

    def _window(self, query: AnalysisQuery) -> Window:
        # Whole seconds, so that the text sent to the source names exactly this window.
        end = float(int(self._clock.now()))
        start = end - query.window_seconds
        if query.since is not None:
            if query.since >= end:
                raise refused("since", "expected a time in the past", "it is when looking begins")
            start = max(start, float(int(query.since)))
        return Window(start=start, end=end)

    async def _read(self, source: Source, arms: Arms, window: Window) -> WindowReading:
        started, outcome = time.perf_counter(), "cancelled"
        try:
            reading = await source.read_window(arms, window)
            outcome = "ok"
        except SuiteError as error:
            outcome = error.code
            self._log.warning(
                "source_failed", source=source.name, app=arms.app, detail=error.detail
            )
            raise
        finally:
            self._instruments.observe_source(source.name, outcome, time.perf_counter() - started)
        return reading


def judge_pair(identity: str | None, pair: MetricPair, policy: Policy) -> Analysis:
    """Judge counts that a caller brought along."""
    run = identity or _once(pair.window, str(pair.canary), str(pair.stable))
    return Analysis(run=run, window=pair.window, verdict=judge(pair, policy))


def _once(window: Window, *question: str) -> str:
    """Return a name for a single look: equal for equal questions, shared with no other run."""
    text = "\x1f".join((str(window.start), str(window.end), *question))
    return f"once-{blake2b(text.encode(), digest_size=6).hexdigest()}"
