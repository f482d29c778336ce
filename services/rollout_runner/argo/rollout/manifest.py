"""Reading a Rollout manifest; what cannot be honoured is refused by name."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.analysis import TemplateRef, read_args, read_dry_run, read_retention
from rollout_runner.argo.rollout.errors import RolloutError, UnsupportedError
from rollout_runner.argo.rollout.model import (
    DEFAULT_MAX_TRAFFIC_WEIGHT,
    DEFAULT_PROGRESS_DEADLINE_SECONDS,
    DEFAULT_REPLICAS,
    DEFAULT_REVISION_HISTORY_LIMIT,
    NO_CANARY,
    BackgroundAnalysis,
    BlueGreenStrategy,
    CanaryStep,
    CanaryStrategy,
    IntOrPercent,
    NginxTrafficRouting,
    Pause,
    ReplicaProgressThreshold,
    RolloutAnalysis,
    RolloutSpec,
    SetCanaryScale,
    TrafficRouting,
)
from rollout_runner.argo.rollout.names import safe_hash
from rollout_runner.argo.rollout.step_text import step_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_PERCENT = re.compile(r"[0-9]+%")
_ROUTERS: Final = (
    "istio",
    "alb",
    "smi",
    "ambassador",
    "appMesh",
    "traefik",
    "apisix",
    "plugins",
)
_UNSUPPORTED_SPEC: Final = {
    "restartAt": "pods are not restarted",
}
_UNSUPPORTED_STEPS: Final = {
    "experiment": "experiments are not run",
    "setHeaderRoute": "requests are routed by weight only",
    "setMirrorRoute": "requests are not mirrored",
    "plugin": "plugins are not run",
}
# Only a cluster has these: scheduling, labels on pods, clean-up of finished objects.
_WITHOUT_EFFECT: Final = {
    "spec": ("analysis",),
    "spec.strategy.canary": ("antiAffinity", "canaryMetadata", "stableMetadata"),
    "spec.strategy.canary.trafficRouting": ("managedRoutes",),
    "spec.strategy.blueGreen": ("antiAffinity", "activeMetadata", "previewMetadata"),
}
_SPEC_FIELDS: Final = frozenset(
    (
        "replicas",
        "selector",
        "template",
        "workloadRef",
        "strategy",
        "paused",
        "minReadySeconds",
        "progressDeadlineSeconds",
        "progressDeadlineAbort",
        "revisionHistoryLimit",
        "rollbackWindow",
        "analysis",
    )
)
_CANARY_FIELDS: Final = frozenset(
    (
        "steps",
        "canaryService",
        "stableService",
        "trafficRouting",
        "maxSurge",
        "maxUnavailable",
        "analysis",
        "scaleDownDelaySeconds",
        "scaleDownDelayRevisionLimit",
        "abortScaleDownDelaySeconds",
        "dynamicStableScale",
        "minPodsPerReplicaSet",
        "replicaProgressThreshold",
        "antiAffinity",
        "canaryMetadata",
        "stableMetadata",
    )
)


_BLUE_GREEN_FIELDS: Final = frozenset(
    (
        "activeService",
        "previewService",
        "previewReplicaCount",
        "autoPromotionEnabled",
        "autoPromotionSeconds",
        "maxUnavailable",
        "scaleDownDelaySeconds",
        "scaleDownDelayRevisionLimit",
        "abortScaleDownDelaySeconds",
        "prePromotionAnalysis",
        "postPromotionAnalysis",
        "antiAffinity",
        "activeMetadata",
        "previewMetadata",
    )
)
_CANARY: Final = "spec.strategy.canary"
_BLUE_GREEN: Final = "spec.strategy.blueGreen"


def read_rollout(manifest: Mapping[str, Any], *, pod_hash: str | None = None) -> RolloutSpec:
    """Read a Rollout manifest whose schema has been validated.

    Args:
        manifest: the whole document.
        pod_hash: token of the pod template, when the caller has a better one than a hash of it.

    Raises:
        UnsupportedError: it asks for something that is not emulated; the field is named.
        RolloutError: a field has the wrong shape.
        AnalysisError: an analysis block has the wrong shape.
    """
    metadata = _mapping(manifest.get("metadata"), "metadata")
    spec = _mapping(manifest.get("spec"), "spec")
    for name, reason in _UNSUPPORTED_SPEC.items():
        if spec.get(name) is not None:
            raise UnsupportedError(f"spec.{name}", reason)
    _refuse_unknown(spec, _SPEC_FIELDS, "spec")
    strategy = _mapping(spec.get("strategy"), "spec.strategy")
    both = strategy.get("blueGreen")
    if both is not None and strategy.get("canary") is not None:
        raise RolloutError("spec.strategy: Multiple Strategies can not be listed")
    canary = {} if both is not None else _mapping(strategy.get("canary"), _CANARY)
    routing = canary.get("trafficRouting") or {}
    template = _mapping(spec.get("template"), "spec.template")
    window = _mapping(spec.get("rollbackWindow") or {}, "spec.rollbackWindow")
    return RolloutSpec(
        name=_text(metadata, "name", "metadata"),
        namespace=_text(metadata, "namespace", "metadata", ""),
        pod_hash=pod_hash or safe_hash(template),
        pod_labels=(template.get("metadata") or {}).get("labels") or {},
        canary=_canary(canary, _CANARY) if both is None else NO_CANARY,
        blue_green=None if both is None else _blue_green(_mapping(both, _BLUE_GREEN), _BLUE_GREEN),
        replicas=_number(spec, "replicas", "spec", DEFAULT_REPLICAS),
        paused=_flag(spec, "paused", "spec"),
        min_ready_seconds=_number(spec, "minReadySeconds", "spec", 0),
        progress_deadline_seconds=_number(
            spec, "progressDeadlineSeconds", "spec", DEFAULT_PROGRESS_DEADLINE_SECONDS
        ),
        progress_deadline_abort=_flag(spec, "progressDeadlineAbort", "spec"),
        revision_history_limit=_number(
            spec, "revisionHistoryLimit", "spec", DEFAULT_REVISION_HISTORY_LIMIT
        ),
        rollback_window_revisions=_number(window, "revisions", "spec.rollbackWindow", 0),
        without_effect=tuple(
            f"{path}.{name}"
            for (path, names), block in zip(
                _WITHOUT_EFFECT.items(), (spec, canary, routing, both or {}), strict=True
            )
            for name in names
            if block.get(name) is not None
        ),
    )


def _canary(raw: Mapping[str, Any], where: str) -> CanaryStrategy:
    if raw.get("pingPong") is not None:
        raise UnsupportedError(f"{where}.pingPong", "services do not trade places")
    _refuse_unknown(raw, _CANARY_FIELDS, where)
    steps = _list(raw.get("steps"), f"{where}.steps")
    return CanaryStrategy(
        steps=tuple(_step(step, f"{where}.steps[{index}]") for index, step in enumerate(steps)),
        step_hash=safe_hash(steps),
        canary_service=_text(raw, "canaryService", where, ""),
        stable_service=_text(raw, "stableService", where, ""),
        traffic_routing=_traffic_routing(raw.get("trafficRouting"), f"{where}.trafficRouting"),
        max_surge=_int_or_percent(raw, "maxSurge", where),
        max_unavailable=_int_or_percent(raw, "maxUnavailable", where),
        analysis=_background(raw.get("analysis"), f"{where}.analysis"),
        scale_down_delay_seconds=_optional_number(raw, "scaleDownDelaySeconds", where),
        scale_down_delay_revision_limit=_optional_number(raw, "scaleDownDelayRevisionLimit", where),
        abort_scale_down_delay_seconds=_optional_number(raw, "abortScaleDownDelaySeconds", where),
        dynamic_stable_scale=_flag(raw, "dynamicStableScale", where),
        min_pods_per_replica_set=_optional_number(raw, "minPodsPerReplicaSet", where),
        replica_progress_threshold=_threshold(
            raw.get("replicaProgressThreshold"), f"{where}.replicaProgressThreshold"
        ),
    )


def _blue_green(raw: Mapping[str, Any], where: str) -> BlueGreenStrategy:
    _refuse_unknown(raw, _BLUE_GREEN_FIELDS, where)
    analyses = {
        name: None if raw.get(name) is None else _analysis(raw[name], f"{where}.{name}")
        for name in ("prePromotionAnalysis", "postPromotionAnalysis")
    }
    enabled = raw.get("autoPromotionEnabled")
    return BlueGreenStrategy(
        active_service=_text(raw, "activeService", where),
        preview_service=_text(raw, "previewService", where, ""),
        preview_replica_count=_optional_number(raw, "previewReplicaCount", where),
        auto_promotion_enabled=enabled is None or _flag(raw, "autoPromotionEnabled", where),
        auto_promotion_seconds=_number(raw, "autoPromotionSeconds", where, 0),
        max_unavailable=_int_or_percent(raw, "maxUnavailable", where),
        scale_down_delay_seconds=_optional_number(raw, "scaleDownDelaySeconds", where),
        scale_down_delay_revision_limit=_optional_number(raw, "scaleDownDelayRevisionLimit", where),
        abort_scale_down_delay_seconds=_optional_number(raw, "abortScaleDownDelaySeconds", where),
        pre_promotion_analysis=analyses["prePromotionAnalysis"],
        post_promotion_analysis=analyses["postPromotionAnalysis"],
    )


def _step(raw: object, where: str) -> CanaryStep:
    fields = _mapping(raw, where)
    for name, reason in _UNSUPPORTED_STEPS.items():
        if fields.get(name) is not None:
            raise UnsupportedError(f"{where}.{name}", reason)
    _refuse_unknown(fields, {"setWeight", "pause", "analysis", "setCanaryScale"}, where)
    pause, analysis, scale = (fields.get(name) for name in ("pause", "analysis", "setCanaryScale"))
    return CanaryStep(
        text=step_text(fields),
        set_weight=_optional_number(fields, "setWeight", where),
        pause=None if pause is None else _pause(pause, f"{where}.pause"),
        analysis=None if analysis is None else _analysis(analysis, f"{where}.analysis"),
        set_canary_scale=None if scale is None else _scale(scale, f"{where}.setCanaryScale"),
    )


def _pause(raw: object, where: str) -> Pause:
    duration = _mapping(raw, where).get("duration")
    if isinstance(duration, bool) or not isinstance(duration, int | str | None):
        raise _wrong(f"{where}.duration", "seconds or a Go duration such as 2m", duration)
    return Pause(duration=duration)


def _scale(raw: object, where: str) -> SetCanaryScale:
    fields = _mapping(raw, where)
    return SetCanaryScale(
        weight=_optional_number(fields, "weight", where),
        replicas=_optional_number(fields, "replicas", where),
        match_traffic_weight=_flag(fields, "matchTrafficWeight", where),
    )


def _analysis(raw: object, where: str) -> RolloutAnalysis:
    fields = _mapping(raw, where)
    templates = _list(fields.get("templates"), f"{where}.templates")
    return RolloutAnalysis(
        templates=tuple(
            TemplateRef.from_json(each, f"{where}.templates[{index}]")
            for index, each in enumerate(templates)
        ),
        args=read_args(fields.get("args"), f"{where}.args"),
        dry_run=read_dry_run(fields.get("dryRun"), f"{where}.dryRun"),
        measurement_retention=read_retention(
            fields.get("measurementRetention"), f"{where}.measurementRetention"
        ),
    )


def _background(raw: object, where: str) -> BackgroundAnalysis | None:
    if raw is None:
        return None
    fields = _mapping(raw, where)
    return BackgroundAnalysis(
        analysis=_analysis(fields, where), starting_step=_number(fields, "startingStep", where, 0)
    )


def _traffic_routing(raw: object, where: str) -> TrafficRouting | None:
    if raw is None:
        return None
    fields = _mapping(raw, where)
    for name in _ROUTERS:
        if fields.get(name) is not None:
            raise UnsupportedError(f"{where}.{name}", "weights are only set the way of nginx")
    _refuse_unknown(fields, {"nginx", "managedRoutes", "maxTrafficWeight"}, where)
    if fields.get("nginx") is None:
        raise UnsupportedError(where, "it names no router", hint="name nginx, or leave it out")
    return TrafficRouting(
        nginx=_nginx(fields["nginx"], f"{where}.nginx"),
        max_traffic_weight=_number(fields, "maxTrafficWeight", where, DEFAULT_MAX_TRAFFIC_WEIGHT),
    )


def _nginx(raw: object, where: str) -> NginxTrafficRouting:
    fields = _mapping(raw, where)
    annotations = {
        name: _mapping(fields.get(name) or {}, f"{where}.{name}")
        for name in ("additionalIngressAnnotations", "canaryIngressAnnotations")
    }
    for name, block in annotations.items():
        for key in block:
            if key.rpartition("/")[2].startswith("canary-by-"):
                raise UnsupportedError(
                    f"{where}.{name}.{key}", "requests are routed by weight only"
                )
    single = _text(fields, "stableIngress", where, "")
    several = _list(fields.get("stableIngresses"), f"{where}.stableIngresses")
    if bool(single) == bool(several):
        which = "Both" if single else "Neither"
        raise RolloutError(
            f"{where}: Internal error: Either StableIngress or StableIngresses must be configured. "
            f"{which} are configured."
        )
    return NginxTrafficRouting(
        stable_ingresses=tuple(several) or (single,),
        annotation_prefix=_text(fields, "annotationPrefix", where, "")
        or NginxTrafficRouting(stable_ingresses=()).annotation_prefix,
        additional_ingress_annotations=annotations["additionalIngressAnnotations"],
        canary_ingress_annotations=annotations["canaryIngressAnnotations"],
    )


def _threshold(raw: object, where: str) -> ReplicaProgressThreshold | None:
    if raw is None:
        return None
    fields = _mapping(raw, where)
    kind = fields.get("type")
    if kind not in {"Percentage", "Pod"}:
        raise _wrong(f"{where}.type", "Percentage or Pod", kind)
    return ReplicaProgressThreshold(
        value=_number(fields, "value", where, 0), percent=kind == "Percentage"
    )


def _int_or_percent(raw: Mapping[str, Any], name: str, where: str) -> IntOrPercent:
    value = raw.get(name, "25%")
    if isinstance(value, str) and _PERCENT.fullmatch(value):
        return IntOrPercent(value=int(value[:-1]), percent=True)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _wrong(f"{where}.{name}", "a whole number or a percentage such as 25%", value)
    return IntOrPercent(value=value)


def _refuse_unknown(
    fields: Mapping[str, Any], known: frozenset[str] | set[str], where: str
) -> None:
    for name, value in fields.items():
        if name not in known and value is not None:
            raise UnsupportedError(f"{where}.{name}", "this program does not know the field")


def _mapping(raw: object, where: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise _wrong(where, "a mapping", raw)
    return raw


def _list(raw: object, where: str) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise _wrong(where, "a list", raw)
    return raw


def _text(fields: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    value = fields.get(name)
    value = default if value is None else value
    if not isinstance(value, str):
        raise _wrong(f"{where}.{name}", "text", value)
    return value


def _number(fields: Mapping[str, Any], name: str, where: str, default: int) -> int:
    value = _optional_number(fields, name, where)
    return default if value is None else value


def _optional_number(fields: Mapping[str, Any], name: str, where: str) -> int | None:
    value = fields.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise _wrong(f"{where}.{name}", "a whole number", value)
    return value


def _flag(fields: Mapping[str, Any], name: str, where: str) -> bool:
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        raise _wrong(f"{where}.{name}", "true or false", value)
    return bool(value)


def _wrong(where: str, expected: str, found: object) -> RolloutError:
    if found is None:
        return RolloutError(f"{where} is missing: it must be {expected}")
    return RolloutError(f"{where} must be {expected}, got {found!r}")
