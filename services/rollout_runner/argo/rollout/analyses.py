"""Whether the analyses of a Rollout could run: templates, arguments, an end.

Source: argo-rollouts, pkg/apis/rollouts/validation/validation_references.go. That Services and
Ingresses exist and fit is checked where manifests are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis import (
    AnalysisError,
    Argument,
    Metric,
    build_rollout_args,
    build_run_spec,
    collect_templates,
)
from rollout_runner.argo.analysis.args import resolve_metric_args
from rollout_runner.argo.rollout.errors import invalid_value

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rollout_runner.argo.analysis import AnalysisTemplate
    from rollout_runner.argo.rollout.model import RolloutAnalysis, RolloutSpec

_CANARY = "spec.strategy.canary"
_BLUE_GREEN = "spec.strategy.blueGreen"
_NO_VALUE = "dummy-value"


def analysis_problems(
    spec: RolloutSpec, templates: Sequence[AnalysisTemplate], rollout: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return what is wrong with the analyses of a Rollout; empty when all could run.

    Args:
        spec: the Rollout.
        templates: all analysis templates that it may refer to.
        rollout: its manifest, from which `fieldRef` arguments are read.
    """
    return tuple(_analysis_problems(spec, templates, rollout))


def _analysis_problems(
    spec: RolloutSpec, templates: Sequence[AnalysisTemplate], rollout: Mapping[str, Any]
) -> Iterator[str]:
    if spec.blue_green is not None:
        for name, analysis in (
            ("prePromotionAnalysis", spec.blue_green.pre_promotion_analysis),
            ("postPromotionAnalysis", spec.blue_green.post_promotion_analysis),
        ):
            if analysis is not None:
                where = f"{_BLUE_GREEN}.{name}.templates"
                yield from _problems_of(analysis, templates, rollout, where, finite=True)
        return
    canary = spec.canary
    for index, step in enumerate(canary.steps):
        if step.analysis is not None:
            where = f"{_CANARY}.steps[{index}].analysis.templates"
            yield from _problems_of(step.analysis, templates, rollout, where, finite=True)
    if canary.analysis is not None:
        where = f"{_CANARY}.analysis.templates"
        analysis = canary.analysis.analysis
        yield from _problems_of(analysis, templates, rollout, where, finite=False)


def _problems_of(
    analysis: RolloutAnalysis,
    known: Sequence[AnalysisTemplate],
    rollout: Mapping[str, Any],
    where: str,
    *,
    finite: bool,
) -> Iterator[str]:
    for ref in analysis.templates:
        try:
            collect_templates((ref,), known)
        except AnalysisError as error:
            yield invalid_value(where, ref.template_name, str(error))
            return
    templates = collect_templates(analysis.templates, known)
    names = " ".join(template.name for template in templates)
    try:
        args = build_rollout_args(
            analysis.args,
            stable_hash="dummy-stable-hash",
            latest_hash="dummy-new-hash",
            rollout=rollout,
        )
        build_run_spec(
            templates,
            args,
            dry_run=analysis.dry_run,
            measurement_retention=analysis.measurement_retention,
        )
    except AnalysisError as error:
        yield invalid_value(where, f"templateNames: [{names}]", str(error))
        return
    if finite:
        for template in templates:
            yield from _endless_metrics(template, where)


def _endless_metrics(template: AnalysisTemplate, where: str) -> Iterator[str]:
    """Find metrics without an end; arguments without a default count as `dummy-value`."""
    args = tuple(
        Argument(name=arg.name, value=_NO_VALUE if arg.value is None else arg.value)
        for arg in template.spec.args
    )
    for raw in template.spec.metrics:
        try:
            resolved = resolve_metric_args(raw, args)
        except AnalysisError as error:
            yield invalid_value(where, template.name, f"AnalysisTemplate {template.name}: {error}")
            return
        metric = Metric.from_json(resolved)
        if metric.effective_count is None:
            yield invalid_value(
                where,
                template.name,
                f"AnalysisTemplate {template.name} has metric {metric.name} which runs "
                f"indefinitely. Invalid value for count: {resolved.get('count', '<nil>')}",
            )
