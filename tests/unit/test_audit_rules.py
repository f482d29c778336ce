"""What the audit makes of an outcome, without a world: pure rules and the catalogue."""

import pytest

from mock_newrelic.domain.effects.registry import parse_effect
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.audit.faults import FAULTS, Inject
from rollout_runner.audit.hurried import hurry
from rollout_runner.audit.judgement import Observation, explain, outcome_of, verdict_of
from rollout_runner.audit.matrix import Canary, Finding, Outcome, Verdict
from rollout_runner.commands.audit import chosen_faults
from svckit.errors import InvalidInput

BY_NAME = {fault.name: fault for fault in FAULTS}
HTML = "<html>Sign in</html>"
BELOW = "result.errorRate < 2"


def seen(phase: Phase | None, *, ended_at: float = 0.0, **fields: object) -> Observation:
    """Return a web metric that ended so."""
    plain = {
        "metric": "error-rate",
        "provider": "web",
        "value": "",
        "message": "",
        "success_condition": BELOW,
        "failure_condition": "",
    }
    return Observation(phase=phase, ended_at=ended_at, **{**plain, **fields})  # type: ignore[arg-type]


def test_every_fault_has_a_name_of_its_own_and_an_effect_that_the_apm_knows() -> None:
    """A fault that cannot be put in force would be a row that always holds."""
    assert len(BY_NAME) == len(FAULTS) > 110
    for fault in FAULTS:
        if isinstance(fault.means, Inject):
            parse_effect(fault.means.effect, None)


@pytest.mark.parametrize(
    ("phases", "outcome"),
    [
        ([(Phase.SUCCESSFUL, 60), (Phase.SUCCESSFUL, 30)], Outcome.PROMOTES),
        ([(Phase.SUCCESSFUL, 60), (Phase.FAILED, 30)], Outcome.ABORTS),
        ([(Phase.INCONCLUSIVE, 30), (Phase.ERROR, 60)], Outcome.PAUSES),
        ([(Phase.INCONCLUSIVE, 60), (Phase.ERROR, 60)], Outcome.ABORTS),
        ([(Phase.RUNNING, 0)], Outcome.WAITS),
        ([(None, 0), (Phase.SUCCESSFUL, 30)], Outcome.WAITS),
    ],
)
def test_the_first_metric_that_does_not_succeed_decides(
    phases: list[tuple[Phase | None, float]], outcome: Outcome
) -> None:
    """It ends the run; only what has ended by then counts."""
    metrics = [seen(phase, ended_at=at) for phase, at in phases]
    assert outcome_of(metrics, run_phase=Phase.RUNNING) is outcome


def test_a_dry_run_decides_nothing() -> None:
    """A metric in dryRun that fails does not stop a rollout, so it must not look as if it did."""
    metrics = [seen(Phase.SUCCESSFUL), seen(Phase.FAILED, dry_run=True)]
    assert outcome_of(metrics, run_phase=Phase.SUCCESSFUL) is Outcome.PROMOTES


def test_a_run_that_cannot_start_aborts() -> None:
    """A missing Secret ends the run in Error before anything is measured."""
    assert outcome_of([], run_phase=Phase.ERROR) is Outcome.ABORTS


@pytest.mark.parametrize(
    ("fault", "outcome", "open_metrics", "verdict"),
    [
        ("apm-503", Outcome.PROMOTES, 1, Verdict.FAIL_OPEN),
        ("apm-says-zero", Outcome.PROMOTES, 1, Verdict.LIE),
        ("apm-503", Outcome.ABORTS, 1, Verdict.WARNING),
        ("apm-503", Outcome.PAUSES, 0, Verdict.HOLDS),
    ],
)
def test_a_promotion_is_open_and_a_metric_alone_is_a_warning(
    fault: str,
    outcome: Outcome,
    open_metrics: int,
    verdict: Verdict,
) -> None:
    """A lie that no condition could tell is shown apart, never as clean."""
    finding = Finding(
        metric="m",
        provider="web",
        canary=Canary.FAILING,
        phase="",
        reading="",
        passes=bool(open_metrics),
    )
    assert verdict_of(BY_NAME[fault], outcome, [finding]) is verdict


@pytest.mark.parametrize(
    ("fault", "version", "fields", "mechanism", "fix"),
    [
        ("apm-html-login-page", "1.9", {"value": HTML}, "not JSON", "before Argo Rollouts 1.10"),
        ("apm-negative", "1.9", {"value": '{"errorRate":-26}'}, "satisfies", "below zero"),
        (
            "apm-missing-key",
            "1.10",
            {"value": "{}", "success_condition": "default(result.errorRate, 0) < 2"},
            "satisfies",
            "missing value",
        ),
        (
            "apm-html-login-page",
            "1.10",
            {"value": HTML, "success_condition": ""},
            "no successCondition",
            "give it a successCondition",
        ),
        ("apm-stale", "1.10", {"value": '{"errorRate":0}'}, "satisfies", "freshnessSeconds"),
        ("apm-503", "1.9", {"provider": "job", "value": "Rate: 0%"}, "exit code 0", "curl -f"),
        ("apm-says-zero", "1.10", {"value": '{"errorRate":0}'}, "satisfies", "independent source"),
    ],
)
def test_a_pass_is_explained(
    fault: str, version: str, fields: dict[str, str], mechanism: str, fix: str
) -> None:
    """Which measurement, which condition, why it passed, and what helps."""
    told = explain(BY_NAME[fault], seen(Phase.SUCCESSFUL, **fields), ArgoVersion(version))
    assert mechanism in told[0]
    assert fix in told[1]


@pytest.mark.parametrize(
    ("program", "given", "hurried"),
    [
        ("curl", ["-sm", "30", "-m10", "http://apm/"], ["-sm", "3", "-m1", "http://apm/"]),
        ("curl", ["--max-time=30", "-o", "30"], ["--max-time=3", "-o", "30"]),
        (
            "curl",
            ["--connect-timeout", "5", "-d", "m=30"],
            ["--connect-timeout", "0.5", "-d", "m=30"],
        ),
        ("wget", ["-T", "20", "-q"], ["-T", "2", "-q"]),
        ("sleep", ["1m"], ["6"]),
        ("timeout", ["-k", "5", "30", "curl", "-m", "30"], ["-k", "0.5", "3", "curl", "-m", "30"]),
    ],
)
def test_time_outs_of_a_script_are_shortened_and_nothing_else(
    program: str, given: list[str], hurried: list[str]
) -> None:
    """A fault that makes a script wait must not make the audit wait as long."""
    assert hurry(program, given, 10) == hurried


def test_faults_are_chosen_by_name_or_prefix() -> None:
    """They keep the order of the catalogue, each once."""
    chosen = chosen_faults(["analyzer-50*", "apm-503", "analyzer-503"])
    assert [fault.name for fault in chosen] == [
        "apm-503",
        "analyzer-500",
        "analyzer-502",
        "analyzer-503",
        "analyzer-504",
    ]
    with pytest.raises(InvalidInput, match="--fault apm-999"):
        chosen_faults(["apm-999"])
