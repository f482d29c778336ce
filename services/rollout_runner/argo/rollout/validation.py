"""What makes the controller refuse a Rollout, in its own words.

An invalid Rollout stands still: phase Degraded, message `InvalidSpec: The Rollout "x" is invalid:
<problem>`. Source: argo-rollouts, pkg/apis/rollouts/validation.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from rollout_runner.argo.rollout.conditions import (
    INVALID_SPEC,
    with_condition,
    without_condition,
)
from rollout_runner.argo.rollout.errors import invalid_value
from rollout_runner.argo.rollout.phase import rollout_phase

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rollout_runner.argo.rollout.model import BlueGreenStrategy, CanaryStep, RolloutSpec
    from rollout_runner.argo.rollout.status import RolloutStatus

_STRATEGY = "spec.strategy"
_STEP = (
    "Step must have one of the following set: experiment, setWeight, setCanaryScale, plugin or "
    "pause"
)


def with_invalid_spec(
    spec: RolloutSpec, status: RolloutStatus, problem: str, now: float
) -> RolloutStatus:
    """Return the status of an invalid Rollout; `problem` is the first that was found.

    The condition goes with the first pass that is made once the spec is valid again.
    """
    message = f'The Rollout "{spec.name}" is invalid: {problem}'
    present = status.condition(INVALID_SPEC)
    if present is not None and present.message != message:
        status = without_condition(status, INVALID_SPEC)
    status = with_condition(status, INVALID_SPEC, "True", INVALID_SPEC, message, now=now)
    phase, message = rollout_phase(spec, status)
    return replace(status, phase=phase, message=message)


def spec_problems(spec: RolloutSpec) -> tuple[str, ...]:
    """Return what is wrong with the Rollout by itself; empty when it is valid."""
    return tuple(_spec_problems(spec))


def _spec_problems(spec: RolloutSpec) -> Iterator[str]:
    for name, number in (
        ("replicas", spec.replicas),
        ("minReadySeconds", spec.min_ready_seconds),
        ("revisionHistoryLimit", spec.revision_history_limit),
        ("progressDeadlineSeconds", spec.progress_deadline_seconds),
    ):
        if number < 0:
            yield invalid_value(f"spec.{name}", number, "must be greater than or equal to 0")
    if spec.progress_deadline_seconds <= spec.min_ready_seconds:
        yield invalid_value(
            "spec.progressDeadlineSeconds",
            spec.progress_deadline_seconds,
            "must be greater than minReadySeconds",
        )
    if spec.blue_green is not None:
        yield from _blue_green_problems(spec, spec.blue_green)
        return
    canary = spec.canary
    if canary.max_surge.value == 0 and canary.max_unavailable.value == 0:
        shown = "0%" if canary.max_surge.percent else 0
        yield invalid_value(
            f"{_STRATEGY}.maxSurge", shown, "MaxSurge and MaxUnavailable both can not be zero"
        )
    if canary.canary_service and canary.canary_service == canary.stable_service:
        yield invalid_value(
            f"{_STRATEGY}.stableService",
            canary.stable_service,
            "This rollout uses the same service for the stable and canary services, but two "
            "different services are required.",
        )
    yield from _routing_problems(spec)
    for index, step in enumerate(canary.steps):
        yield from _step_problems(spec, step, f"{_STRATEGY}.steps[{index}]")


def _blue_green_problems(spec: RolloutSpec, both: BlueGreenStrategy) -> Iterator[str]:
    if both.active_service == both.preview_service:
        yield invalid_value(
            f"{_STRATEGY}.blueGreen.activeService",
            both.active_service,
            "This rollout uses the same service for the active and preview services, but two "
            "different services are required.",
        )
    limit = both.scale_down_delay_revision_limit
    if limit is not None and spec.revision_history_limit < limit:
        yield invalid_value(
            f"{_STRATEGY}.blueGreen.scaleDownDelayRevisionLimit",
            limit,
            "This rollout's revision history limit can not be smaller than the rollout's scale "
            "down limit",
        )


def _routing_problems(spec: RolloutSpec) -> Iterator[str]:
    canary = spec.canary
    if canary.traffic_routing is not None:
        for name, service in (
            ("stableService", canary.stable_service),
            ("canaryService", canary.canary_service),
        ):
            if not service:
                yield invalid_value(
                    f"{_STRATEGY}.{name}",
                    "",
                    "Canary service and Stable service must to be set to use Traffic Routing",
                )
        if canary.scale_down_delay_seconds is not None and canary.dynamic_stable_scale:
            yield invalid_value(
                f"{_STRATEGY}.dynamicStableScale",
                True,
                "Canary dynamicStableScale cannot be used with scaleDownDelaySeconds",
            )
        return
    if canary.scale_down_delay_seconds is not None:
        yield invalid_value(
            f"{_STRATEGY}.scaleDownDelaySeconds",
            canary.scale_down_delay_seconds,
            "Canary scaleDownDelaySeconds can only be used with traffic routing",
        )
    if canary.dynamic_stable_scale:
        yield invalid_value(
            f"{_STRATEGY}.dynamicStableScale",
            True,
            "Canary dynamicStableScale can only be used with traffic routing",
        )


def _step_problems(spec: RolloutSpec, step: CanaryStep, where: str) -> Iterator[str]:
    kinds = {
        "Experiment": False,
        "Pause": step.pause is not None,
        "SetWeight": step.set_weight is not None,
        "Analysis": step.analysis is not None,
    }
    if sum(kinds.values()) > 1:
        yield invalid_value(where, _flags(kinds), _STEP)
    if not any(kinds.values()) and step.set_canary_scale is None:
        # Argo's text says of each kind whether it is missing.
        missing = dict.fromkeys(
            (*kinds, "SetCanaryScale", "SetHeaderRoute", "SetMirrorRoute", "Plugin"), True
        )
        yield invalid_value(where, _flags(missing), _STEP)
    limit = spec.canary.max_traffic_weight
    if step.set_weight is not None and not 0 <= step.set_weight <= limit:
        yield invalid_value(
            f"{where}.setWeight", step.set_weight, f"SetWeight needs to be between 0 and {limit}"
        )
    if step.pause is not None and step.pause.seconds < 0:
        yield invalid_value(
            f"{where}.pause.duration", step.pause.seconds, "Duration needs to be greater than 0"
        )
    if step.set_canary_scale is not None and spec.canary.traffic_routing is None:
        yield (
            f"{_STRATEGY}.trafficRouting: Required value: "
            "SetCanaryScale requires TrafficRouting to be set"
        )


def _flags(kinds: Mapping[str, bool]) -> str:
    return " ".join(f"step.{name}: {str(value).lower()}" for name, value in kinds.items())
