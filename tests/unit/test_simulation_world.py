"""Whole rollouts in virtual time: the real engine, APM and analyzer in one process."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from rollout_runner.adapters.in_process import ask
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.events import MeasurementTaken, ScenarioAction, encode
from rollout_runner.scenarios.load import load_scenario
from rollout_runner.scenarios.model import Scenario, Versions
from rollout_runner.simulation.randomness import RunSeed
from rollout_runner.simulation.subject import load_subject
from rollout_runner.simulation.world import SimulatedRun, SimulatedWorld
from svckit.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[2]
QA = ROOT / "deploy" / "rendered" / "qa.yaml"
SEED = RunSeed(7, 0)
APP = "voting01-vote-qa"
HEALTH_CHECK = "voting01-health-check"


@pytest.fixture(scope="module")
def world() -> Iterator[SimulatedWorld]:
    """The QA overlay's vote Rollout in virtual time, used for many runs."""
    subject = load_subject(QA, rollout=None, versions=Versions())
    world = SimulatedWorld(subject, argo_version=ArgoVersion.V1_9)
    yield world
    world.close()


def scenario(**fields: Any) -> Scenario:
    """Return a healthy scenario with changes."""
    healthy = {"name": "trial", "baseline": {"errors": "0.5%"}, "canary": {"errors": "0.5%"}}
    return Scenario.model_validate({**healthy, **fields})


def measured(run: SimulatedRun, metric: str) -> list[str]:
    """Return the phases of a metric's measurements."""
    return [
        event.phase
        for event in run.events
        if isinstance(event, MeasurementTaken) and event.metric == metric
    ]


@pytest.mark.parametrize(
    "name",
    [
        "healthy",
        "bad-canary",
        "late-errors-at-weight-100",
        "injected-errors",
        "apm-outage",
        "no-traffic",
        "unhealthy-canary",
    ],
)
def test_shipped_scenarios_end_as_they_do_live(world: SimulatedWorld, name: str) -> None:
    """What a live run of a scenario is expected to do, its simulation does."""
    wanted = load_scenario(ROOT / "scenarios" / f"{name}.yaml")
    finished = world.run(wanted, SEED).finished
    assert wanted.expect is not None
    assert finished.outcome == wanted.expect.outcome
    assert finished.aborted_at_step == wanted.expect.aborted_at_step


def test_a_run_does_not_depend_on_the_runs_before(world: SimulatedWorld) -> None:
    """The same seed gives the same events after other runs, injections included."""
    lying = scenario(
        timeline=[
            {
                "on": {"step": 2},
                "inject": {"app": APP, "effect": {"status": 503}, "probability": 0.5},
            }
        ]
    )
    first = world.run(lying, SEED)
    world.run(scenario(canary={"errors": "20%"}), RunSeed(1, 5))
    again = world.run(lying, SEED)
    assert [encode(event) for event in first.events] == [encode(event) for event in again.events]


def test_a_lie_of_the_apm_is_what_the_gate_reads(world: SimulatedWorld) -> None:
    """An injection at a step works on exactly the questions of that step's analysis."""
    run = world.run(
        scenario(
            timeline=[
                {"on": {"step": 8}, "inject": {"app": APP, "effect": {"status": 503}}},
            ]
        ),
        SEED,
    )
    assert run.finished.outcome == "aborted"
    assert run.finished.aborted_at_step == 8
    assert measured(run, "error-rate") == ["Successful"] * 2 + ["Error"] * 5


def test_a_hanging_apm_times_out_in_virtual_time(world: SimulatedWorld) -> None:
    """Thirty seconds of time-out pass at once, and the message is Go's."""
    run = world.run(
        scenario(
            timeline=[
                {"on": {"step": 5}, "inject": {"app": APP, "effect": {"hang": "60s"}}},
            ]
        ),
        SEED,
    )
    errors = [
        event
        for event in run.events
        if isinstance(event, MeasurementTaken) and event.metric == "error-rate"
    ]
    assert run.finished.outcome == "aborted"
    assert "context deadline exceeded" in errors[0].message
    assert (errors[0].finished_at - errors[0].started_at).total_seconds() == 30


@pytest.mark.parametrize("kind", ["reset", "empty_reply", "garbage", "truncate", "refuse"])
def test_a_broken_connection_is_an_error_of_the_measurement(
    world: SimulatedWorld, kind: str
) -> None:
    """Transport faults without a connection still look like one that broke."""
    analysis = world.analyse(
        5,
        scenario(
            timeline=[
                {"on": {"step": 5}, "inject": {"app": APP, "effect": {"transport": kind}}},
            ]
        ),
        SEED,
    )
    result = analysis.status.result("error-rate")
    assert analysis.status.phase is Phase.ERROR
    assert result is not None
    assert result.error == 5


def test_one_analysis_can_be_made_alone(world: SimulatedWorld) -> None:
    """Each analysis step passes by itself when both versions are healthy, and sees what it must."""
    for step in world.analysis_steps:
        analysis = world.analyse(step, scenario(), SEED)
        assert analysis.status.phase is Phase.SUCCESSFUL, step
    bad = world.analyse(8, scenario(canary={"errors": "5.2%"}), SEED)
    assert bad.status.phase is Phase.FAILED


def analyzer_gate(folder: Path) -> Path:
    """Write the QA Rollout with one sequential gate of the analyzer at weight 20."""
    documents = [each for each in yaml.safe_load_all(QA.read_text()) if each is not None]
    [rollout] = [
        each
        for each in documents
        if each["kind"] == "Rollout" and each["metadata"]["name"] == "vote"
    ]
    template = yaml.safe_load(
        (ROOT / "deploy" / "components" / "analyzer-gate" / "gate.yaml").read_text()
    )
    template["metadata"]["namespace"] = "voting01-qa"
    hashes = {"canary-hash": "Latest", "stable-hash": "Stable"}
    args = [{"name": "app-name", "value": APP}]
    args += [
        {"name": name, "valueFrom": {"podTemplateHashValue": value}}
        for name, value in hashes.items()
    ]
    analysis = {"templates": [{"templateName": "voting01-analyzer-gate"}], "args": args}
    rollout["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": 20}, {"analysis": analysis}]
    kept = [each for each in documents if each["kind"] in {"Service", "Ingress", "Secret"}]
    path = folder / "analyzer-gate.yaml"
    path.write_text(yaml.safe_dump_all([rollout, template, *kept]))
    return path


def test_the_analyzer_remembers_nothing_of_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sequential runs carry the same name in every rollout, and still begin anew each time."""
    monkeypatch.chdir(tmp_path)
    path = analyzer_gate(tmp_path)
    subject = load_subject(path, rollout=None, versions=Versions())
    world = SimulatedWorld(subject, argo_version=ArgoVersion.V1_9)
    good = scenario(traffic={"rate": "200/s"})
    assert world.run(good, SEED).finished.outcome == "promoted"
    bad = world.run(scenario(canary={"errors": "8%"}), SEED)
    world.close()
    assert bad.finished.outcome == "aborted"
    assert (bad.events[-1].at - bad.events[0].at).total_seconds() < 180
    assert [each.name for each in tmp_path.iterdir()] == [path.name], "nothing is left on the disk"


def test_blue_green_waits_for_a_person() -> None:
    """The staging overlay passes its probes, pauses, and is promoted only by somebody."""
    staging = QA.with_name("staging.yaml")
    subject = load_subject(staging, rollout=None, versions=Versions())
    blue_green = SimulatedWorld(subject, argo_version=ArgoVersion.V1_9)
    alone = blue_green.run(scenario(), SEED)
    promoted = blue_green.run(
        scenario(timeline=[{"on": {"phase": "Paused"}, "do": "promote"}]), SEED
    )
    blue_green.close()
    assert (alone.finished.outcome, promoted.finished.outcome) == ("paused", "promoted")
    assert alone.started.strategy == "BlueGreen"


def test_only_analysis_steps_can_be_analysed(world: SimulatedWorld) -> None:
    """A pause is no analysis, and the hint lists the steps that are."""
    with pytest.raises(InvalidInput, match="step 1 of vote is no analysis") as caught:
        world.analyse(1, scenario(), SEED)
    assert "2, 5, 8" in caught.value.hint


def test_what_is_no_program_cannot_be_stopped(world: SimulatedWorld) -> None:
    """Votegen does not exist in virtual time, and the message says what to do instead."""
    with pytest.raises(InvalidInput, match="votegen cannot be stopped in virtual time"):
        world.run(scenario(timeline=[{"on": {"step": 1}, "stop": "votegen"}]), SEED)


def test_a_refused_injection_is_told(world: SimulatedWorld) -> None:
    """An effect that the APM does not know ends the run with its refusal."""
    with pytest.raises(InvalidInput, match="refused"):
        world.run(
            scenario(
                timeline=[{"on": {"step": 1}, "inject": {"app": APP, "effect": {"nonsense": 1}}}]
            ),
            SEED,
        )


def test_a_timed_change_happens_at_its_virtual_minute(world: SimulatedWorld) -> None:
    """Entries with `at` count from the beginning of the rollout."""
    run = world.run(scenario(timeline=[{"at": "4m", "canary": {"status": 503}}]), SEED)
    [acted] = [event for event in run.events if isinstance(event, ScenarioAction)]
    assert (acted.at - run.events[0].at).total_seconds() == 240
    assert run.finished.outcome == "aborted"


def test_jobs_are_refused_before_anything_runs(tmp_path: Path) -> None:
    """A gate in job form cannot run in virtual time; it is named, with the way out."""
    documents = list(yaml.safe_load_all(QA.read_text()))
    [template] = [each for each in documents if each["metadata"]["name"] == HEALTH_CHECK]
    pod = {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a", "command": ["a"]}]}
    template["spec"]["metrics"][0]["provider"] = {"job": {"spec": {"template": {"spec": pod}}}}
    path = tmp_path / "job.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    with pytest.raises(InvalidInput, match="'http-health-check' is a Job") as caught:
        load_subject(path, rollout=None, versions=Versions())
    assert "gatelab run" in caught.value.hint


def test_raw_events_are_not_made_up(world: SimulatedWorld) -> None:
    """NRQL over attributes that only raw events have is refused, never answered with zero."""
    world.run(scenario(), SEED)
    request = httpx.Request(
        "GET",
        "http://apm/v1/accounts/1/query",
        params={"nrql": "SELECT uniqueCount(request.uri) FROM Transaction"},
        headers={"X-Query-Key": world.subject.apm_key, "Api-Key": world.subject.apm_key},
    )
    response = world._complete(ask(world._apm, request))
    assert response.status_code >= 400 or "error" in response.text
    assert "no raw events" in response.text
