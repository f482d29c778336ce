"""Whether the things that a Rollout refers to exist and fit.

Source: argo-rollouts, pkg/apis/rollouts/validation/validation_references.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis import (
    AnalysisError,
    AnalysisTemplate,
    Argument,
    Metric,
    build_rollout_args,
    build_run_spec,
    collect_templates,
)
from rollout_runner.argo.analysis.args import resolve_metric_args
from rollout_runner.argo.rollout.errors import invalid_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.argo.rollout.model import RolloutAnalysis, RolloutSpec

_CANARY = "spec.strategy.canary"
_NO_VALUE = "dummy-value"


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What a Rollout refers to, as far as it exists.

    Args:
        services: selector of each Service.
        ingresses: for each Ingress, the Services that its rules lead to.
        templates: all analysis templates.
        rollout: the manifest, from which `fieldRef` arguments are read.
    """

    services: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ingresses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    templates: tuple[AnalysisTemplate, ...] = ()
    rollout: Mapping[str, Any] = field(default_factory=dict)


def reference_problems(spec: RolloutSpec, references: References) -> tuple[str, ...]:
    """Return what is wrong with the things that the Rollout refers to."""
    return (
        *_service_problems(spec, references),
        *_analysis_problems(spec, references),
        *_ingress_problems(spec, references),
    )


def _service_problems(spec: RolloutSpec, references: References) -> Iterator[str]:
    canary = spec.canary
    for kind, name in (
        ("stableService", canary.stable_service),
        ("canaryService", canary.canary_service),
    ):
        if not name:
            continue
        where = f"{_CANARY}.{kind}"
        selector = references.services.get(name)
        if selector is None:
            yield invalid_value(where, name, f'service "{name}" not found')
            continue
        for key, value in selector.items():
            if key != "rollouts-pod-template-hash" and spec.pod_labels.get(key) != value:
                yield invalid_value(
                    where, name, f'Service "{name}" has unmatch label "{key}" in rollout'
                )


def _ingress_problems(spec: RolloutSpec, references: References) -> Iterator[str]:
    routing = spec.canary.traffic_routing
    names = () if routing is None else routing.nginx.stable_ingresses
    for name in names:
        where = f"{_CANARY}.trafficRouting.nginx.stableIngress"
        where += "es" if len(names) > 1 else ""
        backends = references.ingresses.get(name)
        if backends is None:
            yield invalid_value(where, name, f'ingress.networking.k8s.io "{name}" not found')
        elif spec.canary.stable_service not in backends:
            service = spec.canary.stable_service
            yield invalid_value(
                where, name, f"ingress `{name}` has no rules using service {service} backend"
            )


def _analysis_problems(spec: RolloutSpec, references: References) -> Iterator[str]:
    canary = spec.canary
    for index, step in enumerate(canary.steps):
        if step.analysis is not None:
            where = f"{_CANARY}.steps[{index}].analysis.templates"
            yield from _problems_of(step.analysis, references, where, finite=True)
    if canary.analysis is not None:
        where = f"{_CANARY}.analysis.templates"
        yield from _problems_of(canary.analysis.analysis, references, where, finite=False)


def _problems_of(
    analysis: RolloutAnalysis, references: References, where: str, *, finite: bool
) -> Iterator[str]:
    for ref in analysis.templates:
        try:
            collect_templates((ref,), references.templates)
        except AnalysisError as error:
            yield invalid_value(where, ref.template_name, str(error))
            return
    templates = collect_templates(analysis.templates, references.templates)
    names = " ".join(template.name for template in templates)
    try:
        args = build_rollout_args(
            analysis.args,
            stable_hash="dummy-stable-hash",
            latest_hash="dummy-new-hash",
            rollout=references.rollout,
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
