"""`gatelab simulate`: how often a gate is wrong, from the same manifests in virtual time."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rollout_runner.adapters.in_process import hush
from rollout_runner.adapters.project_files import shipped
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.commands.run import check_against_steps
from rollout_runner.scenarios.load import find_scenario, load_scenario
from rollout_runner.scenarios.model import Behaviour, Scenario, Traffic
from rollout_runner.simulation.experiment import (
    Experiment,
    check_step,
    perform,
    turned_bad_at,
)
from rollout_runner.simulation.flags import Sweep, read_behaviour, read_rate, read_sweep
from rollout_runner.simulation.page import as_html
from rollout_runner.simulation.remote import dask_executor
from rollout_runner.simulation.study import local_executor, usable_cores
from rollout_runner.simulation.subject import load_subject
from rollout_runner.simulation.tables import as_markdown, as_text
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

    from rollout_runner.simulation.study import Executor

DEFAULT_BASELINE = "errors=0.5%,p50=20ms,p99=120ms"
MOST_RUNS = 1_000_000
HIGHEST_RATE = 20_000.0
"""Votes a second; a run of eleven minutes then holds thirteen million."""
_DASK = "dask="
_PROGRESS_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateRequest:
    """What the command line asks for; texts are as they were written, None was not given."""

    path: Path
    rollout: str | None
    runs: int
    seed: int | None
    traffic: str | None
    baseline: str | None
    canary: str | None
    sweep: str | None
    at: int | None
    against: Path | None
    scenario: str | None
    argo_version: ArgoVersion
    jobs: int | None
    executor: str
    quiet: bool


def simulate(request: SimulateRequest) -> dict[str, Any]:
    """Make the runs and return the result document.

    Raises:
        InvalidInput: manifests, a flag or the scenario cannot be used; nothing was run.
    """
    if not 1 <= request.runs <= MOST_RUNS:
        raise InvalidInput(f"--runs {request.runs}: expected 1 to {MOST_RUNS:,}")
    if request.jobs is not None and request.jobs < 1:
        raise InvalidInput(f"--jobs {request.jobs}: expected 1 or more")
    hush()
    scenario = _scenario(request)
    sweep = None if request.sweep is None else read_sweep(request.sweep)
    subject = load_subject(
        request.path, rollout=request.rollout or scenario.rollout, versions=scenario.versions
    )
    against = (
        load_subject(request.against, rollout=request.rollout, versions=scenario.versions)
        if request.against is not None
        else None
    )
    if request.at is not None:
        for each in filter(None, (subject, against)):
            check_step(request.at, each)
        scenario = turned_bad_at(request.at, scenario)
    check_against_steps(scenario, len(subject.canary.canary.steps))
    experiment = Experiment(
        subject=subject,
        against=against,
        scenario=scenario,
        argo_version=request.argo_version,
        runs=request.runs,
        seed=scenario.seed,
        sweep=sweep,
    )
    executor = _executor(request, sweep)
    return perform(experiment, executor, _progress(quiet=request.quiet))


RENDERERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "text": as_text,
    "json": lambda document: json.dumps(document, indent=2, ensure_ascii=False) + "\n",
    "markdown": as_markdown,
    "html": as_html,
}


def _scenario(request: SimulateRequest) -> Scenario:
    """Return the scenario of the file, or a plain one, with what the flags say put in."""
    if request.scenario is not None:
        scenario = load_scenario(find_scenario(request.scenario, shipped("scenarios")))
        default = ""
    else:
        scenario, default = Scenario(name="simulate"), DEFAULT_BASELINE
    if request.seed is not None:
        scenario = scenario.model_copy(update={"seed": request.seed})
    if request.traffic is not None:
        traffic = Traffic(rate=read_rate(request.traffic), arrivals=scenario.traffic.arrivals)
        scenario = scenario.model_copy(update={"traffic": traffic})
    if scenario.traffic.rate > HIGHEST_RATE:
        raise InvalidInput(
            f"{scenario.traffic.rate:g} votes a second, expected at most {HIGHEST_RATE:g}",
            hint="lower --traffic, or traffic.rate of the scenario",
        )
    baseline = request.baseline if request.baseline is not None else default
    if baseline:
        given = read_behaviour(baseline, flag="--baseline", baseline=Behaviour())
        scenario = scenario.model_copy(update={"baseline": given})
    if request.canary is not None:
        given = read_behaviour(request.canary, flag="--canary", baseline=scenario.baseline)
        scenario = scenario.model_copy(update={"canary": given})
    elif request.scenario is None:
        scenario = scenario.model_copy(update={"canary": scenario.baseline})
    return scenario


def _executor(request: SimulateRequest, sweep: Sweep | None) -> Executor:
    if request.executor.startswith(_DASK):
        return dask_executor(request.executor.removeprefix(_DASK))
    if request.executor != "local":
        raise InvalidInput(
            f"--executor {request.executor}: expected local or dask=ADDRESS",
            hint="dask=tcp://scheduler:8786 spreads the runs over a Dask cluster",
        )
    cases = (1 if sweep is None else len(sweep.values)) * (2 if request.against else 1)
    return local_executor(request.jobs or usable_cores(), request.runs * cases)


def _progress(*, quiet: bool) -> Callable[[int, int], None]:
    """Return what tells on stderr how far it is; only long work is told of."""
    began = told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        now = time.monotonic()
        if quiet or now - told < _PROGRESS_SECONDS:
            return
        told = now
        rate = done / (now - began)
        end = "\r" if sys.stderr.isatty() else "\n"
        left = f", {(total - done) / rate:.0f} s left" if done < total else ""
        sys.stderr.write(f"{done:,} of {total:,} rollouts, {rate:.0f} a second{left}      {end}")
        sys.stderr.flush()

    return tell
