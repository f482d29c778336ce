"""What a person watches while a run goes on: lines that scroll, and one that is redrawn.

Pure: events in, text out. The command prints the lines and decides whether there is a terminal
whose last line can be redrawn with `status_line`.

      4:24  step 4/9  setWeight: 50
      4:24  weight    █████░░░░░ 20 → 50 %
      7:25            ✗ error-rate 1/2  errorRate 5.18, needs < 2  [canary 5.3 % of 913 · …]
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import TYPE_CHECKING

from rollout_runner import events as ev
from rollout_runner.report.paint import Painter, Tone, phase_mark, phase_tone
from rollout_runner.report.readings import comparison_of, read_value
from rollout_runner.report.timeline import tells_more_than_the_step
from rollout_runner.report.traffic import ZERO, Counts, TrafficMeter
from rollout_runner.report.wording import NOTHING, duration, elapsed, plural, rate_of, reading

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

_GAUGE_CELLS = 10
_BRING_UP = (ev.PhaseChanged, ev.WeightChanged, ev.StepStarted)
"""Before run_started these tell how the stable version came up, which is not the run."""
_FINAL_PHASES = {"Degraded", "Healthy"}
_OUTCOME_TONES: dict[str, Tone] = {"promoted": "good", "paused": "warn"}
_OUTCOME_WORDS = {"promoted": "✓ PROMOTED", "paused": "‖ PAUSED", "aborted": "✗ ROLLED BACK"}


@dataclass(slots=True)
class _Analysis:
    started: ev.AnalysisRunStarted
    last_phases: dict[str, str] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def plan(self, metric: str) -> ev.MetricPlan | None:
        return next((plan for plan in self.started.metrics if plan.name == metric), None)

    def __str__(self) -> str:
        return ", ".join(
            f"{plan.name} {self.taken.get(plan.name, 0)}/{plan.count or '∞'}"
            f" {phase_mark(self.last_phases.get(plan.name, ''))}"
            for plan in self.started.metrics
        )


class Progress:
    """Follows one run.

    Args:
        color: use ANSI colours.
        heartbeat_seconds: virtual seconds of silence after which traffic is worth a line.
    """

    def __init__(self, *, color: bool = False, heartbeat_seconds: float = 30) -> None:
        self._paint = Painter(enabled=color)
        self._heartbeat_seconds = heartbeat_seconds
        self._started: ev.RunStarted | None = None
        self._last_at: datetime | None = None
        self._last_line_at: datetime | None = None
        self._step: ev.StepStarted | None = None
        self._pause: ev.PauseStarted | None = None
        self._weight = 0
        self._analyses: dict[str, _Analysis] = {}
        self._meter = TrafficMeter()
        self._at_weight_change: Mapping[str, Counts] = {}
        self._phase = self._message = self._outcome = ""

    def apply(self, event: ev.Event) -> tuple[str, ...]:
        """Take in the next event and return the lines to print, most often none or one."""
        self._last_at = max(self._last_at or event.at, event.at)
        if self._started is None and isinstance(event, _BRING_UP):
            return ()
        lines = self._lines(event)
        if lines:
            self._last_line_at = event.at
        return lines

    def status_line(self, *, now: datetime | None = None) -> str:
        """Return where the run stands, for a line that is redrawn.

        Args:
            now: virtual time, so that clock and pause run on between events; default: the time
                of the last event.
        """
        started, at = self._started, now or self._last_at
        if started is None or at is None:
            return "starting"
        if self._outcome or self._phase in _FINAL_PHASES:
            where = [self._outcome, self._phase, f"{self._bar()} {self._weight} %"]
        else:
            where = [self._step_text(at), f"{self._bar()} {self._weight} %"]
            where += [str(analysis) for analysis in self._analyses.values()]
        clock = elapsed((at - started.at).total_seconds())
        return " │ ".join([clock, *filter(None, where), self._rates()])

    @singledispatchmethod
    def _lines(self, event: ev.Event) -> tuple[str, ...]:  # noqa: ARG002 - the default says nothing
        return ()

    @_lines.register
    def _(self, event: ev.RunStarted) -> tuple[str, ...]:
        self._started = event
        self._meter.restart()
        stable, canary = event.stable, event.canary
        where = f" in {event.namespace}" if event.namespace else ""
        change = f"{event.rollout}{where}: {stable.version} → {canary.version}"
        steps = plural(len(event.steps), "step") if event.steps else event.strategy
        facts = f"  revision {canary.revision} · {canary.hash} · {steps} · speed {event.speed:g}x"
        lines = [self._paint.tone("plain", change) + self._paint.dim(facts)]
        if event.scenario:
            text = f": {event.description}" if event.description else ""
            lines.append(f"scenario {event.scenario}{text}")
        return tuple(lines)

    @_lines.register
    def _(self, event: ev.StepStarted) -> tuple[str, ...]:
        self._step = event
        if self._pause is not None and self._pause.index != event.index:
            self._pause = None
        name = f"step {event.index + 1}/{self._step_count()}"
        return self._line(event, name, self._paint.tone("plain", event.text))

    @_lines.register
    def _(self, event: ev.WeightChanged) -> tuple[str, ...]:
        before, self._weight = self._weight, event.weight
        self._at_weight_change = dict(self._meter.totals)
        return self._line(event, "weight", f"{self._bar()} {before} → {event.weight} %")

    @_lines.register
    def _(self, event: ev.PauseStarted) -> tuple[str, ...]:
        self._pause = event
        if event.duration_seconds is not None:
            return ()
        text = f"{event.reason}: until a person promotes or aborts"
        return self._line(event, "paused", self._paint.tone("warn", text))

    @_lines.register
    def _(self, event: ev.AnalysisRunStarted) -> tuple[str, ...]:
        self._analyses[event.name] = _Analysis(event)
        plans = ", ".join(
            f"{plan.name} {plan.count or '∞'}" + (f" x {plan.interval}" if plan.interval else "")
            for plan in event.metrics
        )
        return self._line(event, "analysis", f"{event.name}  {self._paint.dim(plans)}")

    @_lines.register
    def _(self, event: ev.MeasurementTaken) -> tuple[str, ...]:
        analysis = self._analyses.get(event.analysis_run)
        plan = analysis.plan(event.metric) if analysis else None
        if analysis is not None:
            analysis.last_phases[event.metric] = event.phase
            analysis.taken[event.metric] = event.number
        # Errors are retried beyond the count, so "3/2" would puzzle.
        within = plan is not None and plan.count is not None and event.number <= plan.count
        count = f"/{plan.count}" if plan is not None and within else ""
        mark = self._paint.tone(phase_tone(event.phase), phase_mark(event.phase))
        text = f"{mark} {event.metric} {event.number}{count}  {_measured(event, plan)}".rstrip()
        return self._line(event, "", f"{text}  {self._paint.dim(f'[{self._rates()}]')}")

    @_lines.register
    def _(self, event: ev.AnalysisRunCompleted) -> tuple[str, ...]:
        analysis = self._analyses.pop(event.name, None)
        verdict = f"{phase_mark(event.phase)} {event.phase}"
        text = f"{event.name} {self._paint.tone(phase_tone(event.phase), verdict)}"
        if analysis is not None:
            text += f" in {duration((event.at - analysis.started.at).total_seconds())}"
        return self._line(event, "analysis", f"{text}  {event.message}".rstrip())

    @_lines.register
    def _(self, event: ev.TrafficObserved) -> tuple[str, ...]:
        self._meter.observe(event.versions)
        last = self._last_line_at
        if last is None or (event.at - last).total_seconds() < self._heartbeat_seconds:
            return ()
        left = self._pause_left(event.at)
        rest = f"  pause {left} left" if left else ""
        return self._line(event, "", self._paint.dim(f"{self._rates()}{rest}"))

    @_lines.register
    def _(self, event: ev.PhaseChanged) -> tuple[str, ...]:
        changed = (event.phase, event.message) != (self._phase, self._message)
        self._phase, self._message = event.phase, event.message
        if not changed or not tells_more_than_the_step(event):
            return ()
        text = self._paint.tone(phase_tone(event.phase), event.phase)
        return self._line(event, "phase", f"{text} {self._paint.dim(event.message)}".rstrip())

    @_lines.register
    def _(self, event: ev.ScenarioAction) -> tuple[str, ...]:
        text = f"{event.action} {event.detail}".rstrip()
        return self._line(event, "scenario", self._paint.tone("warn", text))

    @_lines.register
    def _(self, event: ev.OperatorCommand) -> tuple[str, ...]:
        return self._line(event, "operator", event.command)

    @_lines.register
    def _(self, event: ev.ProcessExited) -> tuple[str, ...]:
        if event.expected:
            return ()
        text = f"{event.name} ended with code {event.exit_code}"
        return self._line(event, "process", self._paint.tone("bad", text))

    @_lines.register
    def _(self, event: ev.Warned) -> tuple[str, ...]:
        return self._line(event, "warning", self._paint.tone("warn", event.message))

    @_lines.register
    def _(self, event: ev.RunFinished) -> tuple[str, ...]:
        news = "" if event.message == self._message else f"  {event.message}"
        self._outcome, self._phase = event.outcome, event.phase
        word = _OUTCOME_WORDS.get(event.outcome, f"✗ {event.outcome.upper()}")
        text = self._paint.tone(_OUTCOME_TONES.get(event.outcome, "bad"), word)
        at = "" if event.aborted_at_step is None else f" at index {event.aborted_at_step}"
        return self._line(event, "outcome", f"{text}{at}{news}")

    def _line(self, event: ev.Event, name: str, text: str) -> tuple[str, ...]:
        start = self._started.at if self._started else event.at
        stamp = elapsed((event.at - start).total_seconds())
        return (f"{self._paint.dim(f'{stamp:>6}')}  {name:<9} {text}",)

    def _step_count(self) -> int:
        return len(self._started.steps) if self._started else 0

    def _step_text(self, at: datetime) -> str:
        if self._step is None:
            return "canary pods starting"
        left = self._pause_left(at)
        rest = f" ({left} left)" if left else ""
        return f"step {self._step.index + 1}/{self._step_count()} {self._step.text}{rest}"

    def _pause_left(self, at: datetime) -> str:
        pause = self._pause
        if pause is None or pause.duration_seconds is None:
            return ""
        left = pause.duration_seconds - (at - pause.at).total_seconds()
        return duration(round(left)) if left >= 1 else ""

    def _bar(self) -> str:
        full = round(self._weight * _GAUGE_CELLS / 100)
        return "█" * full + "░" * (_GAUGE_CELLS - full)

    def _rates(self) -> str:
        """Write the error rates per version since the weight last changed, with sample sizes."""
        if self._started is None:
            return ""
        canary, stable = self._started.canary.hash, self._started.stable.hash
        return f"canary {self._rate(canary)} · stable {self._rate(stable)}"

    def _rate(self, hash_: str) -> str:
        served = self._meter.totals.get(hash_, ZERO) - self._at_weight_change.get(hash_, ZERO)
        return rate_of(served) if served.requests else NOTHING


def _measured(event: ev.MeasurementTaken, plan: ev.MetricPlan | None) -> str:
    """Write what was measured against what was wanted: `errorRate 5.18, needs < 2`."""
    condition = (plan.success_condition or plan.failure_condition) if plan else ""
    comparison = comparison_of(condition)
    value = read_value(comparison, event.value) if comparison else None
    if comparison is None or value is None:
        return event.message or event.value
    name = f"{comparison.path[-1]} " if comparison.path else ""
    wanted = ""
    if event.phase != "Successful" and plan is not None and plan.success_condition:
        wanted = f", needs {comparison.wanted}"
    return f"{name}{reading(value)}{wanted}"
