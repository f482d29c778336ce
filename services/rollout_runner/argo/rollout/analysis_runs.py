"""Which AnalysisRuns a canary needs, and what their outcome does to the update.

Source: argo-rollouts, rollout/analysis.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.effects import (
    AnalysisKind,
    CreateAnalysisRun,
    TerminateAnalysisRun,
)
from rollout_runner.argo.rollout.names import analysis_run_name, free_name
from rollout_runner.argo.rollout.pause import PauseReason
from rollout_runner.argo.rollout.status import AnalysisRunRef
from rollout_runner.argo.rollout.weights import current_step
from rollout_runner.argo.types import Phase

if TYPE_CHECKING:
    from collections.abc import Collection

    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.model import RolloutAnalysis
    from rollout_runner.argo.rollout.status import RolloutStatus


def reconcile_analysis_runs(ctx: PassContext) -> None:
    """Create, judge and cancel AnalysisRuns.

    The step's run is judged before the background run, so if both fail in one pass the abort
    tells of the background run.
    """
    status = ctx.status
    skip = (
        status.fully_promoted
        or ctx.aborted
        or status.promote_full
        or ctx.fast_rollback
        or not status.stable_rs
    )
    if not skip:
        ctx.step_run = _step_run(ctx)
        ctx.background_run = _background_run(ctx)
    kept = {run.name for run in (ctx.step_run, ctx.background_run) if run is not None}
    terminate_others(ctx, kept)
    record_change(ctx, AnalysisKind.STEP, status.current_step_analysis_run, ctx.step_run)
    record_change(
        ctx, AnalysisKind.BACKGROUND, status.current_background_analysis_run, ctx.background_run
    )


def terminate_others(ctx: PassContext, kept: Collection[str]) -> None:
    """Terminate every run that goes on and is not to be kept."""
    for name, state in ctx.observed.analysis_runs.items():
        if name not in kept and not state.completed and not state.terminate:
            ctx.effects.append(TerminateAnalysisRun(name=name))


def _step_run(ctx: PassContext) -> AnalysisRunRef | None:
    current = as_observed(ctx, ctx.status.current_step_analysis_run)
    if ctx.status.pause_conditions:
        return current
    step, index = current_step(ctx.spec.canary, ctx.status)
    analysis = None if step is None else step.analysis
    if analysis is None or not analysis.templates or index is None:
        return None
    if current is not None and current.step_index != index:
        return None  # a promoted step's run; the next pass creates this step's
    if current is None or _needs_new_run(current, ctx.status):
        return create_run(ctx, AnalysisKind.STEP, analysis, infix=str(index), index=index)
    judge_run(ctx, "Step-based analysis", current)
    return current


def _background_run(ctx: PassContext) -> AnalysisRunRef | None:
    canary, status = ctx.spec.canary, ctx.status
    current = as_observed(ctx, status.current_background_analysis_run)
    background = canary.analysis
    if background is None or not background.analysis.templates:
        return None
    step, index = current_step(canary, status)
    if step is not None and index is not None and index < background.starting_step:
        return None
    if status.pause_condition(PauseReason.INCONCLUSIVE_ANALYSIS) is not None:
        return current
    if current is None or _needs_new_run(current, status):
        return create_run(ctx, AnalysisKind.BACKGROUND, background.analysis)
    judge_run(ctx, "Background analysis", current)
    return current


def _needs_new_run(current: AnalysisRunRef, status: RolloutStatus) -> bool:
    """Tell whether a run must be repeated, because a person resumed after an inconclusive one.

    A retry needs no rule: the abort has cleared the current runs.
    """
    return (
        current.phase is Phase.INCONCLUSIVE
        and status.controller_pause
        and status.pause_condition(PauseReason.CANARY_PAUSE_STEP) is None
    )


def judge_run(ctx: PassContext, what: str, run: AnalysisRunRef) -> None:
    """Pause for an inconclusive run, abort for one that failed; `what` begins the message."""
    if run.phase is Phase.INCONCLUSIVE:
        ctx.pause.reasons_to_add.append(PauseReason.INCONCLUSIVE_ANALYSIS)
    elif run.phase in {Phase.ERROR, Phase.FAILED}:
        reason = f": {run.message}" if run.message else ""
        ctx.pause.add_abort(f"{what} phase error/failed{reason}")


def create_run(
    ctx: PassContext,
    kind: AnalysisKind,
    analysis: RolloutAnalysis,
    *,
    infix: str = "",
    index: int | None = None,
) -> AnalysisRunRef | None:
    """Ask for a new AnalysisRun; None while the new ReplicaSet does not exist.

    `infix` goes into its name: the step's index, `pre` or `post`.
    """
    if ctx.new_rs is None:
        return None
    base = analysis_run_name(ctx.spec.name, ctx.new_rs.hash, ctx.revision, infix)
    # Argo would take up again an equal run that has not ended, as its cache may lag behind. Here
    # such a run can only be one that is being cancelled, and its Success would mean nothing.
    name = free_name(base, ctx.observed.analysis_runs)
    ctx.effects.append(
        CreateAnalysisRun(
            name=name,
            kind=kind,
            step_index=index,
            analysis=analysis,
            pod_hash=ctx.new_rs.hash,
            stable_hash=ctx.status.stable_rs,
            revision=ctx.revision,
        )
    )
    return AnalysisRunRef(name=name, step_index=index)


def as_observed(ctx: PassContext, run: AnalysisRunRef | None) -> AnalysisRunRef | None:
    """Return the run with its present phase; None if it does not exist (any more)."""
    state = None if run is None else ctx.observed.analysis_runs.get(run.name)
    if run is None or state is None:
        return None
    return replace(run, phase=state.phase, message=state.message)


def record_change(
    ctx: PassContext, kind: AnalysisKind, before: AnalysisRunRef | None, run: AnalysisRunRef | None
) -> None:
    """Record an event when a run has come to another phase."""
    if run is None or run.phase is None:
        return
    if before is not None and (before.name != run.name or before.phase is run.phase):
        return
    previous = "NoPreviousStatus" if before is None else str(before.phase or "")
    ctx.event(
        f"AnalysisRun{run.phase}",
        f"{kind} Analysis Run '{run.name}' Status New: '{run.phase}' Previous: '{previous}'",
        warning=run.phase in {Phase.ERROR, Phase.FAILED},
    )
