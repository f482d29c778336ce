"""What a run means to whoever called it: exit codes, expectations, refusals before the start."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from report_logs import aborted_log

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.commands.run import RunRequest, exit_code, perform, unmet_expectation
from rollout_runner.events import ProcessExited, moment
from rollout_runner.report import Outcome, RunReport, build_report
from rollout_runner.scenarios.model import Scenario
from runner_trial import QA
from svckit.errors import ExitCode, InvalidInput

LOST = ProcessExited(at=moment(0), name="votegen", exit_code=-9, expected=False)
STOPPED = ProcessExited(at=moment(0), name="votegen", exit_code=0, expected=True)


@pytest.fixture(name="report", scope="module")
def _report() -> RunReport:
    """The report of a run that was aborted at step 5."""
    return build_report(aborted_log().events)


@pytest.mark.parametrize(
    ("outcome", "event", "code"),
    [
        pytest.param(Outcome.PROMOTED, STOPPED, ExitCode.OK, id="promoted"),
        pytest.param(Outcome.ABORTED, STOPPED, ExitCode.GATE_FAILED, id="aborted"),
        pytest.param(Outcome.DEGRADED, STOPPED, ExitCode.GATE_FAILED, id="degraded"),
        pytest.param(Outcome.PAUSED, STOPPED, ExitCode.INCONCLUSIVE, id="paused"),
        pytest.param(Outcome.ABORTED, LOST, ExitCode.COULD_NOT_JUDGE, id="aborted-by-a-loss"),
        pytest.param(Outcome.DEGRADED, LOST, ExitCode.COULD_NOT_JUDGE, id="degraded-by-a-loss"),
        pytest.param(Outcome.PAUSED, LOST, ExitCode.COULD_NOT_JUDGE, id="paused-by-a-loss"),
    ],
)
def test_exit_codes(
    outcome: Outcome, event: ProcessExited, code: ExitCode, report: RunReport
) -> None:
    """A bad release is told from a broken tool."""
    assert exit_code(replace(report, outcome=outcome), (event,)) is code


def test_an_interrupted_run_is_no_success(report: RunReport) -> None:
    """Whatever else it is."""
    code = exit_code(replace(report, outcome=Outcome.INTERRUPTED), ())
    assert code is not ExitCode.OK


@pytest.mark.parametrize(
    ("expect", "told"),
    [
        pytest.param(None, "", id="nothing-expected"),
        pytest.param({"outcome": "aborted"}, "", id="outcome"),
        pytest.param({"outcome": "aborted", "abortedAtStep": 5}, "", id="step"),
        pytest.param({"outcome": "aborted", "within": "1h"}, "", id="in-time"),
        pytest.param(
            {"outcome": "promoted"}, "expected outcome promoted, got aborted", id="other-outcome"
        ),
        pytest.param(
            {"outcome": "aborted", "abortedAtStep": 8},
            "expected the abort at step 8, got it at step 5",
            id="other-step",
        ),
        pytest.param(
            {"outcome": "aborted", "within": "1m"},
            "expected the end within 60 s, it took",
            id="too-late",
        ),
    ],
)
def test_expectations(expect: dict[str, Any] | None, told: str, report: RunReport) -> None:
    """What the scenario expected and the run did not do, in one sentence."""
    scenario = Scenario.model_validate({"name": "x", "expect": expect})
    found = unmet_expectation(report, scenario)
    assert found.startswith(told)
    assert bool(found) is bool(told)


def request(folder: Path, **fields: Any) -> RunRequest:
    """Return a request for a run of the QA manifests."""
    known = {
        "manifests": QA,
        "scenario": Scenario(name="x"),
        "folder": folder / "run",
        "speed": 10.0,
        "argo_version": ArgoVersion.V1_9,
    }
    return RunRequest(**known | fields)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        pytest.param({"speed": 0.0}, "--speed 0: expected more than 0", id="no-speed"),
        pytest.param({"speed": -1.0}, "--speed -1", id="backwards"),
        pytest.param({"speed": 1000.0}, "--speed 1000", id="too-fast"),
        pytest.param({"speed": float("nan")}, "--speed nan", id="nan"),
        pytest.param({"manifests": Path("nowhere")}, "nowhere", id="no-manifests"),
        pytest.param({"rollout": "web"}, "web", id="no-such-rollout"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything(
    fields: dict[str, Any], told: str, tmp_path: Path
) -> None:
    """One sentence; no folder, no log, no program."""
    with pytest.raises(InvalidInput) as caught:
        perform(request(tmp_path, **fields))
    assert told in caught.value.detail
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("scenario", "told"),
    [
        pytest.param({"mode": "simulate"}, "mode", id="simulation"),
        pytest.param({"traffic": {"rate": "1000/s"}}, "10000", id="too-many-votes"),
        pytest.param(
            {"timeline": [{"on": {"step": 9}, "do": "abort"}]},
            "timeline.0.on.step is 9, but the Rollout has 9 steps",
            id="no-such-step",
        ),
        pytest.param(
            {"expect": {"outcome": "aborted", "abortedAtStep": 9}},
            "expect.abortedAtStep is 9",
            id="expects-no-such-step",
        ),
        pytest.param(
            {"versions": {"stable": "e3e1a9b-20260204015120"}},
            "nothing to roll out",
            id="same-version",
        ),
    ],
)
def test_a_scenario_that_tests_nothing_is_refused(
    scenario: dict[str, Any], told: str, tmp_path: Path
) -> None:
    """Or that one machine cannot do."""
    asked = request(tmp_path, scenario=Scenario.model_validate({"name": "x"} | scenario))
    with pytest.raises(InvalidInput) as caught:
        perform(asked)
    assert told in caught.value.detail
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []
