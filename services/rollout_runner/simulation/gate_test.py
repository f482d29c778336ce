"""A scenario as a test: run it, hold the end against what it expects, explain what decided."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout_runner.report import RunReport
from rollout_runner.report.narrative import headline, limit_text, measurement_text, reason
from rollout_runner.report.wording import clock
from rollout_runner.scenarios.model import Scenario

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.report.model import AnalysisRunRecord, MetricRecord
    from rollout_runner.scenarios.model import Expectation

_SUCCESSFUL = "Successful"
_PERCENT = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class GateTest:
    """One scenario and what came of it.

    Attributes:
        path: file of the scenario as it was given.
        scenario: what was wanted.
        reports: the runs, in the order of their numbers.
        problems: of each run, what was not as expected; empty when all was.
        error: why it could not be run at all; empty when it was.
    """

    path: str
    scenario: Scenario
    reports: tuple[RunReport, ...] = ()
    problems: tuple[str, ...] = ()
    error: str = ""

    @property
    def met(self) -> int:
        """How many runs ended as expected."""
        return sum(not problem for problem in self.problems)

    @property
    def passed(self) -> bool:
        """Whether the expectation is met."""
        expected = self.scenario.expect
        if self.error or expected is None or not self.reports:
            return False
        return self.met >= expected.share * len(self.reports)

    @property
    def problem(self) -> str:
        """What is wrong, in one line; empty for a test that has passed."""
        if self.passed:
            return ""
        if self.error:
            return self.error
        first = next((problem for problem in self.problems if problem), "")
        runs = len(self.reports)
        if runs == 1:
            return first
        expected = self.scenario.expect
        share = f"{_PERCENT * expected.share:g} %" if expected else "all"
        return f"{self.met} of {runs} runs ended as expected, wanted {share}; the first: {first}"

    @property
    def telling(self) -> RunReport | None:
        """The run to look at: the first that was not as expected, else the first."""
        for report, problem in zip(self.reports, self.problems, strict=True):
            if problem:
                return report
        return self.reports[0] if self.reports else None

    @property
    def outcomes(self) -> dict[str, int]:
        """How often each outcome occurred."""
        return dict(sorted(Counter(report.outcome.value for report in self.reports).items()))


def unmet(report: RunReport, expected: Expectation) -> str:
    """Say what a run did not do that was expected; "" when all is as expected."""
    if report.outcome != expected.outcome:
        return f"expected outcome {expected.outcome}, got {report.outcome}"
    if expected.aborted_at_step not in {None, report.aborted_at_step}:
        return (
            f"expected the abort at step {expected.aborted_at_step},"
            f" got it at step {report.aborted_at_step}"
        )
    seconds = report.duration_seconds
    if expected.within is not None and seconds > expected.within:
        return f"expected the end within {expected.within:g} s, it took {seconds:g} s"
    if expected.decided_by is not None:
        names = [metric.plan.name for metric in report.deciding_metrics]
        if expected.decided_by not in names:
            decided = " and ".join(names) or "no metric"
            return f"expected metric {expected.decided_by} to decide, but {decided} did"
    if expected.message is not None and expected.message not in _messages(report):
        return f"expected the message to contain {expected.message!r}, it is {report.message!r}"
    return ""


def explain(report: RunReport) -> tuple[str, ...]:
    """Say which measurements decided: template, metric, value, condition, step.

    Of a run that no analysis stopped, the last measurement of every metric is told: what the gate
    saw when it let the version pass.
    """
    lines = [headline(report), reason(report)]
    run = report.deciding_run
    if run is not None:
        for metric in report.deciding_metrics:
            lines += _told(run, metric, range(len(metric.measurements)))
        return tuple(lines)
    for each in report.analysis_runs:
        for metric in each.metrics:
            last = len(metric.measurements) - 1
            lines += _told(each, metric, range(max(0, last), last + 1))
    return tuple(lines)


def _told(run: AnalysisRunRecord, metric: MetricRecord, which: Sequence[int]) -> list[str]:
    step = f"step {run.index}" if run.index is not None else run.kind
    where = f"{step}, {run.template}, {metric.plan.name}"
    return [
        f"{where} #{each.number} at {clock(each.finished_at)}: {each.phase},"
        f" {measurement_text(metric, each)} ({limit_text(metric)})"
        for each in (metric.measurements[index] for index in which)
    ]


def _messages(report: RunReport) -> str:
    run = report.deciding_run
    return "\n".join((report.message, run.message if run else ""))
