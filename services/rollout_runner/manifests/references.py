"""References of a rollout: services, templates, ingress. Argo's rules, fields and words.

Source: Argo Rollouts' validation of a rollout and of the resources that it refers to. There, a
failed check makes the Rollout InvalidSpec, and nothing progresses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from rollout_runner.manifests.analysis import (
        AnalysisTemplate,
        ClusterAnalysisTemplate,
        TemplateRef,
    )
    from rollout_runner.manifests.core import Service
    from rollout_runner.manifests.documents import Path
    from rollout_runner.manifests.load import Manifests
    from rollout_runner.manifests.model import KubeObject
    from rollout_runner.manifests.rollout import Metadata, Rollout
    from rollout_runner.manifests.selection import Selection

_HASH_LABEL: Final = "rollouts-pod-template-hash"
_STRATEGY: Final[Path] = ("spec", "strategy")
_CANARY: Final[Path] = (*_STRATEGY, "canary")
_BLUE_GREEN: Final[Path] = (*_STRATEGY, "blueGreen")
_NGINX: Final[Path] = (*_CANARY, "trafficRouting", "nginx")


def check_references(selection: Selection, manifests: Manifests) -> None:
    """Check every reference of the selected rollout.

    Args:
        selection: the rollout and the objects of its namespace.
        manifests: everything, to tell where a missing object is instead.

    Raises:
        InvalidInput: the first reference that leads nowhere, or to something that does not fit.
    """
    rollout = selection.rollout
    if rollout.canary is None and rollout.blue_green is None:
        raise rollout.invalid(
            (*_STRATEGY, "strategy"),
            "Rollout has missing field '.spec.strategy.canary or .spec.strategy.blueGreen'",
            value=None,
            hint="where a base has no strategy of its own, give one of its overlays",
        )
    _check_pairs(rollout)
    for path, name, metadata in _services(rollout):
        service = selection.services.get(name)
        if service is None:
            raise rollout.invalid(
                path,
                f'service "{name}" not found',
                value=name,
                hint=_where_else(name, manifests.services, selection.services),
            )
        _check_selector(rollout, path, service, metadata)
    for path, refs in _analyses(rollout):
        _check_templates(selection, manifests, path, refs)
    _check_nginx(selection, manifests)


def _check_pairs(rollout: Rollout) -> None:
    """Refuse one service in both roles."""
    same = "This rollout uses the same service for the {}, but two different services are required."
    canary, blue_green = rollout.canary, rollout.blue_green
    if canary and canary.stable_service and canary.stable_service == canary.canary_service:
        raise rollout.invalid(
            (*_CANARY, "stableService"),
            same.format("stable and canary services"),
            value=canary.stable_service,
        )
    if blue_green and blue_green.active_service == blue_green.preview_service:
        raise rollout.invalid(
            (*_BLUE_GREEN, "activeService"),
            same.format("active and preview services"),
            value=blue_green.active_service,
        )


def _services(rollout: Rollout) -> Iterator[tuple[Path, str, Metadata | None]]:
    """Yield field, name, and labels that its pods get besides, of each service that is given."""
    named: list[tuple[Path, str | None, Metadata | None]] = []
    if canary := rollout.canary:
        named += [
            ((*_CANARY, "stableService"), canary.stable_service, canary.stable_metadata),
            ((*_CANARY, "canaryService"), canary.canary_service, canary.canary_metadata),
        ]
        if pair := canary.ping_pong:
            named += [
                ((*_CANARY, "pingPong", "pingService"), pair.ping_service, None),
                ((*_CANARY, "pingPong", "pongService"), pair.pong_service, None),
            ]
    if both := rollout.blue_green:
        named += [
            ((*_BLUE_GREEN, "activeService"), both.active_service, both.active_metadata),
            ((*_BLUE_GREEN, "previewService"), both.preview_service, both.preview_metadata),
        ]
    yield from ((path, name, metadata) for path, name, metadata in named if name)


def _check_selector(
    rollout: Rollout, path: Path, service: Service, metadata: Metadata | None
) -> None:
    labels = rollout.pod_labels
    if labels is None:
        return
    besides = {} if metadata is None else metadata.labels
    for key, value in service.spec.selector.items():
        if key != _HASH_LABEL and value not in {labels.get(key), besides.get(key)}:
            raise rollout.invalid(
                path,
                f'Service "{service.name}" has unmatch label "{key}" in rollout',
                value=service.name,
                hint=f"{service.place(('spec', 'selector', key))} selects {key}={value}; "
                "the pod template has no such label",
            )


def _analyses(rollout: Rollout) -> Iterator[tuple[Path, Iterable[TemplateRef]]]:
    """Yield the field and the template references of each analysis."""
    if canary := rollout.canary:
        for index, step in enumerate(canary.steps):
            if step.analysis:
                yield (*_CANARY, "steps", index, "analysis", "templates"), step.analysis.templates
        if canary.analysis:
            yield (*_CANARY, "analysis", "templates"), canary.analysis.templates
    if both := rollout.blue_green:
        for name, analysis in (
            ("prePromotionAnalysis", both.pre_promotion_analysis),
            ("postPromotionAnalysis", both.post_promotion_analysis),
        ):
            if analysis:
                yield (*_BLUE_GREEN, name, "templates"), analysis.templates


def _check_templates(
    selection: Selection, manifests: Manifests, path: Path, refs: Iterable[TemplateRef]
) -> None:
    """Follow the references, and those of the templates they lead to, each of them once."""
    waiting = list(refs)
    seen: set[tuple[str, str]] = set()
    while waiting:
        ref = waiting.pop(0)
        name = ref.template_name or ""
        kind, known, anywhere = _templates(selection, manifests, ref)
        if (kind, name) in seen:
            continue
        seen.add((kind, name))
        template = known.get(name)
        if template is None:
            raise selection.rollout.invalid(
                path,
                f"{kind} '{name}' not found",
                value=name,
                hint=_where_else(name, anywhere, known),
            )
        waiting += template.spec.templates


def _templates(
    selection: Selection, manifests: Manifests, ref: TemplateRef
) -> tuple[
    str,
    Mapping[str, AnalysisTemplate] | Mapping[str, ClusterAnalysisTemplate],
    Iterable[AnalysisTemplate | ClusterAnalysisTemplate],
]:
    """Return the kind that is meant, those in reach by name, and those that are not."""
    if ref.cluster_scope:
        cluster = manifests.cluster_analysis_templates
        return "ClusterAnalysisTemplate", selection.cluster_analysis_templates, cluster
    return "AnalysisTemplate", selection.analysis_templates, manifests.analysis_templates


def _check_nginx(selection: Selection, manifests: Manifests) -> None:
    rollout, canary = selection.rollout, selection.rollout.canary
    nginx = canary.traffic_routing.nginx if canary and canary.traffic_routing else None
    if canary is None or nginx is None:
        return
    services = {"stableService": canary.stable_service, "canaryService": canary.canary_service}
    for field, service in services.items():
        if not service:
            raise rollout.invalid(
                (*_CANARY, field),
                "Canary service and Stable service must to be set to use Traffic Routing",
                value=service or "",
            )
    if bool(nginx.stable_ingress) == bool(nginx.stable_ingresses):
        configured = "Both are" if nginx.stable_ingress else "Neither are"
        raise rollout.invalid(
            _NGINX,
            f"Either StableIngress or StableIngresses must be configured. {configured} configured.",
            value="",
        )
    named = (
        [((*_NGINX, "stableIngress"), nginx.stable_ingress)]
        if nginx.stable_ingress
        else [
            ((*_NGINX, "stableIngresses", index), each)
            for index, each in enumerate(nginx.stable_ingresses)
        ]
    )
    for path, name in named:
        ingress = selection.ingresses.get(name)
        if ingress is None:
            raise rollout.invalid(
                path,
                f'ingress.networking.k8s.io "{name}" not found',
                value=name,
                hint=_where_else(name, manifests.ingresses, selection.ingresses),
            )
        if not ingress.has_rule_for(canary.stable_service or ""):
            raise rollout.invalid(
                path,
                f"ingress `{name}` has no rules using service {canary.stable_service} backend",
                value=name,
                hint=f"see {ingress.place(('spec', 'rules'))}",
            )


def _where_else(name: str, anywhere: Iterable[KubeObject], known: Iterable[str]) -> str:
    """Say where an object of that name is instead, or which names there are."""
    for each in anywhere:
        if each.name == name:
            return f"{each.place()} has one, but in namespace {each.namespace}"
    return f"the manifests hold: {', '.join(sorted(known)) or 'none'}"
