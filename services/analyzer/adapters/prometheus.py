"""Windows from Prometheus' HTTP API: raw samples of counters, counted here.

One instant query with a range selector holds all series of both arms, so both are read at the same
time. Nothing is extrapolated (`domain.counters`). Requests are counted by the label that holds
their status: a bad series that has not been born yet is no missing series, and a status label that
is missing is an error. Latencies come from native histograms, or from classic ones.

Source: Prometheus, "HTTP API" (instant queries, range vectors, native histograms), "Staleness".
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import msgspec

from analyzer.adapters.http_reading import Reader
from analyzer.domain.counters import gain, histogram_gain
from analyzer.domain.histogram import LatencyHistogram
from analyzer.domain.model import NO_REQUESTS, ArmCounts, Window
from analyzer.ports import ArmReading, History, Tier, WindowReading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analyzer.ports import Arms

LOOKBACK_S = 300
"""How old the sample before a window may be; as long as Prometheus itself looks back."""
_MS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class PrometheusNames:
    """What the application's series are called.

    Attributes:
        requests: counter of requests.
        latency: histogram of seconds, without `_bucket`; empty when there is none.
        app, arm, status: labels with the application, the pod-template hash and the HTTP status.
        bad: regular expression that a bad request's whole status matches.
    """

    requests: str = "http_requests_total"
    latency: str = "http_request_duration_seconds"
    app: str = "app"
    arm: str = "pod_template_hash"
    status: str = "code"
    bad: str = "5.."

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all series that are asked for."""
        latency = (self.latency, f"{self.latency}_bucket") if self.latency else ()
        return (self.requests, *latency)


class _Sample(msgspec.Struct):
    count: str
    buckets: list[tuple[int, str, str, str]] = []


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    histograms: list[tuple[float, _Sample]] = []


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815 - the wire word
    result: list[Any]


class _Answer(msgspec.Struct):
    status: str
    data: _Data | None = None
    errorType: str = ""  # noqa: N815 - the wire word
    warnings: list[str] = []


class PrometheusSource:
    """A Source over Prometheus' HTTP API."""

    name = "prometheus"

    def __init__(
        self,
        client: httpx.AsyncClient,
        *,
        timeout_seconds: float,
        names: PrometheusNames | None = None,
    ) -> None:
        self._reader = Reader(client, source=self.name, timeout_seconds=timeout_seconds)
        self._timeout_seconds = timeout_seconds
        self._names = names or PrometheusNames()

    async def read_window(self, arms: Arms, window: Window) -> WindowReading:
        """Return both arms over a window; see the port."""
        series = await self._ask(arms.app, (arms.canary, arms.stable), window)
        if not series:
            raise self._reader.failed(
                f"has no series {self._names.requests} of either arm",
                "do the names of metrics and labels fit? See the analyzer's settings.",
                code="source_no_series",
            )
        canary, stable = (
            self._read_arm(
                [one for one in series if one.metric.get(self._names.arm) == arm], window
            )
            for arm in (arms.canary, arms.stable)
        )
        if canary.note and stable.note:
            raise self._reader.failed(
                "has no sample of either arm in the window",
                "does Prometheus still scrape the application, and more often than every window?",
                code="source_stale",
            )
        told = [arm for arm in (canary, stable) if not arm.note]
        whole = all(arm.latency is not None for arm in told)
        return WindowReading(
            window=window,
            canary=canary,
            stable=stable,
            tier=Tier.HISTOGRAM if whole else Tier.COUNTS,
        )

    async def read_history(self, arms: Arms, window: Window, *, block_s: int) -> History:
        """Return stable's blocks and latencies; see the port."""
        series = await self._ask(arms.app, (arms.stable,), window)
        blocks = []
        edge = window.start
        while edge + block_s <= window.end:
            block = Window(start=edge, end=edge + block_s)
            arm = self._read_arm([_until(one, block.end) for one in series], block)
            if arm.counts.count:
                blocks.append((arm.counts.count, arm.counts.bad))
            edge += block_s
        return History(blocks=tuple(blocks), latency=self._read_arm(series, window).latency)

    async def _ask(self, app: str, arms: tuple[str, ...], window: Window) -> list[_Series]:
        names = self._names
        selector = ",".join(
            (
                f"__name__=~{_quoted('|'.join(map(_escaped, names.metrics)))}",
                f"{names.app}={_quoted(app)}",
                f"{names.arm}=~{_quoted('|'.join(map(_escaped, arms)))}",
            )
        )
        seconds = math.ceil(window.end - window.start) + LOOKBACK_S
        status, body = await self._reader.post_form(
            "/api/v1/query",
            {
                "query": f"{{{selector}}}[{seconds}s]",
                "time": f"{window.end:.3f}",
                "timeout": f"{self._timeout_seconds:g}s",
            },
        )
        if status != httpx.codes.OK:
            raise self._reader.refused(status, _error_type(body))
        answer = self._reader.decode(body, _Answer)
        if answer.status != "success" or answer.data is None:
            raise self._reader.unusable("no success")
        if answer.warnings:
            # A store behind a federation was not asked, so the answer is a part of the truth.
            raise self._reader.failed("answered with warnings, so something may be left out")
        if answer.data.resultType != "matrix":
            raise self._reader.unusable("no range vector")
        try:
            return msgspec.convert(answer.data.result, list[_Series])
        except msgspec.ValidationError as error:
            raise self._reader.unusable(error) from None

    def _read_arm(self, series: list[_Series], window: Window) -> ArmReading:
        try:
            return self._counted(series, window)
        except (ValueError, OverflowError) as error:
            raise self._reader.unusable(error) from None

    def _counted(self, series: list[_Series], window: Window) -> ArmReading:
        names = self._names
        requests = [one for one in series if one.metric.get("__name__") == names.requests]
        if not requests:
            return ArmReading(counts=NO_REQUESTS, note="the source has no series of its requests")
        scraped = {_target(one) for one in series if _first(one) <= window.start}
        count, bad, seen = 0.0, 0.0, False
        for one in requests:
            status = one.metric.get(names.status)
            if status is None:
                raise ValueError(
                    f"a series {names.requests} has no label {names.status}, so bad requests"
                    " cannot be told"
                )
            gained = gain(_samples(one), start=window.start, born=_target(one) in scraped)
            if gained is None:
                continue
            seen = True
            count += gained
            bad += gained if re.fullmatch(names.bad, status) else 0.0
        if not seen:
            return ArmReading(
                counts=NO_REQUESTS,
                note="the source has no sample of it in the window: gone, or not scraped",
            )
        counts = ArmCounts(count=round(count), bad=round(bad))
        return ArmReading(counts=counts, latency=self._latency(series, window, scraped))

    def _latency(
        self, series: list[_Series], window: Window, scraped: set[frozenset[tuple[str, str]]]
    ) -> LatencyHistogram | None:
        names = self._names
        native = [one for one in series if one.metric.get("__name__") == names.latency]
        classic = [one for one in series if one.metric.get("__name__") == f"{names.latency}_bucket"]
        bins: dict[float, float] = defaultdict(float)
        # An application that exposes both forms has each request in both.
        for one in native:
            samples = [(at, _native(sample)) for at, sample in one.histograms if at <= window.end]
            born = _target(one) in scraped
            for edge, count in (
                histogram_gain(samples, start=window.start, born=born) or {}
            ).items():
                bins[edge] += count
        if not native:
            for one in classic:
                gained = gain(_samples(one), start=window.start, born=_target(one) in scraped)
                bins[_number(one.metric.get("le", ""), bound=True)] += gained or 0.0
            bins = _not_cumulative(bins)
        if not native and not classic:
            return None
        shown = [(edge, round(count)) for edge, count in sorted(bins.items()) if round(count)]
        return LatencyHistogram(
            le_ms=tuple(edge * _MS for edge, _ in shown), counts=tuple(count for _, count in shown)
        )


def _not_cumulative(bins: Mapping[float, float]) -> dict[float, float]:
    counts, below = {}, 0.0
    for edge in sorted(bins):
        counts[edge], below = bins[edge] - below, bins[edge]
    if counts and (math.inf not in counts or min(counts.values()) < 0):
        raise ValueError("the buckets of a histogram are not cumulative, or have no +Inf")
    return counts


def _native(sample: _Sample) -> dict[float, float]:
    """Return upper edge -> observations; the zero bucket's upper edge is its own."""
    bins: dict[float, float] = defaultdict(float)
    for _rule, _low, high, count in sample.buckets:
        edge = _number(high, bound=True)
        if edge <= 0:
            raise ValueError("a latency below zero")
        bins[edge] += _number(count)
    if sum(bins.values()) != _number(sample.count):
        raise ValueError("a histogram's buckets do not add up to its count")
    return dict(bins)


def _samples(series: _Series) -> list[tuple[float, float]]:
    return [(at, _number(text)) for at, text in series.values]


def _until(series: _Series, end: float) -> _Series:
    return _Series(
        metric=series.metric,
        values=[sample for sample in series.values if sample[0] <= end],
        histograms=[sample for sample in series.histograms if sample[0] <= end],
    )


def _first(series: _Series) -> float:
    instants = [at for at, _ in (*series.values[:1], *series.histograms[:1])]
    return min(instants, default=math.inf)


def _target(series: _Series) -> frozenset[tuple[str, str]]:
    """Return what names the process that was scraped."""
    return frozenset(
        (name, value)
        for name, value in series.metric.items()
        if name in {"job", "instance", "pod", "namespace"}
    )


def _number(text: str, *, bound: bool = False) -> float:
    value = float(text)
    if math.isnan(value) or (math.isinf(value) and not bound) or value < 0:
        raise ValueError("a value is NaN, infinite or below zero")
    return value


def _error_type(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=_Answer).errorType
    except (msgspec.DecodeError, ValueError, RecursionError):
        return ""


def _escaped(text: str) -> str:
    """Return a regular expression (RE2) that matches a text and nothing else."""
    return re.sub(r"([^A-Za-z0-9_:])", r"\\\1", text)


def _quoted(text: str) -> str:
    """Return a string literal of PromQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
