"""Windows that a caller brings along, and what was known before them.

It is the body of POST /v1/judge, the file of `canary-analyzer judge`, and a line of `replay`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import msgspec

from analyzer.domain.histogram import LatencyHistogram, from_samples
from analyzer.domain.model import MAX_COUNT, ArmCounts, Window
from analyzer.domain.observation import (
    ERRORS,
    LATENCY,
    METRICS,
    CountArms,
    LatencyArms,
    Observation,
    StableBlock,
)
from analyzer.schemas.parameters import RUN_NAME, RUN_NAME_RULE
from svckit.durations import DurationError, parse_duration
from svckit.errors import InvalidInput
from svckit.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

_YEAR_10000 = 253_402_300_800
_LONGEST_S = 30 * 24 * 3600.0
MOST_WINDOWS = 20_000
_SEQUENTIAL = ("run", "config", "horizon", "interval", "weight")


class _Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    pass


class Arm(_Body):
    """One arm: counts, or latencies in bins, or raw latencies."""

    count: int | None = None
    bad: int | None = None
    le_ms: list[float | Literal["+Inf"]] | None = None
    counts: list[int] | None = None
    samples_ms: list[float] | None = None


class JudgeWindow(_Body):
    """One window of one metric."""

    start: str
    end: str
    metric: str
    canary: Arm
    stable: Arm
    weight: float | None = None


class HistoryBlock(_Body):
    """What stable did before."""

    start: str
    end: str
    metric: str
    stable: Arm


class JudgeBody(_Body):
    """The whole body."""

    windows: list[JudgeWindow]
    id: str | None = None
    run: str | None = None
    config: str | None = None
    horizon: str | None = None
    interval: str | None = None
    weight: float | None = None
    history: list[HistoryBlock] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeRequest:
    """What is to be judged.

    Attributes:
        id: the caller's name for it.
        run, config: names, where given.
        horizon_s, interval_s, weight: the plan, where given; the weight is a share.
        observations: in the order in which their windows closed.
        history: what stable did before.
        one_look: whether it is no more than one window, to be judged by itself.
    """

    id: str | None
    run: str | None
    config: str | None
    horizon_s: float | None
    interval_s: float | None
    weight: float | None
    observations: tuple[Observation, ...]
    history: tuple[StableBlock, ...]
    one_look: bool


def read_judge_body(content: bytes) -> JudgeRequest:
    """Return what a body asks for.

    Raises:
        InvalidInput: not JSON (status 400), or a field is wrong or missing; the message names it.
    """
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"body: not JSON: {error}", code="invalid_request", status=400) from None
    if not isinstance(document, dict):
        raise refused("body", "expected a JSON object with windows")
    try:
        body = msgspec.convert(document, JudgeBody)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise refused(place.rstrip("`") or "body", message) from None
    return _request(body, sequential=any(name in document for name in (*_SEQUENTIAL, "history")))


def refused(place: str, message: str, *, hint: str = "") -> InvalidInput:
    """Return the error for one field of a body."""
    return InvalidInput(
        f"{place}: {message}",
        code="invalid_request",
        hint=hint,
        errors=({"loc": f"body.{place}", "msg": message},),
    )


def _request(body: JudgeBody, *, sequential: bool) -> JudgeRequest:
    if not body.windows:
        raise refused("windows", "expected at least one window")
    if len(body.windows) > MOST_WINDOWS or len(body.history) > MOST_WINDOWS:
        raise refused("windows", f"expected at most {MOST_WINDOWS} windows and blocks of history")
    if body.run is not None and not RUN_NAME.fullmatch(body.run):
        raise refused("run", f"expected {RUN_NAME_RULE}")
    horizon = _duration("horizon", body.horizon)
    interval = _duration("interval", body.interval)
    if horizon is not None and interval is not None and horizon < interval:
        raise refused("horizon", "expected at least the interval")
    weight = _weight("weight", body.weight)
    observations = [
        _observation(f"windows[{index}]", window, weight)
        for index, window in enumerate(body.windows)
    ]
    history = [_block(f"history[{index}]", block) for index, block in enumerate(body.history)]
    _refuse_mixed_forms(body)
    order = _in_order(observations, "windows")
    first = min(one.window.start for one in observations)
    blocks = _in_order(history, "history")
    for index, block in enumerate(history):
        if block.window.end > first:
            raise refused(f"history[{index}]", "expected to end before the first window begins")
    metrics = [one.metric for one in observations]
    return JudgeRequest(
        id=body.id,
        run=body.run,
        config=body.config,
        horizon_s=horizon,
        interval_s=interval,
        weight=weight,
        observations=tuple(order),
        history=tuple(blocks),
        one_look=not sequential and len(set(metrics)) == len(metrics),
    )


_Timed = TypeVar("_Timed", Observation, StableBlock)


def _in_order(given: Sequence[_Timed], name: str) -> list[_Timed]:
    """Return what was given in the order of closing; refuse an overlap within a metric."""
    order = sorted(
        range(len(given)),
        key=lambda at: (
            given[at].window.end,
            given[at].window.start,
            METRICS.index(given[at].metric),
        ),
    )
    last: dict[str, int] = {}
    for at in order:
        one = given[at]
        before = last.get(one.metric)
        if before is not None and one.window.start < given[before].window.end:
            raise refused(
                f"{name}[{at}]",
                f"overlaps {name}[{before}], so requests would be counted twice",
            )
        last[one.metric] = at
    return [given[at] for at in order]


def _refuse_mixed_forms(body: JudgeBody) -> None:
    """Latencies are compared bin by bin, so all of them must come in one form."""
    first: tuple[str, str] | None = None
    places = [
        *((f"windows[{i}].canary", one.metric, one.canary) for i, one in enumerate(body.windows)),
        *((f"windows[{i}].stable", one.metric, one.stable) for i, one in enumerate(body.windows)),
        *((f"history[{i}].stable", one.metric, one.stable) for i, one in enumerate(body.history)),
    ]
    for place, metric, arm in places:
        if metric != LATENCY:
            continue
        form = _form(place, arm)
        if first is None:
            first = (form, place)
        elif form != first[0]:
            raise refused(
                place, f"expected {first[0]} as in {first[1]}: one form for all latencies"
            )


def _form(place: str, arm: Arm) -> str:
    given = {
        "count and bad": arm.count is not None or arm.bad is not None,
        "le_ms and counts": arm.le_ms is not None or arm.counts is not None,
        "samples_ms": arm.samples_ms is not None,
    }
    found = [form for form, is_given in given.items() if is_given]
    if len(found) != 1:
        raise refused(place, f"expected exactly one of: {'; '.join(given)}")
    return found[0]


def _observation(place: str, given: JudgeWindow, weight: float | None) -> Observation:
    _check_metric(place, given.metric)
    window = _window(place, given.start, given.end)
    own = _weight(f"{place}.weight", given.weight)
    arms = [
        _arm(f"{place}.{name}", given.metric, arm)
        for name, arm in (("canary", given.canary), ("stable", given.stable))
    ]
    canary, stable = arms
    pair: CountArms | LatencyArms
    if isinstance(canary, ArmCounts) and isinstance(stable, ArmCounts):
        pair = CountArms(canary=canary, stable=stable)
    elif isinstance(canary, LatencyHistogram) and isinstance(stable, LatencyHistogram):
        pair = LatencyArms(canary=canary, stable=stable)
    else:
        raise refused(place, "expected both arms in one form")
    return Observation(
        window=window,
        metric=given.metric,
        arms=pair,
        weight=weight if own is None else own,
    )


def _block(place: str, given: HistoryBlock) -> StableBlock:
    _check_metric(place, given.metric)
    return StableBlock(
        window=_window(place, given.start, given.end),
        metric=given.metric,
        stable=_arm(f"{place}.stable", given.metric, given.stable),
    )


def _check_metric(place: str, metric: str) -> None:
    if metric not in METRICS:
        raise refused(f"{place}.metric", f"expected one of: {', '.join(METRICS)}")


def _window(place: str, start: str, end: str) -> Window:
    instants = {
        name: _instant(f"{place}.{name}", text) for name, text in (("start", start), ("end", end))
    }
    try:
        return Window(**instants)
    except ValueError as error:
        raise refused(place, str(error)) from None


def _instant(place: str, text: str) -> float:
    try:
        instant = parse_timestamp(text)
    except (ValueError, OverflowError):
        instant = math.nan
    if not 0 <= instant < _YEAR_10000:
        raise refused(place, "expected an RFC 3339 time such as 2026-02-04T02:00:00Z")
    return instant


def _arm(place: str, metric: str, arm: Arm) -> ArmCounts | LatencyHistogram:
    form = _form(place, arm)
    if metric == ERRORS and form != "count and bad":
        raise refused(place, f"expected count and bad, not {form}: errors have no latencies")
    try:
        if form == "count and bad":
            if arm.count is None or arm.bad is None:
                raise refused(place, "expected both count and bad")
            return ArmCounts(count=arm.count, bad=arm.bad)
        if arm.samples_ms is not None:
            return from_samples(arm.samples_ms)
        if arm.le_ms is None or arm.counts is None:
            raise refused(place, "expected both le_ms and counts")
        edges = tuple(math.inf if one == "+Inf" else float(one) for one in arm.le_ms)
        histogram = LatencyHistogram(le_ms=edges, counts=tuple(arm.counts))
    except (ValueError, OverflowError) as error:
        raise refused(place, str(error)) from None
    if histogram.count > MAX_COUNT:
        raise refused(place, f"holds {histogram.count} requests, expected at most {MAX_COUNT}")
    return histogram


def _duration(place: str, text: str | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = parse_duration(text)
    except DurationError:
        seconds = math.nan
    if not 1 <= seconds <= _LONGEST_S:
        raise refused(place, "expected a Go duration from 1s to 720h, such as 30s or 11m")
    return seconds


def _weight(place: str, percent: float | None) -> float | None:
    if percent is None:
        return None
    if not 0 < percent <= 100:
        raise refused(place, "expected percent of the traffic, above 0 and at most 100")
    return percent / 100
