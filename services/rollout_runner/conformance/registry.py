"""Every kind of vector file, by the stem of its name, and its replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.conformance import (
    analysis,
    conditions,
    providers,
    rollout,
    run_scenarios,
    web,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rollout_runner.conformance.record import Replay

REPLAYS: Mapping[str, Replay] = {
    "analysis_limits": analysis.replay_limits,
    "analysis_metric_status": analysis.replay_metric_status,
    "analysis_metric_tasks": analysis.replay_metric_tasks,
    "analysis_next_reconcile": analysis.replay_next_reconcile,
    "analysis_reconcile": analysis.replay_reconcile,
    "analysis_run_status": analysis.replay_run_status,
    "args_unit": analysis.replay_args,
    "conditions_unit": conditions.replay_condition,
    "executed_conditions": conditions.replay_condition,
    "executed_newrelic": providers.replay_executed_newrelic,
    "executed_prometheus": providers.replay_executed_prometheus,
    "executed_run_scenarios": run_scenarios.replay_scenario,
    "executed_web": web.replay_executed,
    "job_unit": providers.replay_job,
    "newrelic_unit": providers.replay_newrelic_unit,
    "prometheus_unit": providers.replay_prometheus_unit,
    "rollout_unit": rollout.replay_rollout,
    "templates_unit": analysis.replay_templates,
    "web_unit": web.replay_unit,
}
