"""The first screen in words, shared by all renderers.

What happened, at which step, because of which metric, with how many samples, what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout_runner.report.model import Outcome
from rollout_runner.report.readings import reason_in
from rollout_runner.report.traffic import ZERO
from rollout_runner.report.wording import (
    NOTHING,
    clock,
    duration,
    percent,
    plural,
    reading,
)

if TYPE_CHECKING:
    from rollout_runner.report.model import (
        MeasurementRecord,
        MetricRecord,
        RunReport,
        StepRecord,
    )

OUTCOME_WORDS = {
    Outcome.PROMOTED: "Promoted",
    Outcome.ABORTED: "Rolled back",
    Outcome.PAUSED: "Paused",
    Outcome.DEGRADED: "Degraded",
    Outcome.INTERRUPTED: "Interrupted",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """A command to copy and what it is for."""

    command: str
    purpose: str


def title(report: RunReport) -> str:
    """Name the rollout and its change of version: `vote in voting01-qa: v16 → v17`."""
    meta = report.meta
    where = f" in {meta.namespace}" if meta.namespace else ""
    return f"{meta.rollout}{where}: {meta.stable.version} → {meta.canary.version}"


BLUE_GREEN, ROLLING_UPDATE = "BlueGreen", "RollingUpdate"
"""Strategies without steps, as the log names them."""


def step_name(report: RunReport, step: StepRecord | None) -> str:
    """Name a step by its index, as Argo counts, and by its place: `index 5 (step 6 of 9: …)`."""
    if not report.steps and report.meta.strategy == BLUE_GREEN:
        return "the switch"
    if step is None:
        return "the start" if report.aborted_at_step is None else "the end, after the last step"
    return f"index {step.index} (step {step.index + 1} of {len(report.steps)}: {step.text})"


def headline(report: RunReport) -> str:
    """Say in one sentence what happened, and where."""
    meta, took = report.meta, duration(report.duration_seconds)
    at = step_name(report, report.current_step)
    match report.outcome:
        case Outcome.PROMOTED:
            done = sum(step.state == "completed" for step in report.steps)
            steps = f" after {done} of {plural(len(report.steps), 'step')}" if report.steps else ""
            return f"{meta.canary.version} took over from {meta.stable.version}{steps} in {took}."
        case Outcome.ABORTED:
            return f"{meta.canary.version} was rolled back at {at}{_weights(report)}."
        case Outcome.PAUSED:
            return f"{meta.canary.version} waits for a person at {at}."
        case Outcome.DEGRADED:
            return f"{meta.canary.version} could not be rolled out: {at}."
        case Outcome.INTERRUPTED:
            return f"The run ended after {took} at {at}, without an outcome."


def reason(report: RunReport) -> str:
    """Say why: the AnalysisRun's message where one decided, else the rollout's own message."""
    run = report.deciding_run
    if run is not None:
        return f"AnalysisRun {run.name} {run.phase}: {run.message or 'no message'}"
    if report.outcome is Outcome.PROMOTED:
        count = len(report.analysis_runs)
        if not count:
            return "The rollout had no analysis: nothing judged this version."
        passed = sum(run.phase == "Successful" for run in report.analysis_runs)
        return f"{passed} of {plural(count, 'AnalysisRun')} Successful."
    if report.outcome is Outcome.INTERRUPTED:
        lost = ", ".join(lost.name for lost in report.lost_processes)
        return f"The run lost {lost}." if lost else "The run was stopped before it was over."
    return report.message or "The log gives no reason."


def measurement_text(metric: MetricRecord, measurement: MeasurementRecord) -> str:
    """Write what was measured: `errorRate = 5.18`, else the raw value, else the message."""
    comparison = metric.comparison
    if measurement.reading is not None and comparison is not None:
        name = f"{comparison.path[-1]} = " if comparison.path else ""
        text = f"{name}{reading(measurement.reading)}"
        # A judge that says why in its answer is quoted where it did not agree.
        told = "" if measurement.phase == "Successful" else reason_in(measurement.value)
        return f"{text}: {told}" if told else text
    return measurement.value or measurement.message or NOTHING


def limit_text(metric: MetricRecord) -> str:
    """Write the condition that the values were held to."""
    if metric.plan.success_condition:
        return f"needs {metric.plan.success_condition}"
    if metric.plan.failure_condition:
        return f"fails on {metric.plan.failure_condition}"
    return "no condition"


def plan_text(metric: MetricRecord) -> str:
    """Write count, interval and failureLimit of a metric: `2 x 60s, failureLimit 1`."""
    plan = metric.plan
    count = str(plan.count) if plan.count else "unlimited"
    every = f" x {plan.interval}" if plan.interval else ""
    dry = ", dryRun" if plan.dry_run else ""
    return f"{count}{every}, failureLimit {plan.failure_limit}{dry}"


def evidence(report: RunReport) -> tuple[str, ...]:
    """List the measurements of the deciding metrics, with value, limit and times."""
    return tuple(
        f"{metric.plan.name} #{m.number} {clock(m.started_at)}-{clock(m.finished_at)}"
        f" {m.phase}: {measurement_text(metric, m)} ({limit_text(metric)})"
        for metric in report.deciding_metrics
        for m in metric.measurements
    )


def samples(report: RunReport) -> str:
    """Say how many requests stand behind the story, per version, as the clients saw them."""
    meta = report.meta
    if not report.traffic.samples:
        return "The load generator reported no traffic."
    return "; ".join(
        f"{role} {revision.version} {_served(report, revision.hash)}"
        for role, revision in (("canary", meta.canary), ("stable", meta.stable))
    )


def downtime(report: RunReport) -> str:
    """Say how long no request succeeded, or that nobody can tell."""
    seconds = report.traffic.downtime_seconds()
    return "not observed (no requests)" if seconds is None else plural(round(seconds), "second")


def stable_failures(report: RunReport) -> str:
    """Say how many requests to stable failed: `0 of 3,412 requests`."""
    counts = report.served(report.meta.stable.hash)
    if counts is None or not counts.requests:
        return "no requests observed"
    return f"{counts.errors:,} of {plural(counts.requests, 'request')}"


def versions(report: RunReport) -> tuple[str, ...]:
    """Return the pod-template hashes to show: stable, canary, then what else answered."""
    known = (report.meta.stable.hash, report.meta.canary.hash)
    return (*known, *(hash_ for hash_ in sorted(report.traffic.totals) if hash_ not in known))


def requests_per_second(report: RunReport) -> float | None:
    """Return the requests per virtual second over the whole run, None if none was observed."""
    total = sum(report.traffic.totals.values(), ZERO).requests
    seconds = report.duration_seconds
    return total / seconds if total and seconds > 0 else None


def next_steps(report: RunReport) -> tuple[NextStep, ...]:
    """Return the commands that make sense now, the most likely one first."""
    meta = report.meta
    target = f"{meta.rollout} -n {meta.namespace}" if meta.namespace else meta.rollout
    argo = "kubectl argo rollouts"
    is_deployment = meta.strategy == ROLLING_UPDATE
    undo = NextStep(
        command=f"kubectl rollout undo deployment/{target}"
        if is_deployment
        else f"{argo} undo {target}",
        purpose=f"make {meta.stable.version} the wanted version again",
    )
    abort = NextStep(
        command=f"{argo} abort {target}",
        purpose=f"send all traffic back to {meta.stable.version}",
    )
    at_step = " at step 1" if report.steps else ""
    retry = NextStep(
        command=f"{argo} retry rollout {target}",
        purpose=f"start {meta.canary.version} again{at_step}, once the cause is gone",
    )
    match report.outcome:
        case Outcome.PROMOTED:
            steps = ", through all steps again" if report.steps else ""
            purpose = f"go back to {meta.stable.version}{steps}"
            return (NextStep(command=undo.command, purpose=purpose),)
        case Outcome.PAUSED:
            purpose = "go on with the next step" if report.steps else "give it the users"
            promote = NextStep(command=f"{argo} promote {target}", purpose=purpose)
            return (promote, abort, undo)
        case Outcome.ABORTED | Outcome.DEGRADED:
            return (undo, retry)
        case Outcome.INTERRUPTED:
            status = NextStep(
                command=f"{argo} get rollout {target}", purpose="see where the rollout stands"
            )
            return (status, abort, undo)


def _weights(report: RunReport) -> str:
    rollback = report.rollback
    if rollback is None:
        return ""
    weight = f" at weight {rollback.weight_before} %"
    if rollback.weight_before and rollback.weight_zero_at is None:
        return weight  # the log does not show that stable has the traffic again
    return f"{weight}; {report.meta.stable.version} serves all traffic"


def _served(report: RunReport, hash_: str) -> str:
    counts = report.served(hash_)
    if counts is None or not counts.requests:
        return "no requests"
    requests = plural(counts.requests, "request")
    return f"{requests}, {counts.errors:,} failed ({percent(counts.error_rate)})"
