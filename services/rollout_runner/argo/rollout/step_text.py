"""A canary step as Argo prints it.

>>> step_text({"setWeight": 20}), step_text({"pause": {"duration": "2m"}})
('setWeight: 20', 'pause: 2m')
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def step_text(step: Mapping[str, Any]) -> str:  # noqa: PLR0911 - one return for each kind
    """Return the text for a step of a manifest, also for kinds of steps that cannot be run.

    Source: argo-rollouts, utils/rollout/rolloututil.go (CanaryStepString).
    """
    if step.get("setWeight") is not None:
        return f"setWeight: {step['setWeight']}"
    if step.get("pause") is not None:
        duration = step["pause"].get("duration")
        return "pause" if duration is None else f"pause: {duration}"
    for kind in ("experiment", "analysis"):
        if step.get(kind) is not None:
            return kind
    scale = step.get("setCanaryScale") or {}
    if scale.get("weight") is not None:
        return f"setCanaryScale{{weight: {scale['weight']}}}"
    if scale.get("matchTrafficWeight"):
        return "setCanaryScale{matchTrafficWeight: true}"
    if scale.get("replicas") is not None:
        return f"setCanaryScale{{replicas: {scale['replicas']}}}"
    for kind in ("plugin", "setHeaderRoute", "setMirrorRoute"):
        if step.get(kind) is not None:
            return f"{kind}: {step[kind]['name']}"
    return "invalid"
