"""One pass over an event log: events in, RunReport out."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from rollout_runner import events as ev
from rollout_runner.report.analysis import AnalysisBook
from rollout_runner.report.conclusions import Ending, conclude_rollback, deciding_run, step_record
from rollout_runner.report.model import (
    LostProcess,
    Outcome,
    RunMeta,
    RunReport,
    StepTimes,
    TimelineEntry,
    WeightChange,
)
from rollout_runner.report.timeline import Background, timeline_entry
from rollout_runner.report.traffic import Traffic, TrafficMeter, TrafficSample
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable


# What happens before run_started brings the stable version up; only these tell of the run itself.
_BEFORE_THE_START = (
    ev.RunStarted,
    ev.ScenarioAction,
    ev.ProcessExited,
    ev.Warned,
    ev.TrafficObserved,
)


def build_report(events: Iterable[ev.Event]) -> RunReport:
    """Reduce the events of one run, in the order of the log, to its report.

    A log that stops before `run_finished` (a run that was killed) gives the outcome `interrupted`.

    Raises:
        InvalidInput: the log is empty, has no `run_started` or more than one, is of a newer
            schema, or ended in an outcome that does not exist.
    """
    log = _Log()
    for event in events:
        if log.started is None and not isinstance(event, _BEFORE_THE_START):
            continue
        log.last_event_at = max(log.last_event_at or event.at, event.at)
        weight = log.weights[-1].weight if log.weights else 0
        entry = timeline_entry(event, Background(started=log.started, weight=weight))
        log.take(event)
        if entry is not None:
            log.timeline.append(entry)
    return _report(log)


@dataclass(slots=True)
class _Log:
    """What the events so far have said; it draws no conclusions."""

    started: ev.RunStarted | None = None
    finished: ev.RunFinished | None = None
    last_event_at: datetime | None = None
    phase: str = ""
    message: str = ""
    aborted_at: datetime | None = None
    steps: dict[int, StepTimes] = field(default_factory=dict)
    analyses: AnalysisBook = field(default_factory=AnalysisBook)
    weights: list[WeightChange] = field(default_factory=list)
    meter: TrafficMeter = field(default_factory=TrafficMeter)
    samples: list[TrafficSample] = field(default_factory=list)
    scaled: list[ev.ReplicaSetScaled] = field(default_factory=list)
    timeline: list[TimelineEntry] = field(default_factory=list)
    controller_events: list[TimelineEntry] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    lost: list[LostProcess] = field(default_factory=list)

    @singledispatchmethod
    def take(self, event: ev.Event) -> None:
        """Take in one event; kinds without a method below only make rows of the timeline."""

    @take.register
    def _(self, event: ev.RunStarted) -> None:
        if self.started is not None:
            raise InvalidInput(
                "event log: a second run_started; expected the events of one run",
                hint="give each run its own event log",
            )
        if event.schema_version > ev.SCHEMA_VERSION:
            raise InvalidInput(
                f"event log: schemaVersion {event.schema_version} is newer than"
                f" {ev.SCHEMA_VERSION}, which this version reads",
                hint="use the gatelab that wrote the log, or a later one",
            )
        self.started = event
        self.meter.restart()
        self.samples.clear()

    @take.register
    def _(self, event: ev.RunFinished) -> None:
        self.finished = event
        self.phase, self.message = event.phase, event.message

    @take.register
    def _(self, event: ev.StepStarted) -> None:
        # Steps run in order, so a step that starts again (a retry) voids the later ones.
        self.steps = {i: times for i, times in self.steps.items() if i < event.index}
        self.steps[event.index] = StepTimes(started_at=event.at)

    @take.register
    def _(self, event: ev.StepCompleted) -> None:
        times = self.steps.setdefault(event.index, StepTimes(started_at=event.at))
        times.finished_at = event.at

    @take.register
    def _(self, event: ev.WeightChanged) -> None:
        self.weights.append(WeightChange(at=event.at, weight=event.weight))

    @take.register
    def _(self, event: ev.OperatorCommand) -> None:
        if event.command.startswith("retry"):
            self.aborted_at = None
        elif event.command.startswith("abort"):
            self.aborted_at = self.aborted_at or event.at

    @take.register
    def _(self, event: ev.PhaseChanged) -> None:
        self.phase, self.message = event.phase, event.message
        if event.phase == "Degraded":
            self.aborted_at = self.aborted_at or event.at

    @take.register
    def _(self, event: ev.AnalysisRunStarted) -> None:
        self.analyses.take(event)
        if event.index in self.steps:
            self.steps[event.index].analysis_run = event.name

    @take.register(ev.MeasurementTaken)
    @take.register(ev.AnalysisRunCompleted)
    def _(self, event: ev.MeasurementTaken | ev.AnalysisRunCompleted) -> None:
        self.analyses.take(event)

    @take.register
    def _(self, event: ev.TrafficObserved) -> None:
        totals = self.meter.observe(event.versions)
        self.samples.append(TrafficSample(at=event.at, totals=totals))

    @take.register
    def _(self, event: ev.ReplicaSetScaled) -> None:
        self.scaled.append(event)

    @take.register
    def _(self, event: ev.Warned) -> None:
        self.warnings.append(event.message)

    @take.register
    def _(self, event: ev.ProcessExited) -> None:
        if not event.expected:
            lost = LostProcess(at=event.at, name=event.name, exit_code=event.exit_code)
            self.lost.append(lost)

    @take.register
    def _(self, event: ev.ControllerEvent) -> None:
        entry = TimelineEntry(
            at=event.at, subject="Controller", event=event.reason, detail=event.message
        )
        self.controller_events.append(entry)


def _report(log: _Log) -> RunReport:
    started = log.started
    if started is None or log.last_event_at is None:
        raise InvalidInput(
            "event log: no run_started event, so there is nothing to report",
            hint="expected the event log of a gatelab run",
        )
    traffic = Traffic(started_at=started.at, samples=tuple(log.samples))
    runs = log.analyses.records()
    ending = Ending(
        outcome=_outcome(log.finished),
        message=log.message,
        aborted_at_step=log.finished.aborted_at_step if log.finished else None,
        aborted_at=log.aborted_at,
        finished_at=log.finished.at if log.finished else None,
        last_event_at=log.last_event_at,
    )
    deciding = deciding_run(ending, runs, log.steps)
    return RunReport(
        meta=_meta(started),
        outcome=ending.outcome,
        phase=log.phase,
        message=log.message,
        aborted_at_step=ending.aborted_at_step,
        started_at=started.at,
        finished_at=ending.finished_at,
        last_event_at=ending.last_event_at,
        steps=tuple(
            step_record(
                step,
                log.steps.get(step.index),
                ending,
                weights=log.weights,
                traffic=traffic,
                hashes=(started.canary.hash, started.stable.hash),
            )
            for step in started.steps
        ),
        analysis_runs=runs,
        weights=tuple(log.weights),
        traffic=traffic,
        timeline=tuple(log.timeline),
        controller_events=tuple(log.controller_events),
        deciding_run=deciding,
        rollback=conclude_rollback(
            ending,
            deciding,
            weights=log.weights,
            canary_scaling=[s for s in log.scaled if s.hash == started.canary.hash],
        ),
        warnings=tuple(log.warnings),
        lost_processes=tuple(log.lost),
    )


def _outcome(finished: ev.RunFinished | None) -> Outcome:
    if finished is None:
        return Outcome.INTERRUPTED
    try:
        return Outcome(finished.outcome)
    except ValueError:
        raise InvalidInput(
            f"event log: run_finished has the outcome {finished.outcome!r}",
            hint=f"expected one of {', '.join(Outcome)}",
        ) from None


def _meta(started: ev.RunStarted) -> RunMeta:
    return RunMeta(
        rollout=started.rollout,
        namespace=started.namespace,
        strategy=started.strategy,
        replicas=started.replicas,
        stable=started.stable,
        canary=started.canary,
        manifests=started.manifests,
        argo_version=started.argo_version,
        speed=started.speed,
        seed=started.seed,
        scenario=started.scenario,
        description=started.description,
        traffic=started.traffic,
        gatelab_version=started.gatelab_version,
    )
