"""One event as one row of the timeline; what has a table of its own is left out of it.

Left out: completed steps (the next one starts then), good measurements and traffic samples (they
have tables), controller events (they repeat what the rows say), expected ends of programs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

from rollout_runner import events as ev
from rollout_runner.report.model import TimelineEntry
from rollout_runner.report.wording import duration

_BAD_PHASES = {"Failed", "Error", "Inconclusive", "Degraded"}
_BAD_OUTCOMES = {"aborted", "degraded"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """What a row needs to know beyond its event."""

    started: ev.RunStarted | None
    weight: int

    @property
    def steps(self) -> int:
        """How many steps the rollout has."""
        return len(self.started.steps) if self.started else 0


def tells_more_than_the_step(event: ev.PhaseChanged) -> bool:
    """Say whether a phase is news: every step makes a rollout Progressing or Paused anyway."""
    if event.phase == "Paused":
        return event.message != "CanaryPauseStep"
    return event.phase != "Progressing"


@singledispatch
def timeline_entry(_event: ev.Event, _background: Background) -> TimelineEntry | None:
    """Return the row of an event, or None when the timeline does not show it."""
    return None


@timeline_entry.register
def _(event: ev.RunStarted, _background: Background) -> TimelineEntry:
    change = f"{event.stable.version} → {event.canary.version}"
    detail = f"{change}, revision {event.canary.revision}"
    return TimelineEntry(at=event.at, subject="Rollout", event="started", detail=detail)


@timeline_entry.register
def _(event: ev.StepStarted, background: Background) -> TimelineEntry:
    subject = f"Step {event.index + 1}/{background.steps}"
    return TimelineEntry(at=event.at, subject=subject, event=event.text)


@timeline_entry.register
def _(event: ev.WeightChanged, background: Background) -> TimelineEntry:
    text = f"{background.weight} → {event.weight} %"
    return TimelineEntry(at=event.at, subject="Weight", event=text)


@timeline_entry.register
def _(event: ev.PauseStarted, _background: Background) -> TimelineEntry | None:
    if event.index is not None and event.duration_seconds is not None:
        return None  # a pause step says it all
    seconds = event.duration_seconds
    detail = "until a person promotes or aborts" if seconds is None else f"for {duration(seconds)}"
    return TimelineEntry(at=event.at, subject="Pause", event=event.reason, detail=detail)


@timeline_entry.register
def _(event: ev.AnalysisRunStarted, _background: Background) -> TimelineEntry:
    text = f"{event.name} started"
    detail = ", ".join(event.templates)
    return TimelineEntry(at=event.at, subject="Analysis", event=text, detail=detail)


@timeline_entry.register
def _(event: ev.MeasurementTaken, _background: Background) -> TimelineEntry | None:
    if event.phase == "Successful":
        return None
    text = f"{event.metric} #{event.number} {event.phase}"
    return TimelineEntry(
        at=event.at, subject="Measurement", event=text, detail=event.message, bad=True
    )


@timeline_entry.register
def _(event: ev.AnalysisRunCompleted, _background: Background) -> TimelineEntry:
    return TimelineEntry(
        at=event.at,
        subject="Analysis",
        event=f"{event.name} {event.phase}",
        detail=event.message,
        bad=event.phase in _BAD_PHASES,
    )


@timeline_entry.register
def _(event: ev.PhaseChanged, _background: Background) -> TimelineEntry | None:
    if not tells_more_than_the_step(event):
        return None
    return TimelineEntry(
        at=event.at,
        subject="Phase",
        event=event.phase,
        detail=event.message,
        bad=event.phase in _BAD_PHASES,
    )


@timeline_entry.register
def _(event: ev.ReplicaSetScaled, background: Background) -> TimelineEntry:
    name = f"{background.started.rollout}-{event.hash}" if background.started else event.hash
    text = f"{name} scaled to {event.replicas}"
    return TimelineEntry(at=event.at, subject="ReplicaSet", event=text)


@timeline_entry.register
def _(event: ev.ServiceSwitched, _background: Background) -> TimelineEntry:
    text = f"{event.service} selects {event.hash}"
    return TimelineEntry(at=event.at, subject="Service", event=text)


@timeline_entry.register
def _(event: ev.ScenarioAction, _background: Background) -> TimelineEntry:
    return TimelineEntry(at=event.at, subject="Scenario", event=event.action, detail=event.detail)


@timeline_entry.register
def _(event: ev.OperatorCommand, _background: Background) -> TimelineEntry:
    return TimelineEntry(at=event.at, subject="Operator", event=event.command)


@timeline_entry.register
def _(event: ev.ProcessExited, _background: Background) -> TimelineEntry | None:
    if event.expected:
        return None
    return TimelineEntry(
        at=event.at,
        subject="Process",
        event=f"{event.name} ended with code {event.exit_code}",
        detail="nobody had asked it to",
        bad=True,
    )


@timeline_entry.register
def _(event: ev.Warned, _background: Background) -> TimelineEntry:
    return TimelineEntry(at=event.at, subject="Warning", event=event.message, bad=True)


@timeline_entry.register
def _(event: ev.RunFinished, _background: Background) -> TimelineEntry:
    return TimelineEntry(
        at=event.at,
        subject="Rollout",
        event=event.outcome,
        detail=event.message,
        bad=event.outcome in _BAD_OUTCOMES,
    )
