"""The summary that a terminal shows after a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.report.model import Outcome
from rollout_runner.report.narrative import (
    downtime,
    evidence,
    headline,
    next_steps,
    reason,
    samples,
    stable_failures,
    title,
)
from rollout_runner.report.paint import Painter, outcome_tone, phase_tone
from rollout_runner.report.wording import NOTHING, clock, duration, rate_of

if TYPE_CHECKING:
    from rollout_runner.report.model import AnalysisRunRecord, RunReport, StepRecord

_MARKS = {Outcome.PROMOTED: "✓", Outcome.PAUSED: "‖", Outcome.INTERRUPTED: "!"}


def render_text(report: RunReport, *, color: bool = False) -> str:
    """Return the summary as lines of text; ANSI colours only with `color`."""
    paint = Painter(enabled=color)
    mark = _MARKS.get(report.outcome, "✗")
    badge = paint.tone(outcome_tone(report.outcome), f"{mark} {report.outcome.upper()}")
    lines = [f"{badge}  {title(report)}", ""]
    lines += _field("What", headline(report))
    lines += _field("Why", reason(report), *evidence(report))
    lines += _field("Requests", samples(report))
    if report.rollback is not None:
        lines += _field("Rollback", _rollback(report))
    lines += _field("Stable", f"{stable_failures(report)} failed; downtime {downtime(report)}")
    for warning in report.warnings:
        lines += _field("Warning", warning)
    for lost in report.lost_processes:
        lines += _field("Lost", f"{lost.name} ended with code {lost.exit_code} at {clock(lost.at)}")
    lines += _field(
        "Next",
        *(paint.tone("plain", step.command) + f"  # {step.purpose}" for step in next_steps(report)),
    )
    if report.steps:
        lines += ["", *_steps(report, paint)]
    if report.analysis_runs:
        lines += ["", *(_analysis(run, paint) for run in report.analysis_runs)]
    return "\n".join(lines) + "\n"


def _field(name: str, *values: str) -> list[str]:
    names = [name, *[""] * (len(values) - 1)]
    return [f"  {label:<9}{value}" for label, value in zip(names, values, strict=True)]


def _rollback(report: RunReport) -> str:
    rollback = report.rollback
    if rollback is None or not rollback.weight_before:
        return "the canary never got traffic"
    if rollback.weight_zero_at is None:
        return f"weight {rollback.weight_before} %; the log does not show it back at 0"
    return (
        f"weight {rollback.weight_before} → 0 at {clock(rollback.weight_zero_at)},"
        f" {duration(rollback.seconds)} after the first evidence; phase {report.phase}"
    )


def _steps(report: RunReport, paint: Painter) -> list[str]:
    width = max((len(step.text) for step in report.steps), default=0)
    header = f"  {'#':>2}  {'step':<{width}}  {'start':<8}  {'took':>7}  {'weight':>6}  canary"
    return [paint.dim(header), *(_step(step, width, paint) for step in report.steps)]


def _step(step: StepRecord, width: int, paint: Painter) -> str:
    weight = f"{step.weight} %" if step.weight is not None else NOTHING
    served = rate_of(step.canary) if step.canary and step.canary.requests else NOTHING
    note = "" if step.state == "completed" else f"  {step.state}"
    line = (
        f"  {step.index:>2}  {step.text:<{width}}  {clock(step.started_at):<8}"
        f"  {duration(step.duration_seconds):>7}  {weight:>6}  {served}"
    )
    if step.state == "aborted":
        return paint.tone("bad", line + note)
    return line + paint.dim(note)


def _analysis(run: AnalysisRunRecord, paint: Painter) -> str:
    checks = ", ".join(f"{metric.plan.name} {metric.checks}" for metric in run.metrics)
    phase = paint.tone(phase_tone(run.phase), run.phase)
    return f"  {run.name}  {phase}  {checks}  {duration(run.duration_seconds)}"
