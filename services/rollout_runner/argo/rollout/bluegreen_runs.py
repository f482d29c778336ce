"""The analyses before and after the switch of a blue-green update.

Source: argo-rollouts, rollout/analysis.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.analysis_runs import (
    as_observed,
    create_run,
    judge_run,
    record_change,
    terminate_others,
)
from rollout_runner.argo.rollout.effects import AnalysisKind
from rollout_runner.argo.rollout.pause import PauseReason
from rollout_runner.argo.types import Phase

if TYPE_CHECKING:
    from rollout_runner.argo.rollout.context import PassContext
    from rollout_runner.argo.rollout.model import BlueGreenStrategy, RolloutAnalysis
    from rollout_runner.argo.rollout.status import AnalysisRunRef, RolloutStatus

PRE, POST = "pre", "post"


def reconcile_promotion_runs(ctx: PassContext, strategy: BlueGreenStrategy) -> None:
    """Create, judge and cancel AnalysisRuns; what they are goes to `ctx.blue_green`."""
    status, before = ctx.status, ctx.status.blue_green
    pre, post = (
        as_observed(ctx, before.pre_promotion_run),
        as_observed(ctx, before.post_promotion_run),
    )
    cancelled: set[str] = set()
    if (
        status.fully_promoted
        or ctx.aborted
        or status.promote_full
        or ctx.fast_rollback
        or not status.stable_rs
    ):
        cancelled = {run.name for run in (pre, post) if run is not None}
    else:
        pre = _reconciled(
            ctx,
            pre,
            strategy.pre_promotion_analysis,
            AnalysisKind.PRE_PROMOTION,
            skip=_skips_pre_promotion(ctx, strategy, pre),
            cancelled=cancelled,
        )
        _judge(ctx, "Blue/green pre-promotion analysis", pre)
        post = _reconciled(
            ctx,
            post,
            strategy.post_promotion_analysis,
            AnalysisKind.POST_PROMOTION,
            skip=_skips_post_promotion(ctx, post),
            cancelled=cancelled,
        )
        _judge(ctx, "Blue/green post-promotion analysis", post)
    ctx.blue_green = replace(before, pre_promotion_run=pre, post_promotion_run=post)
    terminate_others(ctx, {run.name for run in (pre, post) if run is not None} - cancelled)
    record_change(ctx, AnalysisKind.POST_PROMOTION, before.post_promotion_run, post)
    record_change(ctx, AnalysisKind.PRE_PROMOTION, before.pre_promotion_run, pre)


def completed_pre_promotion(ctx: PassContext, strategy: BlueGreenStrategy) -> bool:
    """Tell whether the analysis before the switch was successful, or there is none."""
    if strategy.pre_promotion_analysis is None:
        return True
    run = as_observed(ctx, ctx.status.blue_green.pre_promotion_run)
    return run is not None and run.phase is Phase.SUCCESSFUL


def post_promotion_pending(ctx: PassContext, strategy: BlueGreenStrategy) -> bool:
    """Tell whether the old pods must wait for the analysis after the switch."""
    run = as_observed(ctx, ctx.status.blue_green.post_promotion_run)
    if strategy.post_promotion_analysis is None or _skips_post_promotion(ctx, run):
        return False
    return run is None or run.phase is not Phase.SUCCESSFUL


def _reconciled(
    ctx: PassContext,
    run: AnalysisRunRef | None,
    analysis: RolloutAnalysis | None,
    kind: AnalysisKind,
    *,
    skip: bool,
    cancelled: set[str],
) -> AnalysisRunRef | None:
    if analysis is None or not analysis.templates:
        return None
    if skip:
        if run is not None:
            cancelled.add(run.name)
        return run
    if ctx.status.pause_condition(PauseReason.INCONCLUSIVE_ANALYSIS) is not None:
        return run
    if run is None or _needs_new_run(run, ctx.status):
        infix = PRE if kind is AnalysisKind.PRE_PROMOTION else POST
        return create_run(ctx, kind, analysis, infix=infix)
    return run


def _needs_new_run(run: AnalysisRunRef, status: RolloutStatus) -> bool:
    """Tell whether a run must be repeated: after a retry, or resumed after an inconclusive one."""
    paused = (
        status.pause_condition(PauseReason.BLUE_GREEN_PAUSE) is not None
        or status.pause_condition(PauseReason.CANARY_PAUSE_STEP) is not None
    )
    if status.controller_pause and not paused:
        return run.phase is Phase.INCONCLUSIVE
    return status.aborted_at is not None


def _skips_pre_promotion(
    ctx: PassContext, strategy: BlueGreenStrategy, run: AnalysisRunRef | None
) -> bool:
    """Tell whether it is not the time: first deploy, switched already, or pods are missing."""
    active, rs = ctx.status.blue_green.active_selector, ctx.new_rs
    if rs is None or ctx.status.stable_rs == rs.hash or not active or active == rs.hash:
        return True
    if run is not None:
        return False
    count = strategy.preview_replica_count
    wanted = ctx.spec.replicas if count is None else count
    return not rs.replicas == rs.available == wanted


def _skips_post_promotion(ctx: PassContext, run: AnalysisRunRef | None) -> bool:
    active, rs = ctx.status.blue_green.active_selector, ctx.new_rs
    if rs is None or ctx.status.stable_rs == rs.hash or active != rs.hash:
        return True
    return run is None and not rs.replicas == rs.available == ctx.spec.replicas


def _judge(ctx: PassContext, what: str, run: AnalysisRunRef | None) -> None:
    if run is not None:
        judge_run(ctx, what, run)
