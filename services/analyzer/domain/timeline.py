"""A run looked at from its end: what each look saw, and what it came to."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from analyzer.domain import progress as runs
from analyzer.domain import run
from analyzer.domain.findings import Finding, finding
from analyzer.domain.observation import Observation
from analyzer.domain.verdict import ReasonCode, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyzer.domain.progress import Progress
    from analyzer.domain.setup import Setup


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The run after the windows that ended together, and the numbers of that moment."""

    observations: tuple[Observation, ...]
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a recorded run comes to; seconds count from the start of its first window."""

    verdict: Verdict
    reason_code: ReasonCode
    failed_at: float | None
    passed_at: float | None


def timeline(
    setup: Setup, observations: Sequence[Observation]
) -> tuple[tuple[Look, ...], Progress]:
    """Return every look at a run, oldest first, and the run after the last one."""
    progress, looks = runs.begin(setup), []
    for _, group in groupby(observations, key=lambda one: one.window.end):
        seen = tuple(group)
        progress = runs.advance(progress, seen)
        looks.append(Look(observations=seen, finding=finding(progress)))
    return tuple(looks), progress


def outcome(setup: Setup, observations: Sequence[Observation]) -> Outcome:
    """Return what a recorded run comes to, window after window as they closed."""
    progress = runs.replay(setup, observations)
    found = run.judge(progress.state)
    start = progress.started or 0.0
    return Outcome(
        verdict=found.verdict,
        reason_code=found.reason_code,
        failed_at=None if found.failed_at is None else found.failed_at - start,
        passed_at=None if found.passed_at is None else found.passed_at - start,
    )
