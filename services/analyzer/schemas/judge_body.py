"""The body of POST /v1/judge and of `canary-analyzer judge`: windows with counts of both arms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from analyzer.domain.model import ArmCounts, MetricPair, Window, pool
from svckit.errors import InvalidInput
from svckit.timestamps import parse_timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

ERRORS_METRIC = "errors"
_YEAR_10000 = 253_402_300_800

# Fields of the format that ask for more than one look's judgement.
_UNSUPPORTED = {
    "run": "evidence gathered over several calls",
    "config": "named configurations",
    "horizon": "planned sequential analysis",
    "interval": "planned sequential analysis",
    "weight": "the check of the traffic split",
    "history": "history of the stable arm",
}


class Arm(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Counts of one arm."""

    count: int
    bad: int


class JudgeWindow(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One window of one metric."""

    start: str
    end: str
    metric: str
    canary: Arm
    stable: Arm


class JudgeBody(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """The whole body."""

    windows: list[JudgeWindow]
    id: str | None = None


def read_judge_body(content: bytes) -> tuple[str | None, MetricPair]:
    """Return the body's id and its windows pooled into one pair.

    Raises:
        InvalidInput: not JSON (status 400), or a field is wrong, missing or not supported.
    """
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"body: not JSON: {error}", code="invalid_request", status=400) from None
    _refuse_unsupported(document)
    try:
        body = msgspec.convert(document, JudgeBody)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise _refused(place.rstrip("`") or "body", message) from None
    if not body.windows:
        raise _refused("windows", "expected at least one window")
    pairs = [_read_pair(f"windows[{index}]", window) for index, window in enumerate(body.windows)]
    try:
        return body.id, pool(pairs)
    except ValueError as error:
        raise _refused("windows", str(error)) from None


def _refuse_unsupported(document: Any) -> None:
    if not isinstance(document, dict):
        raise _refused("body", "expected a JSON object with windows")
    for name, feature in _UNSUPPORTED.items():
        if name in document:
            raise _refused(name, f"not supported in this version ({feature})", hint="leave it out")
    windows = document.get("windows")
    for index, window in enumerate(windows if isinstance(windows, list) else ()):
        metric = window.get("metric") if isinstance(window, dict) else None
        if isinstance(metric, str) and metric != ERRORS_METRIC:
            raise _refused(
                f"windows[{index}].metric",
                "only errors windows are supported in this version",
                hint="leave windows of other metrics out; nothing of them would be judged",
            )


def _read_pair(place: str, window: JudgeWindow) -> MetricPair:
    return MetricPair(
        window=_read_window(place, window),
        canary=_read_arm(f"{place}.canary", window.canary),
        stable=_read_arm(f"{place}.stable", window.stable),
    )


def _read_window(place: str, window: JudgeWindow) -> Window:
    edges = {"start": window.start, "end": window.end}
    try:
        instants = {name: _read_instant(f"{place}.{name}", text) for name, text in edges.items()}
        return Window(**instants)
    except ValueError as error:
        raise _refused(place, str(error)) from None


def _read_instant(place: str, text: str) -> float:
    try:
        instant = parse_timestamp(text)
    except (ValueError, OverflowError):
        instant = math.nan
    if not 0 <= instant < _YEAR_10000:
        raise _refused(place, "expected an RFC 3339 time such as 2026-02-04T02:00:00Z")
    return instant


def _read_arm(place: str, arm: Arm) -> ArmCounts:
    try:
        return ArmCounts(count=arm.count, bad=arm.bad)
    except ValueError as error:
        raise _refused(place, str(error)) from None


def _refused(place: str, message: str, *, hint: str = "") -> InvalidInput:
    errors: tuple[Mapping[str, str], ...] = ({"loc": f"body.{place}", "msg": message},)
    return InvalidInput(
        f"{place}: {message}",
        code="invalid_request",
        hint=hint,
        errors=tuple(dict(item) for item in errors),
    )
