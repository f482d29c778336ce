"""From what a Rollout says about an analysis to an AnalysisRun that can start."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis import build_rollout_args, build_run_spec, collect_templates
from rollout_runner.engine.analysis_controller import AnalysisRunPlan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout_runner.argo.analysis import AnalysisTemplate
    from rollout_runner.argo.rollout import CreateAnalysisRun


class AnalysisPlanner:
    """Resolves templates and arguments of one Rollout."""

    def __init__(
        self, *, templates: Sequence[AnalysisTemplate], rollout: Mapping[str, Any]
    ) -> None:
        self._templates = templates
        self._rollout = rollout

    def plan(self, effect: CreateAnalysisRun) -> AnalysisRunPlan:
        """Return the run that the controller wants created."""
        analysis = effect.analysis
        args = build_rollout_args(
            analysis.args,
            stable_hash=effect.stable_hash,
            latest_hash=effect.pod_hash,
            rollout=self._rollout,
        )
        templates = collect_templates(analysis.templates, self._templates)
        return AnalysisRunPlan(
            name=effect.name,
            kind=str(effect.kind),
            index=effect.step_index,
            templates=tuple(template.name for template in templates),
            spec=build_run_spec(
                templates,
                args,
                dry_run=analysis.dry_run,
                measurement_retention=analysis.measurement_retention,
            ),
        )
