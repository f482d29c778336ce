"""Virtual time against real processes, and against a Dask cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.commands.run import RunRequest, perform
from rollout_runner.commands.simulate import RENDERERS, SimulateRequest, simulate
from rollout_runner.scenarios.load import load_scenario

ROOT = Path(__file__).resolve().parents[2]
QA = ROOT / "deploy" / "rendered" / "qa.yaml"
LIVE_RUNS = 2


def study(scenario: str | None, *, runs: int, executor: str = "local") -> SimulateRequest:
    """Return a request for a shipped scenario, or for a canary near the threshold."""
    return SimulateRequest(
        path=QA,
        rollout=None,
        runs=runs,
        seed=3,
        traffic=None,
        baseline=None,
        canary=None if scenario else "errors=3.5%",
        sweep=None,
        at=None,
        against=None,
        scenario=scenario,
        argo_version=ArgoVersion.V1_9,
        jobs=1,
        executor=executor,
        quiet=True,
    )


@pytest.mark.slow
@pytest.mark.e2e
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ["healthy", "bad-canary"])
def test_live_runs_end_as_simulated_ones(name: str, tmp_path: Path) -> None:
    """Live outcomes and steps are those that have nearly all of the probability in virtual time."""
    document = simulate(study(name, runs=60))
    for number in range(LIVE_RUNS):
        scenario = load_scenario(ROOT / "scenarios" / f"{name}.yaml")
        report = perform(
            RunRequest(
                manifests=QA,
                scenario=scenario.model_copy(update={"seed": 100 + number}),
                folder=tmp_path / str(number),
                speed=20.0,
                argo_version=ArgoVersion.V1_9,
                rollout="vote",
                quiet=True,
            )
        )
        assert document["intervals"][report.outcome][1] > 0.95
        if report.aborted_at_step is not None:
            assert document["abortedAtStep"] == {str(report.aborted_at_step): 60}
        told = {
            (run.index, metric.plan.name): measurement.reading
            for run in report.analysis_runs
            for metric in run.metrics
            for measurement in metric.measurements
            if metric.plan.name == "error-rate"
        }
        for reading in document["readings"]:
            live = told[reading["step"], reading["metric"]]
            assert isinstance(live, float)
            # Five standard deviations of a rate near 2.6 % over nine thousand requests.
            assert abs(live - reading["mean"]) < 0.9


@pytest.mark.slow
@pytest.mark.external
@pytest.mark.timeout(300)
def test_a_cluster_gives_the_same_bytes() -> None:
    """Runs on a Dask cluster of two processes are those of this process."""
    distributed = pytest.importorskip("distributed")
    here = json.loads(RENDERERS["json"](simulate(study(None, runs=30))))
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        there = simulate(study(None, runs=30, executor=f"dask={cluster.scheduler_address}"))
    assert json.loads(RENDERERS["json"](there)) == here
