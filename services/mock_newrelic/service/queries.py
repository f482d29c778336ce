"""Answers questions: reads the windows, lets injections have their say, refuses to guess.

No data is never zero. Where nothing can honestly be said, the answer is a refusal with a reason;
only an injection that sets the number answers regardless of data, because a tester asked for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mock_newrelic.domain.effects.base import AnswerEffect, ValueEffect
from mock_newrelic.domain.injections import Ask, Injection, winner
from mock_newrelic.domain.metrics import DEFAULT_SET_METRIC
from mock_newrelic.domain.model import NOTHING, Reading, Span
from mock_newrelic.domain.query import Query
from mock_newrelic.domain.series import whole_slots
from svckit.errors import InvalidInput, NotFound, SuiteError, Unavailable

if TYPE_CHECKING:
    from mock_newrelic.domain.application import Application
    from mock_newrelic.domain.model import Counts
    from mock_newrelic.ports import Store
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
    """

    query: Query
    end: float
    span: Span
    reading: Reading = NOTHING
    value: float | None = None
    refusal: SuiteError | None = None
    injections: tuple[Injection, ...] = ()

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

    def __init__(self, *, store: Store, reader: Reader, stale_after: float | None = None) -> None:
        self._store = store
        self._reader = reader
        self._stale_after = stale_after

    def answer(self, query: Query, now: float) -> Answer:
        """Return the number, or the counts and histogram when the query names no metric.

        Raises:
            InvalidInput: `at` or `since` lies where nothing can be answered.
        """
        span = query.span(now)
        if query.metric is None:
            # Counts and histogram must speak of the same samples.
            span = whole_slots(span, now)
        ask = Ask(
            app=query.app, terms=query.terms, metric=query.metric.name if query.metric else None
        )
        answer = self._answer(query, span, now, self._reader.draw(ask, now))
        self._reader.applied(answer.injections, ask, now)
        return answer

    def chart(self, query: Query, now: float) -> tuple[Answer, list[Point]]:
        """Return the value step by step; steps without data have no point.

        An injection shows in the steps since it is in force.
        """
        whole = self.answer(query, now)
        if whole.refusal is not None:
            return whole, []
        points = []
        step = query.step
        for start in range(whole.span.first // step * step, whole.span.stop, step):
            span = Span(max(start, whole.span.first), min(start + step, whole.span.stop))
            touching = [one for one in whole.injections if one.starts_at < span.stop]
            answer = self._answer(query, span, now, touching)
            if answer.value is not None:
                samples = answer.reading.counts.samples
                points.append(Point(start=start, value=answer.value, samples=samples))
        return whole, points

    def last_second(self, answer: Answer) -> int | None:
        """Return the second of the latest sample that the answer rests on."""
        app = self._store.application(answer.query.app)
        if app is None:
            return None
        second = app.last_second(answer.query.terms, answer.span.stop)
        return None if second is None or second < answer.span.first else second

    def _answer(self, query: Query, span: Span, now: float, touching: list[Injection]) -> Answer:
        end = query.end(now)
        refusing = winner(touching, AnswerEffect, query.terms)
        if refusing is not None:
            injection, effect = refusing
            refusal: SuiteError | None = _InjectedStatusError(effect.status)
            return Answer(query=query, end=end, span=span, refusal=refusal, injections=(injection,))
        latency = query.metric is None or query.metric.latency
        reading, _, used = self._reader.read(
            query.app, query.terms, span, now, latency=latency, drawn=touching
        )
        target = query.metric.name if query.metric else DEFAULT_SET_METRIC
        setting = [one for one in touching if _sets(one, target)]
        fixing = winner(setting, ValueEffect, query.terms)
        value = None
        if fixing is not None:
            injection, fixed = fixing
            reading = reading._replace(counts=_with_errors(reading.counts, fixed))
            used = (*used, injection)
            value = fixed.value_of(target) if query.metric else None
        refusal = None
        if value is None:
            refusal = self._refusal(query, reading, span)
            if refusal is None and query.metric is not None:
                value = query.metric.compute(reading, _seconds(query, span), query.apdex_seconds)
                refusal = None if value is not None else _no_duration()
        return Answer(
            query=query,
            end=end,
            span=span,
            reading=reading,
            value=value,
            refusal=refusal,
            injections=used,
        )

    def _refusal(self, query: Query, reading: Reading, span: Span) -> SuiteError | None:
        app = self._store.application(query.app)
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
        if self._stale_after is not None:
            last = app.last_second(query.terms, span.stop)
            if last is None or span.stop - 1 - last > self._stale_after:
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


class _InjectedStatusError(SuiteError):
    title = "Injected"

    def __init__(self, status: int) -> None:
        super().__init__(
            "an injection answers this query with an error",
            code="injected_status",
            status=status,
            hint="GET /control/injections lists it",
        )


def _sets(injection: Injection, metric: str) -> bool:
    effect = injection.effect
    return isinstance(effect, ValueEffect) and effect.value_of(metric) is not None


def _with_errors(counts: Counts, effect: ValueEffect) -> Counts:
    """Return counts that agree with a fixed error rate; other fixed metrics leave them alone."""
    percent = effect.value_of(DEFAULT_SET_METRIC)
    if percent is None:
        return counts
    return counts._replace(errors=round(counts.samples * percent / 100))


def _seconds(query: Query, span: Span) -> float:
    """Return what rates are per: the window, or the shorter span that was read instead of it."""
    return min(query.width, span.stop - span.first)


def _no_duration() -> SuiteError:
    return NotFound(
        "no sample in the window has a duration",
        code="no_data",
        hint="send the attribute duration, in seconds",
    )
