"""The body with windows: every form of them, and every way to get it wrong."""

from __future__ import annotations

import json
import math
from copy import deepcopy
from typing import Any

import pytest

from analyzer.domain.model import Window
from analyzer.domain.observation import CountArms
from analyzer.schemas.judge_body import JudgeRequest, read_judge_body
from analyzer_bench import START, an_arm
from svckit.errors import InvalidInput

WINDOW = {
    "start": "2026-02-04T02:00:00Z",
    "end": "2026-02-04T02:00:30Z",
    "metric": "errors",
    "canary": {"count": 300, "bad": 6},
    "stable": {"count": 1200, "bad": 24},
}


def _body(**changes: Any) -> bytes:
    return json.dumps({"windows": [deepcopy(WINDOW) | changes]}).encode()


def _read(**changes: Any) -> JudgeRequest:
    return read_judge_body(json.dumps({"windows": [WINDOW], **changes}).encode())


def test_a_lone_window_is_one_look() -> None:
    """Nothing but one window of a metric is judged by itself."""
    asked = _read(id="r1")
    assert asked.one_look
    assert asked.id == "r1"
    [seen] = asked.observations
    assert (seen.window, seen.arms) == (
        Window(start=START, end=START + 30),
        CountArms(canary=an_arm(6, 300), stable=an_arm(24, 1200)),
    )


@pytest.mark.parametrize(
    "changes",
    [{"run": "r"}, {"config": "strict"}, {"horizon": "11m"}, {"interval": "30s"}, {"weight": 20},
     {"history": []}],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_a_plan_makes_a_run(changes: dict[str, Any]) -> None:
    """Whatever says more than one window asks for the judge of runs."""
    assert not _read(**changes).one_look


def test_windows_come_in_the_order_of_closing() -> None:
    """However the body lists them."""
    later = WINDOW | {"start": "2026-02-04T02:00:30Z", "end": "2026-02-04T02:01:00Z"}
    asked = _read(windows=[later, WINDOW])
    assert [one.window.start for one in asked.observations] == [START, START + 30]
    assert not asked.one_look


def test_latencies_come_in_three_forms() -> None:
    """Bins, raw values, and counts of what somebody else found slow."""
    forms = {
        "bins": {"le_ms": [1, 1.02, "+Inf"], "counts": [0, 3, 1]},
        "raw": {"samples_ms": [20.1, 33.0]},
        "counted": {"count": 100, "bad": 3},
    }
    found = {
        name: _read(windows=[WINDOW | {"metric": "latency", "canary": arm, "stable": arm}])
        .observations[0]
        .arms.canary
        for name, arm in forms.items()
    }
    assert found["bins"].count == 4
    assert found["bins"].le_ms[-1] == math.inf
    assert found["raw"].count == 2
    assert found["counted"] == an_arm(3, 100)


def test_the_plan_is_read() -> None:
    """Durations, the weight as a share, and blocks of history."""
    block = {"start": "2026-02-04T01:59:30Z", "end": "2026-02-04T02:00:00Z", "metric": "errors",
             "stable": {"count": 1200, "bad": 24}}  # fmt: skip
    asked = _read(horizon="11m", interval="30s", weight=20, history=[block], config="strict")
    assert (asked.horizon_s, asked.interval_s, asked.weight, asked.config) == (
        660, 30, 0.2, "strict"
    )  # fmt: skip
    assert [one.stable for one in asked.history] == [an_arm(24, 1200)]
    assert asked.observations[0].weight == 0.2


LATENCY = {"metric": "latency", "canary": {"samples_ms": [1]}, "stable": {"samples_ms": [2]}}


@pytest.mark.parametrize(
    ("body", "place"),
    [
        pytest.param({"windows": []}, "windows", id="no-windows"),
        pytest.param({"windows": [WINDOW, WINDOW]}, "windows[1]", id="twice"),
        pytest.param(
            {"windows": [WINDOW | {"end": "2026-02-04T02:01:00Z"},
                         WINDOW | {"start": "2026-02-04T02:00:30Z",
                                   "end": "2026-02-04T02:01:30Z"}]},
            "windows[1]",
            id="overlap",
        ),
        pytest.param({"horizon": "soon"}, "horizon", id="horizon"),
        pytest.param({"horizon": "10s", "interval": "30s"}, "horizon", id="horizon-below-interval"),
        pytest.param({"interval": "0s"}, "interval", id="interval"),
        pytest.param({"weight": 0}, "weight", id="weight-0"),
        pytest.param({"weight": 101}, "weight", id="weight-101"),
        pytest.param({"run": "../x"}, "run", id="run"),
        pytest.param(
            {"history": [{"start": "2026-02-04T02:00:00Z", "end": "2026-02-04T02:00:30Z",
                          "metric": "errors", "stable": {"count": 1, "bad": 0}}]},
            "history[0]",
            id="history-within",
        ),
        pytest.param(
            {"windows": [WINDOW | LATENCY | {"stable": {"count": 2, "bad": 0}}]},
            "windows[0]",
            id="two-forms",
        ),
        pytest.param(
            {"windows": [WINDOW | LATENCY | {"canary": {"samples_ms": [-1]}}]},
            "windows[0].canary",
            id="negative-latency",
        ),
        pytest.param(
            {"windows": [WINDOW | LATENCY | {"canary": {"le_ms": [2, 1], "counts": [1, 1]}}]},
            "windows[0].canary",
            id="edges-fall",
        ),
        pytest.param(
            {"windows": [WINDOW | LATENCY | {"canary": {"le_ms": [1], "counts": [2_000_000_000]}}]},
            "windows[0].canary",
            id="absurd-count",
        ),
        pytest.param(
            {"windows": [WINDOW | {"canary": {"samples_ms": [1]}}]}, "windows[0].canary",
            id="errors-with-latencies",
        ),
        pytest.param(
            {"windows": [WINDOW | {"canary": {}}]}, "windows[0].canary", id="empty-arm"
        ),
    ],
)  # fmt: skip
def test_a_bad_body_is_named(body: dict[str, Any], place: str) -> None:
    """The error says where, and nothing is judged."""
    with pytest.raises(InvalidInput) as caught:
        _read(**body)
    assert caught.value.status == 422
    assert caught.value.errors[0]["loc"] == f"body.{place}"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        pytest.param({"start": "now"}, "windows[0].start", id="start-text"),
        pytest.param({"start": "2026-02-04T02:00:00"}, "windows[0].start", id="no-zone"),
        pytest.param({"start": "0001-01-01T00:00:00+23:59"}, "windows[0].start", id="year-0"),
        pytest.param({"start": "1969-12-31T23:59:59Z"}, "windows[0].start", id="before-1970"),
        pytest.param({"end": "9999-12-31T23:59:59-23:59"}, "windows[0].end", id="year-10000"),
        pytest.param({"end": "2026-02-04T02:00:00Z"}, "windows[0]", id="empty-window"),
        pytest.param({"metric": "saturation"}, "windows[0].metric", id="metric"),
        pytest.param({"canary": {"count": 5, "bad": 6}}, "windows[0].canary", id="more-bad"),
        pytest.param({"canary": {"count": -5, "bad": 0}}, "windows[0].canary", id="negative"),
        pytest.param({"canary": {"count": "5", "bad": 0}}, "windows[0].canary.count", id="string"),
        pytest.param({"stable": {"count": 5.5, "bad": 0}}, "windows[0].stable.count", id="float"),
        pytest.param({"stable": {"count": 5}}, "windows[0].stable", id="bad-missing"),
        pytest.param({"stable": None}, "windows[0].stable", id="null-arm"),
        pytest.param({"share": 20}, "windows[0]", id="unknown-field"),
    ],
)
def test_a_bad_window_is_named(changes: dict[str, Any], place: str) -> None:
    """The error says where, in the notation of the body."""
    with pytest.raises(InvalidInput) as caught:
        read_judge_body(_body(**changes))
    assert caught.value.status == 422
    assert caught.value.errors[0]["loc"] == f"body.{place}"


@pytest.mark.parametrize(
    ("content", "status"),
    [
        pytest.param(b"", 400, id="empty"),
        pytest.param(b'{"windows": [', 400, id="truncated"),
        pytest.param(b'{"windows": [], "id": NaN}', 400, id="nan"),
        pytest.param(b"\xff\xfe", 400, id="not-utf8"),
        pytest.param(b"[" * 100_000, 400, id="deep"),
        pytest.param(b"[]", 422, id="list"),
        pytest.param(b"{}", 422, id="no-windows"),
        pytest.param(b'{"windows": []}', 422, id="zero-windows"),
        pytest.param(b'{"windows": {}}', 422, id="windows-object"),
        pytest.param(b'{"windows": [1]}', 422, id="window-number"),
        pytest.param(b'{"windows": [], "id": 5}', 422, id="id-number"),
    ],
)
def test_an_unusable_body_is_refused(content: bytes, status: int) -> None:
    """What is not JSON is 400, what is JSON of another shape is 422."""
    with pytest.raises(InvalidInput) as caught:
        read_judge_body(content)
    assert caught.value.status == status


def test_overlapping_windows_are_refused() -> None:
    """Rolling windows would count every request several times."""
    with pytest.raises(InvalidInput, match="overlap"):
        read_judge_body(json.dumps({"windows": [WINDOW, WINDOW]}).encode())
