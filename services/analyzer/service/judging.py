"""Judge windows that a caller brought along: one look at a lone window, a run otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.domain.observation import ERRORS, LATENCY, CountArms
from analyzer.domain.setup import Setup
from analyzer.schemas.judge_body import refused

if TYPE_CHECKING:
    from analyzer.domain.config import JudgeConfig
    from analyzer.schemas.judge_body import JudgeRequest


def setup_of(request: JudgeRequest, config: JudgeConfig, *, run: str) -> Setup:
    """Return the setup of a run of windows that were brought along.

    A plan that is not told is the configuration's, with windows as long as the first one.

    Raises:
        InvalidInput: the configuration judges none of the metrics.
    """
    judged = {ERRORS, LATENCY} if config.latency is not None else {ERRORS}
    metrics = judged & {one.metric for one in request.observations}
    if not metrics:
        raise refused(
            "windows",
            f"the configuration {config.name} judges no latency, and there is nothing else",
            hint="name another config, or add windows of errors",
        )
    first = request.observations[0].window
    interval = request.interval_s or first.end - first.start
    return Setup(
        run=run,
        config=config,
        metrics=frozenset(metrics),
        horizon_s=max(request.horizon_s or config.horizon_s, interval),
        interval_s=interval,
        weight=request.weight,
        latency_counted=any(
            one.metric == LATENCY and isinstance(one.arms, CountArms)
            for one in request.observations
        ),
        history=tuple(one for one in request.history if one.metric in metrics),
    )
