"""Answers questions: reads the windows, lets injections have their say, refuses to guess.

No data is never zero. Where nothing can honestly be said, the answer is a refusal with a reason;
only an injection that sets the number answers regardless of data, because a tester asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from mock_newrelic.domain.effects.base import Moment, ValueEffect
from mock_newrelic.domain.injections import Ask, Injection, Strike, winner
from mock_newrelic.domain.metrics import (
    DEFAULT_SET_METRIC,
    ERROR_METRICS,
    METRICS,
    error_percent,
)
from mock_newrelic.domain.model import NOTHING, Reading, Source, Span
from mock_newrelic.domain.query import Query
from mock_newrelic.domain.series import whole_slots
from svckit.errors import InvalidInput, NotFound, SuiteError, Unavailable

if TYPE_CHECKING:
    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.model import Counts
    from mock_newrelic.ports import Store
    from mock_newrelic.service.measure import Measure
    from mock_newrelic.service.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a question: a reading and mostly a value, or a refusal.

    Attributes:
        end: instant for which it holds.
        span: seconds that were read.
        value: the metric; None for questions about the samples themselves.
        refusal: why there is no answer.
        injections: what touched the answer.
        last_second: second of the latest sample that it rests on, where details were asked for.
        source: where the samples came from; empty when there never was one.
    """

    query: Query
    end: float
    span: Span
    reading: Reading = NOTHING
    value: float | None = None
    refusal: SuiteError | None = None
    injections: tuple[Injection, ...] = ()
    last_second: int | None = None
    source: str = ""

    @property
    def injected(self) -> list[str]:
        """The ids of the injections that touched the answer."""
        return [one.id for one in self.injections]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point of a chart: the value over the seconds from `start` on."""

    start: int
    value: float
    samples: int


class QueryService:
    """Answers one question at a time from one instant's view of the store."""

    def __init__(
        self, *, store: Store, reader: Reader, measure: Measure, stale_after: float | None = None
    ) -> None:
        self._store = store
        self._reader = reader
        self._measure = measure
        self._stale_after = stale_after

    def answer(self, query: Query, now: float, caller: Ask | None = None) -> Answer:
        """Return the number, or the counts and histogram when the query names no metric.

        Args:
            query: the question.
            now: the instant.
            caller: surface, session and client of the question; the facade's unless given.

        Raises:
            InvalidInput: `at` or `since` lies where nothing can be answered.
        """
        return self._drawn(query, now, caller)[0]

    def chart(
        self, query: Query, now: float, caller: Ask | None = None
    ) -> tuple[Answer, list[Point]]:
        """Return the value step by step; steps without data have no point.

        An injection shows in the steps since it is in force.
        """
        whole, strikes = self._drawn(query, now, caller)
        if whole.refusal is not None:
            return whole, []
        points = []
        step = query.step
        for start in range(whole.span.first // step * step, whole.span.stop, step):
            span = Span(max(start, whole.span.first), min(start + step, whole.span.stop))
            touching = [one for one in strikes if one.injection.starts_at < span.stop]
            answer = self._answer(query, span, now, touching)
            if answer.value is not None:
                samples = answer.reading.counts.samples
                points.append(Point(start=start, value=answer.value, samples=samples))
        return whole, points

    def _drawn(self, query: Query, now: float, caller: Ask | None) -> tuple[Answer, list[Strike]]:
        if caller is not None and caller.session:
            query = replace(query, session=caller.session)
        span = query.span(now)
        if query.metric is None:
            # Counts and histogram must speak of the same samples.
            span = whole_slots(span, now)
        ask = replace(
            caller or Ask(app=query.app),
            app=query.app,
            terms=query.terms,
            metric=query.metric.name if query.metric else None,
            window=query.window_text,
        )
        strikes = self._reader.draw(ask, now)
        answer = self._answer(query, span, now, strikes)
        self._reader.applied(answer.injections, ask, now)
        return answer, strikes

    def _answer(self, query: Query, span: Span, now: float, strikes: list[Strike]) -> Answer:
        end = query.end(now)
        latency = query.metric is None or query.metric.detailed
        reading, source, used = self._reader.read(
            query.app,
            query.terms,
            span,
            now,
            latency=latency,
            source=query.source,
            session=query.session,
            drawn=strikes,
        )
        last = None
        if query.detail or query.metric is None or self._stale_after is not None:
            last = self._last_second(query, span, now, strikes, source)
        refusal = self._refusal(query, reading, span, last)
        value = None
        wants_latency = query.metric is not None and query.metric.latency
        if refusal is None and wants_latency and reading.undistributed:
            refusal = _no_distribution()
        if refusal is None and _needs_statuses(query) and source == Source.AGENT_METRICS:
            refusal = _no_statuses()
        if refusal is None and query.metric is not None:
            value = self._elsewhere(query, span, now, strikes)
            if value is None:
                value = query.metric.compute(reading, _seconds(query, span), query.argument)
            refusal = None if value is not None else _no_duration()
        target = query.metric.name if query.metric else DEFAULT_SET_METRIC
        fixing = winner([one for one in strikes if _speaks(one, target)], ValueEffect, query.terms)
        if fixing is not None:
            strike, effect = fixing
            measured = value
            if query.metric is None:
                measured = (
                    METRICS[target].compute(reading, 1.0, METRICS[target].argument)
                    if refusal is None
                    else None
                )
            fixed = effect.value_of(target, measured, self._moment(strike, query, now))
            if fixed is not None:
                used = (*used, strike.injection)
                reading = reading._replace(counts=_with_errors(reading.counts, target, fixed))
                if query.metric is not None:
                    value, refusal = fixed, None
        return Answer(
            query=query,
            end=end,
            span=span,
            reading=reading,
            value=value,
            refusal=refusal,
            injections=used,
            last_second=last,
            source=source,
        )

    def _elsewhere(
        self, query: Query, span: Span, now: float, strikes: list[Strike]
    ) -> float | None:
        """Return the metrics that a reading does not tell: which hosts there are, and since when.

        None for every other metric.
        """
        assert query.metric is not None  # noqa: S101 - the caller has looked
        if query.metric.name == "lastSeen":
            return self._last_second(query, span, now, strikes, query.source)
        if query.metric.name != "uniqueHosts":
            return None
        series = self._reader.each(
            query.app,
            query.terms,
            span,
            now,
            latency=False,
            source=query.source,
            session=query.session,
            drawn=strikes,
        )
        hosts = {
            value
            for labels, reading, _ in series
            if reading.counts.samples
            for name, value in labels
            if name == "host"
        }
        return len(hosts) or None

    def _last_second(
        self, query: Query, span: Span, now: float, strikes: list[Strike], source: str
    ) -> int | None:
        return self._reader.last_second(
            query.app,
            query.terms,
            span,
            now,
            strikes,
            source=source or query.source,
            session=query.session,
        )

    def _moment(self, strike: Strike, query: Query, now: float) -> Moment:
        injection = strike.injection
        return Moment(
            since=max(0.0, now - injection.starts_at),
            query=strike.query + 1,
            rng=injection.random(strike.query),
            app=query.app,
            weight=partial(self._measure.canary_percent, query.app, now, session=injection.session),
            lookup=lambda app, terms, metric: self._measure.value(
                app, terms, metric, now, width=query.width, session=injection.session
            ),
        )

    def _refusal(
        self, query: Query, reading: Reading, span: Span, last: int | None
    ) -> SuiteError | None:
        app = self._store.application(query.app, query.session)
        if app is None:
            return NotFound(
                "the application has never sent a sample",
                code="unknown_app",
                hint="GET /v1/apps lists those that have; the name is case-sensitive",
            )
        if query.terms and (refusal := _unanswerable(app, query, span)) is not None:
            return refusal
        samples = reading.counts.samples
        if not samples:
            return NotFound(
                "no sample in the window",
                code="no_data",
                hint="check the window and the selector; no data is not an error rate of zero",
            )
        too_old = last is None or span.stop - 1 - last > (self._stale_after or 0)
        if self._stale_after is not None and too_old:
            return Unavailable("the last sample is too old", code="stale_data", status=503)
        if samples < query.min_samples:
            return InvalidInput(
                f"the window holds {samples} samples, fewer than the {query.min_samples} asked for",
                code="insufficient_samples",
            )
        return None


def _unanswerable(app: Application, query: Query, span: Span) -> SuiteError | None:
    """Refuse a selector that would not see every sample it should."""
    if app.unanswerable(query.terms) is not None:
        return InvalidInput(
            "a label of the selector has too many values to be kept",
            code="label_not_kept",
            status=400,
            hint="select by role, hash, version or host",
        )
    if app.has_unlabelled(span):
        return Unavailable(
            "some samples of the window lost their labels for want of room",
            code="too_many_series",
            status=503,
            hint="POST /control/reset?app=<name>, or raise MOCK_NEWRELIC_MAX_SERIES",
        )
    return None


def _speaks(strike: Strike, metric: str) -> bool:
    effect = strike.injection.effect
    return isinstance(effect, ValueEffect) and effect.concerns(metric)


def _with_errors(counts: Counts, metric: str, value: float) -> Counts:
    """Return counts that agree with an injected error rate; other metrics leave them alone."""
    if metric not in ERROR_METRICS:
        return counts
    return counts._replace(errors=round(counts.samples * error_percent(metric, value) / 100))


def _seconds(query: Query, span: Span) -> float:
    """Return what rates are per: the window, or the shorter span that was read instead of it."""
    return min(query.width, span.stop - span.first)


def _no_distribution() -> SuiteError:
    return NotFound(
        "some durations of the window are known by their sum only",
        code="no_distribution",
        hint="ask for responseTime, or send events, spans or histograms",
    )


def _needs_statuses(query: Query) -> bool:
    return query.metric is not None and query.metric.statuses


def _no_statuses() -> SuiteError:
    return NotFound(
        "the exact counts of agents do not tell HTTP statuses",
        code="no_statuses",
        hint="ask with source=agent, or leave source out",
    )


def _no_duration() -> SuiteError:
    return NotFound(
        "no sample in the window has a duration",
        code="no_data",
        hint="send the attribute duration, in seconds",
    )
