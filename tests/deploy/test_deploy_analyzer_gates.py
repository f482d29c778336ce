"""The analyzer's gates, run by the runner's own engine: nothing but proof gets through."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from deploy_manifests import DEPLOY, documents
from deploy_validation import ARGO_VERSIONS, schema_complaints

from analyzer.schemas.config_file import PRESETS
from analyzer.schemas.parameters import read_analysis_query
from rollout_runner.argo.analysis import (
    AnalysisRunSpec,
    AnalysisRunStatus,
    begin,
    finish,
    resolve_run,
)
from rollout_runner.argo.conditions import assess
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

GATES = DEPLOY / "components" / "analyzer-gate"
SECRETS = {"newrelic-api-key": {"api-key": "k"}}
ARGUMENTS = {
    "app-name": "voting01-vote-qa",
    **dict.fromkeys(("canary-hash", "preview-hash"), "7cd75c6d7c"),
    **dict.fromkeys(("stable-hash", "active-hash"), "54bc444575"),
}
INLINE = ("gate", "gate-single", "prepromotion")


def _template(name: str) -> dict[str, Any]:
    (template,) = documents(GATES / f"{name}.yaml")
    return template


def _run(name: str, answers: list[Any], version: ArgoVersion, *, looks: int = 40) -> Phase | None:
    """Return how a run ends whose analyzer gives these answers, the last one for ever.

    An answer of None is no answer: a problem, a time-out. A run that goes on after `looks` is None.
    """
    spec = _template(name)["spec"]
    filled = [
        {"name": one["name"], "value": ARGUMENTS[one["name"]]} if one["name"] in ARGUMENTS else one
        for one in spec["args"]
    ]
    run = resolve_run(AnalysisRunSpec.from_json({**spec, "args": filled}), SECRETS)
    assert not run.error
    status, now, asked = AnalysisRunStatus(), 0.0, 0
    for _ in range(10 * looks):
        status, tasks = begin(run, status, now=now, version=version)
        results = {}
        for task in tasks:
            answer = answers[min(asked, len(answers) - 1)]
            asked += 1
            results[task.metric.name] = _measure(task.metric, answer, now, version)
        status, next_at = finish(run, status, results, now=now, version=version)
        if status.completed:
            return status.phase
        if asked >= looks:
            return None
        assert next_at is not None
        now = next_at
    raise AssertionError("the run neither measures nor ends")


def _measure(metric: Any, answer: Any, now: float, version: ArgoVersion) -> Measurement:
    if answer is None:
        return Measurement(phase=Phase.ERROR, message="502", started_at=now)
    phase, message = assess(
        answer,
        success_condition=metric.success_condition,
        failure_condition=metric.failure_condition,
        version=version,
    )
    return Measurement(phase=phase, message=message, started_at=now)


PASS, FAIL, UNSURE = ({"verdict": verdict} for verdict in ("pass", "fail", "inconclusive"))


@pytest.mark.parametrize("version", list(ArgoVersion))
@pytest.mark.parametrize("name", INLINE)
@pytest.mark.parametrize(
    ("answers", "phase"),
    [
        pytest.param([PASS], Phase.SUCCESSFUL, id="pass"),
        pytest.param([FAIL], Phase.FAILED, id="fail"),
        pytest.param([UNSURE], Phase.INCONCLUSIVE, id="never-sure"),
        pytest.param([{}], Phase.INCONCLUSIVE, id="no-verdict"),
        pytest.param([{"verdict": None}], Phase.INCONCLUSIVE, id="null-verdict"),
        pytest.param([{"verdict": "PASS"}], Phase.INCONCLUSIVE, id="unknown-verdict"),
        pytest.param([None], Phase.ERROR, id="no-answer"),
    ],
)
def test_only_a_pass_passes(
    name: str, version: ArgoVersion, answers: list[Any], phase: Phase
) -> None:
    """Whatever else the analyzer says, or does not say, the gate stays shut."""
    assert _run(name, answers, version) is phase


@pytest.mark.parametrize("name", ["gate", "prepromotion"])
def test_a_late_verdict_counts_at_once(name: str) -> None:
    """Waiting is no failure, and the first verdict ends the run."""
    assert _run(name, [UNSURE, UNSURE, PASS, FAIL], ArgoVersion.V1_9) is Phase.SUCCESSFUL
    assert _run(name, [UNSURE, UNSURE, FAIL, PASS], ArgoVersion.V1_9) is Phase.FAILED
    assert _run(name, [UNSURE, None, UNSURE, PASS], ArgoVersion.V1_9) is Phase.SUCCESSFUL


@pytest.mark.parametrize("version", list(ArgoVersion))
def test_the_background_gate_goes_on_until_a_fail(version: ArgoVersion) -> None:
    """Only a fail, an answer without a verdict or five silences end it."""
    assert _run("background", [UNSURE, PASS, UNSURE], version) is None
    assert _run("background", [UNSURE, PASS, FAIL], version) is Phase.FAILED
    assert _run("background", [PASS, {}], version) is Phase.INCONCLUSIVE
    assert _run("background", [PASS, None], version) is Phase.ERROR


@pytest.mark.parametrize("argo", ARGO_VERSIONS)
@pytest.mark.parametrize("name", [*INLINE, "background"])
def test_the_release_knows_every_field(name: str, argo: str) -> None:
    """The schema of the release has nothing against the template."""
    assert schema_complaints(_template(name), argo=argo) == []


def test_the_form_for_older_releases_leaves_out_what_they_ignore() -> None:
    """Before 1.8 there is no consecutiveSuccessLimit, so that form must not lean on it."""
    (metric,) = _template("gate-single")["spec"]["metrics"]
    assert "consecutiveSuccessLimit" not in metric
    for name in ("gate", "prepromotion"):
        (metric,) = _template(name)["spec"]["metrics"]
        assert metric["consecutiveSuccessLimit"] == 1


@pytest.mark.parametrize("name", [*INLINE, "background"])
def test_the_analyzer_takes_the_question(name: str) -> None:
    """The address holds parameters that the analyzer knows, and asks for a run of its preset."""
    spec = {**_template(name)["spec"]}
    spec["args"] = [
        {"name": one["name"], "value": ARGUMENTS[one["name"]]} if one["name"] in ARGUMENTS else one
        for one in spec["args"]
    ]
    run = resolve_run(AnalysisRunSpec.from_json(spec), SECRETS)
    (metric,) = run.task_metrics
    address = urlsplit(metric.provider["web"]["url"])
    query = read_analysis_query(parse_qsl(address.query, keep_blank_values=True))
    assert address.path == "/v1/analysis"
    assert query.run == "voting01-vote-qa-7cd75c6d7c"
    assert query.config in PRESETS
