"""Many runs of one plan, on as many cores as wanted; the result depends on the plan alone."""

from __future__ import annotations

import math
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TYPE_CHECKING, Protocol

from rollout_runner.adapters.in_process import hush
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.subject import Subject
from rollout_runner.scenarios.model import Scenario
from rollout_runner.simulation.randomness import RunSeed
from rollout_runner.simulation.summary import RunSummary, summarise
from rollout_runner.simulation.world import SimulatedWorld

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


_MOST_RUNS_A_PART = 25
_ALONE = 30
"""Fewer runs than this are not worth starting processes for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPlan:
    """What is tried: a Rollout in a scenario."""

    subject: Subject
    scenario: Scenario
    argo_version: ArgoVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Consecutive runs of a plan."""

    plan: StudyPlan
    seed: int
    first: int
    stop: int


class Executor(Protocol):
    """Where the parts of a study are made."""

    def map(self, parts: Sequence[Part]) -> Iterator[list[RunSummary]]:
        """Yield the runs of every part, in the order of the parts."""
        ...


def run_study(
    plans: Sequence[StudyPlan],
    *,
    runs: int,
    seed: int,
    executor: Executor,
    progress: Callable[[int, int], None],
) -> list[list[RunSummary]]:
    """Return the runs of every plan; run i of every plan meets the same chance.

    Args:
        plans: what is tried.
        runs: how often each.
        seed: of the whole study.
        executor: who does it.
        progress: told how many runs of how many are done.
    """
    parts = [
        Part(plan=plan, seed=seed, first=first, stop=min(first + _MOST_RUNS_A_PART, runs))
        for plan in plans
        for first in range(0, runs, _MOST_RUNS_A_PART)
    ]
    made: list[list[RunSummary]] = [[] for _ in plans]
    per_plan = len(parts) // len(plans)
    done = 0
    for index, summaries in enumerate(executor.map(parts)):
        made[index // per_plan] += summaries
        done += len(summaries)
        progress(done, runs * len(plans))
    return made


def make_part(part: Part) -> list[RunSummary]:
    """Make the runs of a part, one after the other."""
    world = _world(part.plan)
    return [
        summarise(number, world.run(part.plan.scenario, RunSeed(part.seed, number)))
        for number in range(part.first, part.stop)
    ]


_worlds: list[tuple[Subject, ArgoVersion, SimulatedWorld]] = []
"""The worlds of this process, the latest last: building one takes as long as many runs in it."""
_MOST_WORLDS = 2


def _world(plan: StudyPlan) -> SimulatedWorld:
    for entry in _worlds:
        if entry[0] == plan.subject and entry[1] is plan.argo_version:
            return entry[2]
    if len(_worlds) >= _MOST_WORLDS:
        _worlds.pop(0)[2].close()
    world = SimulatedWorld(plan.subject, argo_version=plan.argo_version, observe_every=math.inf)
    _worlds.append((plan.subject, plan.argo_version, world))
    return world


class ThisProcess:
    """One core, no other process."""

    def map(self, parts: Sequence[Part]) -> Iterator[list[RunSummary]]:
        """Yield the runs of every part."""
        return map(make_part, parts)


class Processes:
    """Several processes of this machine."""

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def map(self, parts: Sequence[Part]) -> Iterator[list[RunSummary]]:
        """Yield the runs of every part."""
        pool = ProcessPoolExecutor(
            min(self._jobs, len(parts)), mp_context=get_context("spawn"), initializer=hush
        )
        try:
            yield from pool.map(make_part, parts)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def local_executor(jobs: int, runs: int) -> Executor:
    """Return the executor for so many runs with at most so many processes."""
    return ThisProcess() if jobs == 1 or runs < _ALONE else Processes(jobs)


def usable_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
