"""Argo's job provider without a cluster: what the state of a Job makes of a measurement.

Conditions of a metric are not looked at: the Job's own end is the verdict. Rules:
metricproviders/job/job.go of argoproj/argo-rollouts (1.9 and 1.10).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

JOB_NAME: Final = "job-name"
JOB_NAMESPACE: Final = "job-namespace"
_MAX_NAME: Final = 63
_COMPLETE: Final = "Complete"
_FAILED: Final = "Failed"
_TERMINAL_REASONS: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName"})


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingContainer:
    """A container of one of the Job's pods that has not started, and why."""

    pod: str
    container: str
    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobState:
    """A Job as it is now.

    Attributes:
        conditions: types of its conditions; their status is not looked at.
        waiting: containers that wait, init containers of a pod before its other ones.
    """

    conditions: tuple[str, ...] = ()
    waiting: tuple[WaitingContainer, ...] = ()


def polls(version: ArgoVersion) -> bool:
    """Whether a release looks at a running Job by itself, or waits for the Job's event."""
    return version is ArgoVersion.V1_10


def job_name(run_uid: str, metric: str, number: int) -> str:
    """Return the name of a measurement's Job; a long metric name is cut."""
    excess = len(f"{run_uid}.{metric}.{number}") - _MAX_NAME
    return f"{run_uid}.{metric[: len(metric) - excess] if excess > 0 else metric}.{number}"


def named_job(metadata: Mapping[str, str]) -> str | None:
    """Return the Job that a measurement belongs to; None when it does not say."""
    return metadata.get(JOB_NAME) or None


def resumed(
    measurement: Measurement, jobs: Mapping[str, JobState], *, now: float, version: ArgoVersion
) -> Measurement:
    """Return a measurement in flight after another look at its Job.

    Args:
        measurement: as it was left.
        jobs: every Job there is, by name.
        now: seconds since the Unix epoch.
        version: 1.10 looks at pods that cannot start, and says when to look again.
    """
    name = named_job(measurement.metadata)
    if name is None:
        return _error(measurement, "job metadata reference missing", now)
    job = jobs.get(name)
    if job is None:
        return _error(measurement, f'job.batch "{name}" not found', now)
    phase = measurement.phase
    for condition in job.conditions:
        if condition in {_COMPLETE, _FAILED}:
            phase = Phase.SUCCESSFUL if condition == _COMPLETE else Phase.FAILED
    if phase.completed:
        return replace(measurement, phase=phase, finished_at=now, resume_at=None)
    if not polls(version):
        return measurement
    stuck = _stuck(job.waiting)
    if stuck:
        return replace(
            measurement,
            phase=Phase.INCONCLUSIVE,
            message=stuck,
            finished_at=now,
            resume_at=None,
        )
    began = now if measurement.started_at is None else measurement.started_at
    return replace(measurement, resume_at=now + math.sqrt(2 * max(0.0, now - began)))


def terminated(measurement: Measurement, *, now: float, version: ArgoVersion) -> Measurement:
    """Return a measurement in flight whose Job was deleted; before 1.10 that was a success."""
    phase = Phase.INCONCLUSIVE if polls(version) else Phase.SUCCESSFUL
    return replace(measurement, phase=phase, finished_at=now, resume_at=None)


def _stuck(waiting: Sequence[WaitingContainer]) -> str:
    for each in waiting:
        if each.reason in _TERMINAL_REASONS:
            return (
                f"Pod {each.pod}, container {each.container} has terminal error"
                f" ({each.reason}): {each.message}\n"
            )
    return ""


def _error(measurement: Measurement, message: str, now: float) -> Measurement:
    return replace(measurement, phase=Phase.ERROR, message=message, finished_at=now, resume_at=None)
