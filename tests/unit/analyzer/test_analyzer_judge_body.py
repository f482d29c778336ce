"""The body with windows: strict about types, fields and what this version can judge."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from analyzer.domain.model import Window
from analyzer.schemas.judge_body import read_judge_body
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


def test_windows_are_summed() -> None:
    """Two half minutes become one minute."""
    later = WINDOW | {"start": "2026-02-04T02:00:30Z", "end": "2026-02-04T02:01:00Z"}
    identity, pair = read_judge_body(json.dumps({"id": "r1", "windows": [WINDOW, later]}).encode())
    assert identity == "r1"
    assert pair.window == Window(start=START, end=START + 60)
    assert (pair.canary, pair.stable) == (an_arm(12, 600), an_arm(48, 2400))


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        pytest.param({"start": "now"}, "windows[0].start", id="start-text"),
        pytest.param({"start": "2026-02-04T02:00:00"}, "windows[0].start", id="no-zone"),
        pytest.param({"start": "0001-01-01T00:00:00+23:59"}, "windows[0].start", id="year-0"),
        pytest.param({"start": "1969-12-31T23:59:59Z"}, "windows[0].start", id="before-1970"),
        pytest.param({"end": "9999-12-31T23:59:59-23:59"}, "windows[0].end", id="year-10000"),
        pytest.param({"end": "2026-02-04T02:00:00Z"}, "windows[0]", id="empty-window"),
        pytest.param({"metric": "latency"}, "windows[0].metric", id="latency"),
        pytest.param({"canary": {"count": 5, "bad": 6}}, "windows[0].canary", id="more-bad"),
        pytest.param({"canary": {"count": -5, "bad": 0}}, "windows[0].canary", id="negative"),
        pytest.param({"canary": {"count": "5", "bad": 0}}, "windows[0].canary.count", id="string"),
        pytest.param({"stable": {"count": 5.5, "bad": 0}}, "windows[0].stable.count", id="float"),
        pytest.param({"stable": {"count": 5}}, "windows[0].stable", id="bad-missing"),
        pytest.param({"stable": None}, "windows[0].stable", id="null-arm"),
        pytest.param({"weight": 20}, "windows[0]", id="unknown-field"),
    ],
)
def test_a_bad_window_is_named(changes: dict[str, Any], place: str) -> None:
    """The error says where, in the notation of the body."""
    with pytest.raises(InvalidInput) as caught:
        read_judge_body(_body(**changes))
    assert caught.value.status == 422
    assert caught.value.errors[0]["loc"] == f"body.{place}"


@pytest.mark.parametrize("name", ["run", "config", "horizon", "interval", "weight", "history"])
def test_fields_of_the_sequential_judge_are_refused(name: str) -> None:
    """They would change the verdict, so they are not ignored."""
    with pytest.raises(InvalidInput, match=f"{name}: not supported in this version"):
        read_judge_body(json.dumps({"windows": [WINDOW], name: "x"}).encode())


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
