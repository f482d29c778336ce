"""Runs with latencies: a function of the observations, whatever way they come."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from analyzer.domain import progress as runs
from analyzer.domain.config import JudgeConfig
from analyzer.domain.findings import finding
from analyzer.domain.histogram import from_samples
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.observation import ERRORS, LATENCY, CountArms, LatencyArms, Observation
from analyzer.domain.setup import Setup
from analyzer.schemas.documents import run_document

SETUP = Setup(
    run="r",
    config=JudgeConfig(),
    metrics=frozenset({ERRORS, LATENCY}),
    horizon_s=300,
    interval_s=30,
)
SAMPLES = st.lists(st.sampled_from([0.0, 5.0, 12.0, 30.0, 80.0, 1e9]), max_size=40)


@st.composite
def observations(draw: st.DrawFn) -> list[Observation]:
    """Return some windows of both metrics."""
    found = []
    for index in range(draw(st.integers(0, 6))):
        window = Window(start=30.0 * index, end=30.0 * (index + 1))
        counts = [draw(st.integers(0, 500)) for _ in range(2)]
        arms = [ArmCounts(count=one, bad=draw(st.integers(0, one))) for one in counts]
        found.append(
            Observation(
                window=window, metric=ERRORS, arms=CountArms(canary=arms[0], stable=arms[1])
            )
        )
        latencies = [from_samples(draw(SAMPLES)) for _ in range(2)]
        found.append(
            Observation(
                window=window,
                metric=LATENCY,
                arms=LatencyArms(canary=latencies[0], stable=latencies[1]),
            )
        )
    return found


@settings(max_examples=25, deadline=None)
@given(observations(), st.data())
def test_steps_and_replay_agree_bit_for_bit(given_: list[Observation], data: st.DataObject) -> None:
    """However they are cut into calls, the document has the same bytes, and no number is none."""
    step = runs.begin(SETUP)
    rest = list(given_)
    while rest:
        number = data.draw(st.integers(1, len(rest)))
        step, rest = runs.advance(step, rest[:number]), rest[number:]
    whole = runs.replay(SETUP, given_)
    documents = [run_document(finding(one), one) for one in (step, whole)]
    assert documents[0] == documents[1]
    assert _finite(documents[0])


def _finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or math.isfinite(value)
