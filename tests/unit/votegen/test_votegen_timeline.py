"""The steps of a run: bounded in number, exact in counts."""

from __future__ import annotations

import pytest

from votegen.domain.timeline import MAX_STEPS, Timeline


def _requests(timeline: Timeline) -> int:
    return sum(
        step["requests"]
        for point in timeline.as_json()["points"]
        for step in point["targets"].values()
    )


def test_requests_are_counted_in_the_step_they_ended_in() -> None:
    """Targets are kept apart, and a target without requests has no member."""
    timeline = Timeline()
    timeline.add(0.2, "stable", errors=0, latencies=[0.010, 0.010])
    timeline.add(0.9, "stable", errors=1, latencies=[0.010])
    timeline.add(1.0, "canary", errors=1, latencies=[0.100])
    first, second = timeline.as_json()["points"]
    assert (first["at_s"], second["at_s"]) == (0, 1)
    assert set(first["targets"]) == {"stable"}
    assert (first["targets"]["stable"]["requests"], first["targets"]["stable"]["errors"]) == (3, 1)
    assert second["targets"]["canary"]["errors"] == 1


def test_latencies_are_within_the_width_of_a_bucket() -> None:
    """What is drawn is at most 4.4 % off."""
    timeline = Timeline()
    timeline.add(0.0, "stable", errors=0, latencies=[0.020] * 99 + [1.0])
    (point,) = timeline.as_json()["points"]
    assert point["targets"]["stable"]["p50_ms"] == pytest.approx(20, rel=0.044)
    assert point["targets"]["stable"]["p99_ms"] == pytest.approx(20, rel=0.044)


def test_a_long_run_has_longer_steps_and_loses_nothing() -> None:
    """An hour at a second a step would be 3,600 steps; it is kept in at most 600."""
    timeline = Timeline()
    for second in range(3600):
        timeline.add(second + 0.5, "stable", errors=second % 2, latencies=[0.01])
    document = timeline.as_json()
    assert document["step_s"] == 8
    assert len(document["points"]) == 450 <= MAX_STEPS
    assert _requests(timeline) == 3600
    assert sum(point["targets"]["stable"]["errors"] for point in document["points"]) == 1800


@pytest.mark.parametrize("fine_first", [True, False])
def test_parts_of_a_run_merge_whatever_their_steps(*, fine_first: bool) -> None:
    """One process may have outgrown its steps and the other one not."""
    fine, coarse = Timeline(), Timeline()
    fine.add(3.0, "stable", errors=0, latencies=[0.01])
    coarse.add(3.0, "stable", errors=1, latencies=[0.01])
    coarse.add(1000.0, "stable", errors=0, latencies=[0.01])
    first, second = (fine, coarse) if fine_first else (coarse, fine)
    first.merge(second)
    assert first.seconds == coarse.seconds == 2.0
    assert _requests(first) == 3
    assert first.as_json()["points"][0]["targets"]["stable"]["requests"] == 2
