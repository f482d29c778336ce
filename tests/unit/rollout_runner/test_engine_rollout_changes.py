"""What two statuses, one after the other, say has happened."""

from __future__ import annotations

from typing import Any

import pytest
from argo_rollout_world import rollout_spec

from rollout_runner.argo.rollout import RolloutPhase, RolloutStatus
from rollout_runner.argo.rollout.pause import PauseCondition, PauseReason
from rollout_runner.engine.rollout_changes import changes
from rollout_runner.events import encode

STEPS = rollout_spec().canary.steps
PAUSED = '{"event":"pause_started","reason":"CanaryPauseStep","index":1,"durationSeconds":120}'
NOW = 1_770_170_400.0
STEP_PAUSE = PauseCondition(reason=PauseReason.CANARY_PAUSE_STEP, start_time=NOW)
UNSURE = PauseCondition(reason=PauseReason.INCONCLUSIVE_ANALYSIS, start_time=NOW + 5)


def status(**fields: Any) -> RolloutStatus:
    """Return the status of an update at step 1 with some fields changed."""
    return RolloutStatus(
        current_pod_hash="new", stable_rs="old", current_step_index=1, phase=RolloutPhase.PAUSED
    ).having(**fields)


def told(before: RolloutStatus, after: RolloutStatus, *, completed: bool = False) -> list[str]:
    """Return the events without their times."""
    events = changes(before, after, steps=STEPS, completed=completed, now=NOW)
    return [encode(event).decode().replace('"at":"2026-02-04T02:00:00Z",', "") for event in events]


@pytest.mark.parametrize(
    ("before", "after", "completed", "expected"),
    [
        pytest.param({}, {}, False, [], id="nothing"),
        pytest.param({}, {"available_replicas": 2}, False, [], id="nothing-that-is-told"),
        pytest.param(
            {},
            {"current_step_index": 2},
            True,
            [
                '{"event":"step_completed","index":1,"text":"pause: 2m"}',
                '{"event":"step_started","index":2,"text":"analysis"}',
            ],
            id="next-step",
        ),
        pytest.param(
            {},
            {"current_step_index": 2},
            False,
            ['{"event":"step_started","index":2,"text":"analysis"}'],
            id="skipped-step",
        ),
        pytest.param(
            {"current_step_index": 8},
            {"current_step_index": 9},
            True,
            ['{"event":"step_completed","index":8,"text":"analysis"}'],
            id="last-step",
        ),
        pytest.param({}, {"current_step_index": 9}, False, [], id="all-skipped"),
        pytest.param({}, {"abort": True, "current_step_index": 0}, False, [], id="abort"),
        pytest.param(
            {"abort": True, "current_step_index": 0},
            {"current_step_index": 0},
            False,
            ['{"event":"step_started","index":0,"text":"setWeight: 20"}'],
            id="retry",
        ),
        pytest.param(
            {"current_pod_hash": "other", "current_step_index": 0},
            {"current_step_index": 0},
            False,
            ['{"event":"step_started","index":0,"text":"setWeight: 20"}'],
            id="another-template",
        ),
        pytest.param({}, {"current_step_index": None}, False, [], id="no-steps"),
        pytest.param(
            {},
            {"phase": RolloutPhase.DEGRADED, "message": "RolloutAborted"},
            False,
            ['{"event":"phase_changed","phase":"Degraded","message":"RolloutAborted"}'],
            id="phase",
        ),
        pytest.param(
            {},
            {"pause_conditions": (STEP_PAUSE,)},
            False,
            [PAUSED],
            id="pause-step",
        ),
        pytest.param(
            {"pause_conditions": (UNSURE,), "current_step_index": 2},
            {"pause_conditions": (UNSURE,), "current_step_index": 2},
            False,
            [],
            id="still-paused",
        ),
        pytest.param(
            {"pause_conditions": (STEP_PAUSE,), "current_step_index": 2},
            {"pause_conditions": (UNSURE,), "current_step_index": 2},
            False,
            ['{"event":"pause_started","reason":"InconclusiveAnalysisRun","index":2}'],
            id="another-pause",
        ),
    ],
)
def test_changes(
    before: dict[str, Any],
    after: dict[str, Any],
    completed: bool,  # noqa: FBT001 - a column of the table
    expected: list[str],
) -> None:
    """Only what is news is told, completed before started."""
    assert told(status(**before), status(**after), completed=completed) == expected
