"""Events as lines of JSON: what is written can be read, and what cannot be read is said."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from rollout_runner import events as ev
from rollout_runner.events import Event, decode_log, encode, moment
from svckit.errors import InvalidInput

AT = moment(1_770_170_400.25)
REVISION = ev.Revision(hash="abc", version="v17", revision=2, image="vote:v17")
EXAMPLES: tuple[Event, ...] = (
    ev.RunStarted(
        at=AT,
        rollout="vote",
        namespace="voting01-qa",
        strategy="Canary",
        replicas=2,
        steps=(ev.Step(index=0, kind="setWeight", text="setWeight: 20"),),
        stable=REVISION,
        canary=REVISION,
        manifests="deploy/overlays/qa",
        argo_version="1.9",
        speed=8.0,
        seed=7,
        scenario="healthy",
        description="ü · 100 %",
        traffic="50/s poisson",
        gatelab_version="0.1.0",
    ),
    ev.ProcessStarted(at=AT, name="votegen", url="http://127.0.0.1:8083", pid=42),
    ev.ProcessExited(at=AT, name="votegen", exit_code=-9, expected=False),
    ev.StepStarted(at=AT, index=0, text="setWeight: 20"),
    ev.StepCompleted(at=AT, index=0, text="setWeight: 20"),
    ev.WeightChanged(at=AT, weight=20),
    ev.ReplicaSetScaled(at=AT, hash="abc", replicas=0),
    ev.ServiceSwitched(at=AT, service="vote-canary", hash="abc"),
    ev.PauseStarted(at=AT, reason="CanaryPauseStep", index=1, duration_seconds=120.0),
    ev.AnalysisRunStarted(
        at=AT,
        name="vote-abc-2-5",
        kind="Step",
        templates=("gate",),
        metrics=(
            ev.MetricPlan(name="error-rate", provider="web", interval="60s", count=2, dry_run=True),
        ),
        index=5,
        args={"window": "3m"},
    ),
    ev.MeasurementTaken(
        at=AT,
        analysis_run="vote-abc-2-5",
        metric="error-rate",
        number=1,
        phase="Failed",
        started_at=AT,
        finished_at=AT,
        value='{"errorRate":5.2}',
        message="line\nbreak \x00 \u2028",
    ),
    ev.AnalysisRunCompleted(
        at=AT, name="vote-abc-2-5", phase="Failed", message="m", status={"metricResults": [{}]}
    ),
    ev.TrafficObserved(at=AT, versions=(ev.VersionTraffic(hash="abc", requests=2**40, errors=1),)),
    ev.ControllerEvent(at=AT, reason="RolloutPaused", message="Rollout is paused"),
    ev.PhaseChanged(at=AT, phase="Paused", message="CanaryPauseStep"),
    ev.ScenarioAction(at=AT, action="canary", detail="canary is now: 5% errors"),
    ev.OperatorCommand(at=AT, command="promote"),
    ev.Warned(at=AT, message="careful"),
    ev.RunFinished(at=AT, outcome="aborted", phase="Degraded", message="m", aborted_at_step=5),
)


@pytest.mark.parametrize(
    "event", [pytest.param(event, id=type(event).__name__) for event in EXAMPLES]
)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    """One line, however the texts look, and the same event again."""
    line = encode(event)
    assert b"\n" not in line
    assert list(decode_log([line])) == [event]
    assert json.loads(line)["at"] == "2026-02-04T02:00:00.250000Z"


def test_every_kind_of_event_is_tried() -> None:
    """The table above leaves none out."""
    assert {type(event) for event in EXAMPLES} == set(get_args(Event))


def test_tags_are_unique_and_stable() -> None:
    """Each kind has its own tag, in snake case of its name."""
    tags = [json.loads(encode(event))["event"] for event in EXAMPLES]
    assert len(set(tags)) == len(EXAMPLES)
    names = ["".join(part.title() for part in tag.split("_")) for tag in tags]
    assert names == [type(event).__name__ for event in EXAMPLES]


@pytest.mark.parametrize(
    ("event", "line"),
    [
        pytest.param(
            ev.RunFinished(at=AT, outcome="promoted", phase="Healthy"),
            {"event": "run_finished", "outcome": "promoted", "phase": "Healthy"},
            id="absent-is-default",
        ),
        pytest.param(
            ev.PauseStarted(at=AT, reason="InconclusiveAnalysisRun", index=5),
            {"event": "pause_started", "reason": "InconclusiveAnalysisRun", "index": 5},
            id="camel-case",
        ),
        pytest.param(
            ev.ProcessExited(at=AT, name="x", exit_code=0, expected=True),
            {"event": "process_exited", "name": "x", "exitCode": 0, "expected": True},
            id="zero-is-a-value",
        ),
    ],
)
def test_what_is_written(event: Event, line: dict[str, Any]) -> None:
    """Keys in camel case; optional ones that hold their default are left out."""
    assert json.loads(encode(event)) == line | {"at": "2026-02-04T02:00:00.250000Z"}


def test_unknown_keys_are_ignored() -> None:
    """A newer writer may add some."""
    line = '{"event":"warned","at":"2026-02-04T02:00:00Z","message":"m","new":[1]}'
    assert list(decode_log([line])) == [ev.Warned(at=moment(1_770_170_400), message="m")]


def test_an_instant_is_utc() -> None:
    """Seconds since the epoch become a time with a zone."""
    assert moment(0) == datetime(1970, 1, 1, tzinfo=UTC)


GOOD = encode(ev.Warned(at=AT, message="m")) + b"\n"


@pytest.mark.parametrize(
    "torn", [b"{", b'{"event":"warned","at":"2026', b"\x00\x00\x00", GOOD[:-3]]
)
def test_a_torn_last_line_ends_the_log(torn: bytes) -> None:
    """What a killed run leaves; everything before it counts."""
    assert len(list(decode_log([GOOD, GOOD, torn]))) == 2


def test_a_last_line_without_newline_may_be_whole() -> None:
    """Only the newline is missing."""
    assert len(list(decode_log([GOOD, GOOD.rstrip(b"\n")]))) == 2


def test_empty_lines_are_nothing() -> None:
    """An empty log too."""
    assert len(list(decode_log([b"\n", GOOD, b"  \n"]))) == 1
    assert list(decode_log([])) == []


@pytest.mark.parametrize(
    ("lines", "number"),
    [
        pytest.param([b"{\n", GOOD], 1, id="first"),
        pytest.param([GOOD, b"\n", b"{", GOOD], 3, id="torn-in-the-middle"),
        pytest.param([GOOD, b"# hello\n"], 2, id="whole-last-line"),
        pytest.param(["[1]\n"], 1, id="a-list"),
        pytest.param(['{"event":"unheard_of","at":"2026-02-04T02:00:00Z"}\n'], 1, id="unknown"),
        pytest.param(['{"event":"warned","at":"2026-02-04T02:00:00Z"}\n'], 1, id="no-message"),
        pytest.param(
            ['{"event":"weight_changed","at":"2026-02-04T02:00:00Z","weight":"20"}\n'],
            1,
            id="wrong-type",
        ),
        pytest.param(['{"event":"warned","at":"yesterday","message":"m"}\n'], 1, id="bad-time"),
        pytest.param([b'{"event":"warned","message":"\xff"}\n'], 1, id="not-utf-8"),
    ],
)
def test_what_is_no_event(lines: list[bytes | str], number: int) -> None:
    """The line is named, and what was expected."""
    with pytest.raises(InvalidInput, match=f"run.jsonl: line {number} is not an event: ") as caught:
        list(decode_log(lines, source="run.jsonl"))
    assert "gatelab" in caught.value.hint
