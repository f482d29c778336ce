"""What happened in a run, as one JSON document a line: the only record of a run.

Progress display, report, restart and tests all read this log. Every event has `at` (virtual time,
UTC) and a tag `event`; keys are camelCase, absent optional keys mean their default, and readers
ignore keys that they do not know, so the schema grows by addition only.

>>> encode(StepStarted(at=moment(0), index=0, text="setWeight: 20"))
b'{"event":"step_started","at":"1970-01-01T00:00:00Z","index":0,"text":"setWeight: 20"}'
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA_VERSION = 1


def moment(instant: float) -> datetime:
    """Turn an instant (seconds since the Unix epoch) into the `at` of an event."""
    return datetime.fromtimestamp(instant, UTC)


class _Event(
    msgspec.Struct, frozen=True, kw_only=True, tag_field="event", rename="camel", omit_defaults=True
):
    at: datetime


class Revision(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A version of the pod template: stable or canary."""

    hash: str
    version: str
    revision: int
    image: str = ""


class Step(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One entry of `strategy.canary.steps`; `text` is as Argo prints it (`setWeight: 20`)."""

    index: int
    kind: str
    text: str


class MetricPlan(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a metric of an AnalysisRun was asked to do, arguments filled in."""

    name: str
    provider: str
    interval: str = ""
    count: int | None = None
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    success_condition: str = ""
    failure_condition: str = ""
    dry_run: bool = False


class VersionTraffic(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Requests that a version served since the run began, as the load generator saw them."""

    hash: str
    requests: int
    errors: int


class RunStarted(_Event, frozen=True, kw_only=True, tag="run_started"):
    """The run begins: what is rolled out, under which rules."""

    rollout: str
    namespace: str
    strategy: str
    replicas: int
    steps: tuple[Step, ...]
    stable: Revision
    canary: Revision
    manifests: str
    argo_version: str
    speed: float = 1.0
    seed: int | None = None
    scenario: str = ""
    description: str = ""
    traffic: str = ""
    gatelab_version: str = ""
    schema_version: int = SCHEMA_VERSION


class ProcessStarted(_Event, frozen=True, kw_only=True, tag="process_started"):
    """A program of the bench answers at `url`."""

    name: str
    url: str
    pid: int


class ProcessExited(_Event, frozen=True, kw_only=True, tag="process_exited"):
    """A program of the bench ended; `expected` when the run wanted it to."""

    name: str
    exit_code: int
    expected: bool


class StepStarted(_Event, frozen=True, kw_only=True, tag="step_started"):
    """A step is now current."""

    index: int
    text: str


class StepCompleted(_Event, frozen=True, kw_only=True, tag="step_completed"):
    """A step is done."""

    index: int
    text: str


class WeightChanged(_Event, frozen=True, kw_only=True, tag="weight_changed"):
    """The canary now gets `weight` percent of the traffic."""

    weight: int


class ReplicaSetScaled(_Event, frozen=True, kw_only=True, tag="replica_set_scaled"):
    """A ReplicaSet was told to have so many replicas."""

    hash: str
    replicas: int


class ServiceSwitched(_Event, frozen=True, kw_only=True, tag="service_switched"):
    """A Service now selects the pods of this hash."""

    service: str
    hash: str


class PauseStarted(_Event, frozen=True, kw_only=True, tag="pause_started"):
    """The rollout waits; `duration_seconds` is None when only a person can end it."""

    reason: str
    index: int | None = None
    duration_seconds: float | None = None


class AnalysisRunStarted(_Event, frozen=True, kw_only=True, tag="analysis_run_started"):
    """An AnalysisRun was created; `kind` is Step, Background, PrePromotion or PostPromotion."""

    name: str
    kind: str
    templates: tuple[str, ...]
    metrics: tuple[MetricPlan, ...]
    index: int | None = None
    args: dict[str, str] = {}


class MeasurementTaken(_Event, frozen=True, kw_only=True, tag="measurement_taken"):
    """A measurement was completed; `number` counts from 1 within its metric."""

    analysis_run: str
    metric: str
    number: int
    phase: str
    started_at: datetime
    finished_at: datetime
    value: str = ""
    message: str = ""


class AnalysisRunCompleted(_Event, frozen=True, kw_only=True, tag="analysis_run_completed"):
    """An AnalysisRun reached a terminal phase; `status` is Argo's status document."""

    name: str
    phase: str
    message: str = ""
    status: dict[str, Any] = {}


class TrafficObserved(_Event, frozen=True, kw_only=True, tag="traffic_observed"):
    """Running totals of requests and errors per version (client side)."""

    versions: tuple[VersionTraffic, ...]


class ControllerEvent(_Event, frozen=True, kw_only=True, tag="controller_event"):
    """What Argo's controller would have recorded as a Kubernetes event."""

    reason: str
    message: str


class PhaseChanged(_Event, frozen=True, kw_only=True, tag="phase_changed"):
    """The Rollout's phase or its message is now another."""

    phase: str
    message: str = ""


class ScenarioAction(_Event, frozen=True, kw_only=True, tag="scenario_action"):
    """The scenario changed the world: a fault, an injection, a clearing, a stop."""

    action: str
    detail: str


class OperatorCommand(_Event, frozen=True, kw_only=True, tag="operator_command"):
    """A person (or the scenario) promoted, aborted or retried."""

    command: str


class Warned(_Event, frozen=True, kw_only=True, tag="warned"):
    """Something that a reader of the report should know."""

    message: str


class RunFinished(_Event, frozen=True, kw_only=True, tag="run_finished"):
    """The run is over. `outcome` is promoted, aborted, paused or degraded."""

    outcome: str
    phase: str
    message: str = ""
    aborted_at_step: int | None = None


Event: TypeAlias = (
    RunStarted
    | ProcessStarted
    | ProcessExited
    | StepStarted
    | StepCompleted
    | WeightChanged
    | ReplicaSetScaled
    | ServiceSwitched
    | PauseStarted
    | AnalysisRunStarted
    | MeasurementTaken
    | AnalysisRunCompleted
    | TrafficObserved
    | ControllerEvent
    | PhaseChanged
    | ScenarioAction
    | OperatorCommand
    | Warned
    | RunFinished
)

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Event)


def encode(event: Event) -> bytes:
    """Return the event as one line of JSON without the newline."""
    return _encoder.encode(event)


def decode_log(lines: Iterable[bytes | str], *, source: str = "event log") -> Iterator[Event]:
    """Yield the events of a log; a torn last line (a run that was killed) ends it silently.

    Torn is a last line without its newline, so give the lines with their ends.

    Raises:
        InvalidInput: another line is not an event; the message has its number.
    """
    torn: InvalidInput | None = None
    for number, line in enumerate(lines, start=1):
        if torn is not None:
            raise torn
        if not line.strip():
            continue
        try:
            event = _decoder.decode(line)
        except (msgspec.DecodeError, ValueError) as error:
            torn = InvalidInput(
                f"{source}: line {number} is not an event: {error}",
                hint="expected the JSON lines that gatelab writes",
            )
            if line[-1:] in {"\n", b"\n"}:
                raise torn from None
            continue
        yield event
