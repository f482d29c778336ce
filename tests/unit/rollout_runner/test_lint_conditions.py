"""What the linter says of conditions: a table of those that are safe, and of those that are not."""

from __future__ import annotations

import json

import pytest

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint import lint
from rollout_runner.manifests.render import Source

WEB = {"web": {"url": "https://apm.example/v1/x", "jsonPath": "{$}"}}
FIELD = {"web": {"url": "https://apm.example/v1/x", "jsonPath": "{$.value}"}}
PROMETHEUS = {"prometheus": {"address": "https://prometheus.example", "query": "app:rate"}}
SCALAR = {"prometheus": {"address": "https://prometheus.example", "query": "scalar(app:rate)"}}
ROW = {"newRelic": {"query": "SELECT average(duration) AS v FROM Transaction"}}
ROWS = {"newRelic": {"query": "SELECT average(duration) AS v FROM Transaction FACET host"}}


def codes(
    provider: dict[str, object],
    success: str = "",
    failure: str = "",
    version: ArgoVersion = ArgoVersion.V1_9,
) -> set[str]:
    """Lint one metric and return the codes that are found."""
    metric = {"name": "m", "provider": provider}
    metric |= {"successCondition": success} if success else {}
    metric |= {"failureCondition": failure} if failure else {}
    template = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "gate"},
        "spec": {"metrics": [metric]},
    }
    found = lint([Source(name="f.json", text=json.dumps(template))], version=version)
    return {each.code for each in found}


@pytest.mark.parametrize(
    ("provider", "success", "failure"),
    [
        (WEB, "result.errorRate < 2", ""),
        (WEB, 'result.verdict == "pass"', 'result.verdict == "fail"'),
        (WEB, 'result.verdict in ["pass", "inconclusive"]', 'result.verdict == "fail"'),
        (WEB, "result.data.items[0].value <= 0.05 && result.data.total > 100", ""),
        (WEB, "all(result.pods, {.errors < 3}) and len(result.pods) > 0", ""),
        (WEB, 'result.status matches "^ok"', ""),
        (WEB, "result.a < result.b", ""),
        (WEB, "asFloat(result.rate) < 2.5", ""),
        (WEB, "result.p99 != nil && result.p99 < 300", ""),
        (WEB, "result.rate < 2", "result.rate > 5"),
        (FIELD, "result < 300", ""),
        (FIELD, 'result == "healthy"', ""),
        (PROMETHEUS, "len(result) > 0 and result[0] < 0.05", ""),
        (PROMETHEUS, "result[0] >= 0.95", ""),
        (SCALAR, "result < 0.05", ""),
        (ROW, "result.v < 300", ""),
        (ROW, "result['v'] < 300", ""),
        (ROWS, "len(result) > 0 and all(result, {.v < 300})", ""),
    ],
)
def test_safe_conditions_are_left_alone(
    provider: dict[str, object], success: str, failure: str
) -> None:
    """Neither dead, nor open, nor impossible: nothing is found, in any release."""
    for version in ArgoVersion:
        assert codes(provider, success, failure, version) == set()


@pytest.mark.parametrize(
    ("provider", "success", "failure", "expected"),
    [
        (WEB, "", "", {"GL404"}),
        (WEB, "result.rate = 2", "", {"GL401"}),
        (WEB, "result.rate < 2 or true", "", {"GL405"}),
        (WEB, "1 < 2", "", {"GL405"}),
        (WEB, "false", "", {"GL405"}),
        (WEB, 'result.v == "a" and result.v == "b"', "", {"GL405"}),
        (WEB, "result.rate + 1", "", {"GL403"}),
        (WEB, "", 'result.verdict == "fail"', {"GL409"}),
        (WEB, 'result.verdict != "fail"', "", {"GL409"}),
        (WEB, "result.rate == nil or result.rate < 2", "", {"GL409"}),
        (WEB, "(result.rate ?? 0) < 2", "", {"GL409"}),
        (WEB, "result.rate < 5", "result.rate > 2", {"GL406"}),
        (WEB, "default(result.rate, 0) < 2", "", {"GL407"}),
        (WEB, 'result.ok == "true"', "", {"GL411"}),
        (WEB, "result < 2", "", {"GL413"}),
        (WEB, "unknown(result.rate) < 2", "", {"GL402"}),
        (WEB, "result.error-rate < 2", "", {"GL402"}),
        (FIELD, "", 'result == "fail"', {"GL409"}),
        (PROMETHEUS, "result < 0.05", "", {"GL402"}),
        (PROMETHEUS, "result.value < 0.05", "", {"GL402"}),
        (PROMETHEUS, "", "result[0] > 0.05", {"GL410"}),
        (PROMETHEUS, "all(result, {# < 0.05})", "", {"GL408"}),
        (PROMETHEUS, "len(result) == 0 or result[0] < 0.05", "", {"GL409"}),
        (PROMETHEUS, "isNaN(result[0]) or result[0] < 0.05", "", {"GL410"}),
        (PROMETHEUS, "result[0] < 0.05", "result[0] >= 0.05", {"GL414"}),
        (SCALAR, "result[0] < 0.05", "", {"GL402"}),
        (ROW, "result[0].v < 300", "", {"GL402"}),
        (ROWS, "result.v < 300", "", {"GL402"}),
        (ROW, "result.v == nil or result.v < 300", "", {"GL409"}),
    ],
)
def test_what_is_wrong_with_a_condition(
    provider: dict[str, object], success: str, failure: str, expected: set[str]
) -> None:
    """Each kind of mistake has its code, and no second one."""
    assert codes(provider, success, failure) == expected


def test_a_condition_for_a_newer_release() -> None:
    """The expression library of the release decides; the other one is mentioned."""
    condition = "let x = result.rate; if x > 2 { false } else { true }"
    assert codes(WEB, condition, version=ArgoVersion.V1_9) == {"GL401"}
    assert codes(WEB, condition, version=ArgoVersion.V1_10) == set()


def test_arguments_are_filled_in_first() -> None:
    """`2%` as a threshold makes a condition that does not parse; the default is what is tried."""
    text = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: gate}
spec:
  args: [{name: threshold, value: "%s"}]
  metrics:
    - name: m
      successCondition: result.rate < {{args.threshold}}
      provider: {web: {url: https://apm.example/v1/x}}
"""

    def found(value: str) -> set[str]:
        source = Source(name="f.yaml", text=text % value)
        return {each.code for each in lint([source], version=ArgoVersion.V1_9)}

    assert found("2") == set()
    assert found("2%") == {"GL401"}
    assert found("abc") == {"GL402"}
