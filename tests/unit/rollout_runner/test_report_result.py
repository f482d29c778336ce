from __future__ import annotations

import json
from typing import Any

import pytest
from report_logs import ABORT_MESSAGE, RUN, Log, aborted_log, paused_log, promoted_log, upto

from rollout_runner import events as ev
from rollout_runner.report import build_report, render_json

CONTRACT = [
    "outcome",
    "phase",
    "message",
    "abortedAtStep",
    "steps",
    "analysisRuns",
    "weights",
    "startedAt",
    "finishedAt",
]


def document(log: Log) -> dict[str, Any]:
    """Return the parsed result document of a run."""
    parsed: dict[str, Any] = json.loads(render_json(build_report(log.events)))
    return parsed


def test_the_document_has_the_contract_s_keys_first() -> None:
    """The keys that scripts rely on come first, in the order of the contract."""
    assert list(document(promoted_log()))[: len(CONTRACT)] == CONTRACT


def test_an_analysis_run_has_the_contract_s_keys() -> None:
    """Runs, metrics and measurements have the contract's keys; additions follow."""
    run = document(promoted_log())["analysisRuns"][1]
    assert list(run)[:4] == ["name", "phase", "template", "metrics"]
    metric = run["metrics"][1]
    assert list(metric)[:8] == [
        "name",
        "phase",
        "count",
        "successful",
        "failed",
        "inconclusive",
        "error",
        "measurements",
    ]
    keys = {"phase", "value", "startedAt", "finishedAt", "message"}
    assert set(metric["measurements"][0]) == keys


def test_the_promoted_run() -> None:
    """A promotion has its weights in order, its runs Successful, and no aborted step."""
    result = document(promoted_log())
    assert result["outcome"] == "promoted"
    assert result["abortedAtStep"] is None
    assert result["weights"] == [20, 50, 100, 0]
    assert [(run["name"], run["phase"]) for run in result["analysisRuns"]] == [
        (f"{RUN}-{index}", "Successful") for index in (2, 5, 8)
    ]
    assert result["startedAt"] == "2026-02-04T01:54:36Z"
    assert result["finishedAt"] == "2026-02-04T02:05:32Z"


def test_the_aborted_run() -> None:
    """An abort has its index, message and failed measurements with value and times."""
    result = document(aborted_log())
    assert (result["outcome"], result["phase"]) == ("aborted", "Degraded")
    assert result["abortedAtStep"] == 5
    assert result["message"] == ABORT_MESSAGE
    metric = result["analysisRuns"][1]["metrics"][1]
    assert (metric["name"], metric["phase"], metric["failed"]) == ("error-rate", "Failed", 2)
    first = metric["measurements"][0]
    assert json.loads(first["value"])["errorRate"] == 5.18
    assert first["startedAt"] == "2026-02-04T02:02:00Z"
    assert first["finishedAt"] == "2026-02-04T02:02:01Z"
    assert result["rollback"]["seconds"] == 61


def test_traffic_per_version() -> None:
    """Each version has its role, requests, errors and error rate."""
    versions = {entry["role"]: entry for entry in document(aborted_log())["traffic"]}
    assert versions["canary"]["errorRate"] == pytest.approx(5.2, abs=0.1)
    assert versions["stable"]["errors"] == 18
    assert versions["stable"]["version"] == "v16"


def test_no_traffic_has_no_error_rate() -> None:
    """Without requests the error rate is null, never 0."""
    log = Log(traffic=False)
    log.start()
    result = document(log)
    assert [entry["errorRate"] for entry in result["traffic"]] == [None, None]
    assert result["downtimeSeconds"] is None


def test_an_interrupted_run_has_no_end() -> None:
    """A killed run says so, and its end is null."""
    log = promoted_log()
    log.events = upto(log.events, ev.RunFinished)
    result = document(log)
    assert (result["outcome"], result["finishedAt"]) == ("interrupted", None)


@pytest.mark.parametrize("make", [promoted_log, aborted_log, paused_log])
def test_same_log_same_bytes(make: Any) -> None:
    """Rendering knows no clock: the same log gives the same text."""
    assert render_json(build_report(make().events)) == render_json(build_report(make().events))
