"""The deployment report of one run in Markdown; it fits a GitHub job summary.

No chart needs an image: error rates are sparklines, everything else is a table. All times are
virtual times of the run, in UTC and from one clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.report.gfm import anchor, code, escape, one_line, table
from rollout_runner.report.model import Outcome
from rollout_runner.report.narrative import (
    OUTCOME_WORDS,
    downtime,
    evidence,
    headline,
    measurement_text,
    next_steps,
    plan_text,
    reason,
    requests_per_second,
    samples,
    stable_failures,
    versions,
)
from rollout_runner.report.wording import (
    NOTHING,
    clock,
    duration,
    elapsed,
    error_rate,
    number,
    percent,
    plural,
    sparkline,
    timestamp,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.report.model import (
        AnalysisRunRecord,
        MetricRecord,
        RunReport,
        StepRecord,
        TimelineEntry,
    )

MAX_BYTES = 1_000_000  # a GitHub job summary may have 1 MiB
_ROW_LIMITS = (None, 200, 20, 5)
_SPARK_POINTS = 60
_OUTCOME_MARKS = {
    Outcome.PROMOTED: "✅",
    Outcome.ABORTED: "❌",
    Outcome.PAUSED: "⏸️",
    Outcome.DEGRADED: "❌",
    Outcome.INTERRUPTED: "⚠️",
}
_MARKS = {
    "Successful": "✅",
    "Failed": "❌",
    "Error": "❌",
    "Inconclusive": "⚠️",
    "completed": "✅",
    "aborted": "❌",
    "paused": "⏸️",
    "unfinished": "⚠️",
}


def render_markdown(report: RunReport) -> str:
    """Return the report; a run too long for a job summary keeps the last rows of long tables."""
    text = ""
    for limit in _ROW_LIMITS:
        text = _Document(report, limit).render()
        if len(text.encode()) <= MAX_BYTES:
            break
    return text


class _Document:
    """Writes one report; `limit` is the most rows that a measurement or event table may have."""

    def __init__(self, report: RunReport, limit: int | None) -> None:
        self.report = report
        self.limit = limit

    def render(self) -> str:
        report = self.report
        sections = {
            "Steps": self._steps(),
            "Analysis runs": self._analysis_runs(),
            "Traffic": self._traffic(),
            "Timeline": self._timeline(),
            "Rollback": self._rollback(),
        }
        canary = report.meta.canary
        lines = [
            f"# Deployment report: {escape(canary.version)} ({code(canary.hash)})",
            "",
            f"**{_badge(report)}** {escape(headline(report))}",
            "",
            f"> {escape(reason(report))}",
            "",
        ]
        found = [f"- {escape(line)}" for line in evidence(report)]
        lines += [*found, ""] if found else []
        first = next_steps(report)[0]
        lines += [f"Next: {code(first.command)} ({escape(first.purpose)})", ""]
        lines += [*self._notices(), *self._summary(), ""]
        lines += [f"{n}. [{name}]({anchor(name)})" for n, name in enumerate(sections, start=1)]
        for name, body in sections.items():
            lines += ["", f"## {name}", "", *body]
        return "\n".join(lines) + "\n"

    def _notices(self) -> list[str]:
        notices = [f"> ⚠️ {escape(warning)}" for warning in self.report.warnings]
        notices += [
            f"> ❌ {escape(lost.name)} ended with code {lost.exit_code} at {clock(lost.at)};"
            " nobody had asked it to."
            for lost in self.report.lost_processes
        ]
        return [line for notice in notices for line in (notice, "")]

    def _summary(self) -> list[str]:
        report, meta = self.report, self.report.meta
        taken = sum(len(m.measurements) for run in report.analysis_runs for m in run.metrics)
        change = f"{meta.stable.version} → {meta.canary.version}"
        steps = plural(len(report.steps), "step")
        runs = plural(len(report.analysis_runs), "AnalysisRun")
        end = timestamp(report.finished_at) if report.finished_at else "no end in the log"
        rows = [
            ("Rollout", f"{code(meta.rollout)} in {code(meta.namespace)}"),
            ("Version", f"{escape(change)}, revision {meta.canary.revision}"),
            ("Strategy", f"{escape(meta.strategy)}, {steps}, {plural(meta.replicas, 'replica')}"),
            ("Status", f"{_badge(report)}, phase {escape(report.phase or NOTHING)}"),
            ("Message", escape(report.message)),
            ("Started", timestamp(report.started_at)),
            ("Finished", end),
            ("Duration", duration(report.duration_seconds)),
            ("Analysis", f"{runs}, {plural(taken, 'measurement')}"),
            ("Requests", escape(samples(report))),
            ("Failed on stable", stable_failures(report)),
            ("Downtime", downtime(report)),
            ("Weights", " → ".join(f"{w} %" for w in self._weights())),
            ("Scenario", escape(" - ".join(filter(None, (meta.scenario, meta.description))))),
            ("Load", escape(meta.traffic)),
            ("Manifests", code(meta.manifests)),
            ("Argo Rollouts", f"{escape(meta.argo_version)} (rules)"),
            ("Clock", f"{number(meta.speed)} virtual seconds per second"),
            ("Seed", str(meta.seed) if meta.seed is not None else ""),
        ]
        return table(("", ""), [(f"**{name}**", value) for name, value in rows if value])

    def _weights(self) -> list[int]:
        weights = [change.weight for change in self.report.weights]
        return weights if weights[:1] == [0] else [0, *weights]

    def _steps(self) -> list[str]:
        if not self.report.steps:
            return [f"A {escape(self.report.meta.strategy)} update has no steps."]
        header = (
            "Index",
            "Step",
            "State",
            "Start",
            "End",
            "Duration",
            "Weight",
            "Canary requests",
            "Canary error rate",
            "AnalysisRun",
        )
        return table(header, [self._step(step) for step in self.report.steps])

    def _step(self, step: StepRecord) -> tuple[str, ...]:
        return (
            str(step.index),
            escape(step.text),
            f"{_MARKS.get(step.state, '')} {step.state}".strip(),
            clock(step.started_at),
            clock(step.finished_at),
            duration(step.duration_seconds),
            f"{step.weight} %" if step.weight is not None else NOTHING,
            f"{step.canary.requests:,}" if step.canary is not None else NOTHING,
            error_rate(step.canary),
            code(step.analysis_run),
        )

    def _analysis_runs(self) -> list[str]:
        runs = self.report.analysis_runs
        if not runs:
            return ["No AnalysisRun was started: nothing judged this version."]
        header = ("AnalysisRun", "Template", "Start", "End", "Duration", "Checks", "Result")
        lines = table(header, [_analysis_row(run) for run in runs])
        for run in runs:
            lines += ["", f"### {escape(run.name)}", "", *self._measurements(run)]
        return lines

    def _measurements(self, run: AnalysisRunRecord) -> list[str]:
        lines = [
            f"{_MARKS.get(run.phase, '')} **{escape(run.phase)}** {escape(run.message)}".strip()
        ]
        if run.args:
            args = ", ".join(code(f"{name}={value}") for name, value in run.args.items())
            lines += ["", f"Arguments: {args}"]
        metrics = [
            (
                code(metric.plan.name),
                escape(metric.plan.provider),
                escape(plan_text(metric)),
                code(metric.condition),
                metric.checks,
                f"{_MARKS.get(metric.phase, '')} {escape(metric.phase)}".strip(),
            )
            for metric in run.metrics
        ]
        lines += [
            "",
            *table(("Metric", "Provider", "Plan", "Condition", "Checks", "Phase"), metrics),
        ]
        header = ("Metric", "#", "Start", "End", "Value", "Phase", "Message")
        rows = [row for metric in run.metrics for row in self._shortened(_metric_rows(metric))]
        return [*lines, "", *table(header, rows)] if rows else [*lines, "", "Nothing was measured."]

    def _traffic(self) -> list[str]:
        report = self.report
        if not report.traffic.samples:
            return ["The load generator reported no traffic."]
        header = (
            "Version",
            "Role",
            "Pod-template hash",
            "Requests",
            "Failed",
            "Error rate",
            "Over time",
        )
        intervals = report.traffic.intervals(limit=_SPARK_POINTS)
        series = {
            hash_: [
                interval.versions[hash_].error_rate if hash_ in interval.versions else None
                for interval in intervals
            ]
            for hash_ in versions(report)
        }
        top = max((rate or 0 for rates in series.values() for rate in rates), default=0)
        rows = []
        for hash_, rates in series.items():
            counts = report.served(hash_)
            rows.append(
                (
                    escape(report.meta.version(hash_)),
                    report.meta.role(hash_),
                    code(hash_),
                    f"{counts.requests:,}" if counts else "0",
                    f"{counts.errors:,}" if counts else "0",
                    error_rate(counts),
                    code(sparkline(rates, top=top)),
                )
            )
        rate = requests_per_second(report)
        scale = f"Bars: error rate from 0 to {percent(top)}, a dot where nothing was asked."
        load = f" Offered load: {rate:.1f} requests per virtual second." if rate else ""
        return [*table(header, rows), "", scale + load]

    def _timeline(self) -> list[str]:
        lines = self._events(self.report.timeline)
        if self.report.controller_events:
            lines += [
                "",
                "<details><summary>Controller events</summary>",
                "",
                *self._events(self.report.controller_events),
                "",
                "</details>",
            ]
        return lines

    def _events(self, entries: tuple[TimelineEntry, ...]) -> list[str]:
        start = self.report.started_at
        rows = [
            (
                clock(entry.at),
                f"+{elapsed((entry.at - start).total_seconds())}",
                escape(entry.subject),
                ("❌ " if entry.bad else "") + escape(entry.event),
                escape(entry.detail),
            )
            for entry in entries
        ]
        return table(("Time (UTC)", "Elapsed", "What", "Event", "Detail"), self._shortened(rows))

    def _rollback(self) -> list[str]:
        report = self.report
        lines = [*self._rollback_facts(), ""] if report.rollback else []
        if not report.rollback and report.outcome is Outcome.PROMOTED:
            lines += ["No rollback was needed.", ""]
        commands = [one_line(f"{step.command}  # {step.purpose}") for step in next_steps(report)]
        return [
            *lines,
            "```bash",
            *commands,
            "```",
            "",
            "Where GitOps manages the Rollout, revert the image tag in Git too, or it comes back.",
        ]

    def _rollback_facts(self) -> list[str]:
        report, rollback = self.report, self.report.rollback
        if rollback is None:
            return []
        run = report.deciding_run
        canary, stable = report.meta.canary, report.meta.stable
        served = report.served(canary.hash)
        rows = [
            (
                "Failed AnalysisRun",
                code(run.name) if run else "none: a person or the rollout itself",
            ),
            ("Message", escape(report.message)),
            *[("Measurement", escape(line)) for line in evidence(report)],
            ("First evidence", clock(rollback.first_evidence_at)),
            ("Decision", clock(rollback.decided_at)),
            ("Weight before", f"{rollback.weight_before} %"),
            ("Weight back to 0", clock(rollback.weight_zero_at)),
            ("Time to rollback", duration(rollback.seconds)),
            ("Canary pods scaled down", clock(rollback.canary_scaled_down_at)),
            ("Phase", escape(report.phase)),
            (
                "Failed requests on the canary",
                f"{served.errors:,} of {plural(served.requests, 'request')}"
                if served
                else "not observed",
            ),
            (f"Failed requests on stable ({escape(stable.version)})", stable_failures(report)),
            ("Downtime", downtime(report)),
        ]
        return table(("Fact", "Value"), rows)

    def _shortened(self, rows: Sequence[tuple[str, ...]]) -> Sequence[tuple[str, ...]]:
        if self.limit is None or len(rows) <= self.limit:
            return rows
        left_out = len(rows) - self.limit
        note = f"{left_out:,} earlier rows are in the JSON report only"
        return [("…", note, *[""] * (len(rows[0]) - 2)), *rows[-self.limit :]]


def _badge(report: RunReport) -> str:
    return f"{_OUTCOME_MARKS[report.outcome]} {OUTCOME_WORDS[report.outcome]}"


def _analysis_row(run: AnalysisRunRecord) -> tuple[str, ...]:
    return (
        code(run.name),
        code(run.template),
        clock(run.started_at),
        clock(run.finished_at),
        duration(run.duration_seconds),
        escape(", ".join(f"{metric.plan.name} {metric.checks}" for metric in run.metrics)),
        f"{_MARKS.get(run.phase, '')} {escape(run.phase)}".strip(),
    )


def _metric_rows(metric: MetricRecord) -> list[tuple[str, ...]]:
    return [
        (
            code(metric.plan.name),
            str(m.number),
            clock(m.started_at),
            clock(m.finished_at),
            code(measurement_text(metric, m)) if m.value else "",
            f"{_MARKS.get(m.phase, '')} {escape(m.phase)}".strip(),
            escape(m.message),
        )
        for m in metric.measurements
    ]
