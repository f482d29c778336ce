"""The audit on whole manifests: its gates are tried in a world with the real APM and analyzer."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from typer.testing import CliRunner

from rollout_runner.cli import cli
from svckit.errors import InvalidInput

ROOT = Path(__file__).resolve().parents[2]
RENDERED = ROOT / "deploy" / "rendered"
DOCUMENT = ROOT / "tests" / "vectors" / "audit" / "document-job-gate.yaml"
GATE = "step 2"


def run(*arguments: str) -> tuple[int, str]:
    """Run `gatelab audit` and return exit code and stdout."""
    done = CliRunner().invoke(cli, ["audit", "-q", *arguments], catch_exceptions=True)
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def audit(path: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run it and return exit code and document."""
    code, text = run(str(path), "--output", "json", *arguments)
    document: dict[str, Any] = json.loads(text)
    return code, document


def faults(*names: str) -> list[str]:
    """Return the flags that choose these faults."""
    return [flag for name in names for flag in ("--fault", name)]


def cells(document: dict[str, Any]) -> dict[str, str]:
    """Return the verdict of the only gate under each fault."""
    return {cell["fault"]: cell["verdict"] for cell in document["cells"]}


def web_gate(folder: Path, **metric: Any) -> Path:
    """Write the document's Rollout with one web metric on the error rate instead of its Jobs."""
    documents = list(yaml.safe_load_all(DOCUMENT.read_text("utf-8")))
    (template,) = (each for each in documents if each["kind"] == "AnalysisTemplate")
    url = "http://mock-newrelic.voting01-apm.svc.cluster.local:8080/v1/metrics"
    web = {
        "url": f"{url}?app={{{{args.app-name}}}}&metric=errorRate&window=5m",
        "headers": [{"key": "Api-Key", "value": "test-key"}],
        "jsonPath": "{$}",
    }
    template["spec"]["metrics"] = [
        {"name": "error-rate", "count": 1, "provider": {"web": web}, **metric}
    ]
    path = folder / "gate.yaml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return path


def test_the_gate_of_the_document_lights_up() -> None:
    """Its `|| echo "0"` makes an outage a promotion; a right answer still stops a bad canary."""
    code, document = audit(
        DOCUMENT,
        *faults("apm-no-data", "apm-503", "apm-null", "apm-html-login-page", "apm-reset"),
        *faults("apm-close-keepalive", "apm-says-zero", "analyzer-503", "wrong-app-name"),
    )
    assert code == 3
    assert document["verdict"] == "fail-open"
    assert cells(document) == {
        "apm-no-data": "fail-open",
        "apm-503": "fail-open",
        "apm-null": "fail-open",
        "apm-html-login-page": "fail-open",
        "apm-reset": "fail-open",
        "apm-close-keepalive": "holds",
        "apm-says-zero": "lie",
        "analyzer-503": "untouched",
        "wrong-app-name": "fail-open",
    }
    found = next(cell for cell in document["cells"] if cell["fault"] == "apm-503")
    by_name = {metric["name"]: metric for metric in found["metrics"]}
    assert "exit code 0 and wrote `Error Rate: 0%" in by_name["error-rate"]["mechanism"]
    assert "curl -f" in by_name["error-rate"]["fix"]
    assert not by_name["http-health"]["passes"]


@pytest.mark.slow
def test_a_script_waits_for_an_apm_that_hangs_and_promotes() -> None:
    """The time-out of its curl ends the wait, ten times sooner than it says."""
    code, document = audit(DOCUMENT, *faults("apm-hang"))
    assert (code, cells(document)) == (3, {"apm-hang": "fail-open"})


@pytest.mark.parametrize(
    ("condition", "opens"),
    [
        ("result.errorRate < {{args.error-threshold}}", {"apm-negative"}),
        ("result.errorRate >= 0 && result.errorRate < 2", set()),
        ("(result.errorRate ?? 0) < 2", {"apm-negative", "apm-missing-key", "apm-null"}),
    ],
    ids=["plain", "bounded", "default"],
)
def test_a_web_gate_opens_where_its_condition_does(
    tmp_path: Path, condition: str, opens: set[str]
) -> None:
    """Under the semantics of 1.10, where only conditions decide."""
    path = web_gate(tmp_path, successCondition=condition)
    names = ["apm-negative", "apm-missing-key", "apm-null", "apm-html-login-page", "apm-503"]
    code, document = audit(path, *faults(*names), "--argo-version", "1.10")
    assert {name for name, verdict in cells(document).items() if verdict == "fail-open"} == opens
    assert code == (3 if opens else 0)


def test_html_passes_before_argo_rollouts_1_10(tmp_path: Path) -> None:
    """No condition helps: the answer is never looked at."""
    path = web_gate(tmp_path, successCondition="result.errorRate >= 0 && result.errorRate < 2")
    code, document = audit(path, *faults("apm-html-login-page"), "--argo-version", "1.8")
    (cell,) = document["cells"]
    assert (code, cell["verdict"]) == (3, "fail-open")
    assert "not JSON, and Argo Rollouts 1.8" in cell["mechanism"]
    assert "before Argo Rollouts 1.10" in cell["fix"]


def test_a_gate_that_stops_nothing_is_open_without_any_fault(tmp_path: Path) -> None:
    """A threshold that no canary reaches promotes the bad one by itself."""
    path = web_gate(tmp_path, successCondition="result.errorRate < 101")
    code, document = audit(path, *faults("apm-503"))
    assert code == 3
    assert document["summary"]["gatesThatStopNothing"] == [GATE]
    assert document["gates"][0]["canary"] is None


def test_a_gate_that_does_not_pass_a_good_canary_is_refused(tmp_path: Path) -> None:
    """What it does under a fault would say nothing."""
    path = web_gate(tmp_path, successCondition="result.errorRate > 50")
    with pytest.raises(InvalidInput, match="does not pass a good canary"):
        run(str(path), "--fault", "apm-503")


def test_only_what_fails_open_is_a_failure_in_junit(tmp_path: Path) -> None:
    """A suite for the gate, a case for each fault that reaches it, and one for no fault."""
    path = web_gate(tmp_path, successCondition="result.errorRate < 2")
    names = faults("apm-negative", "apm-503", "apm-says-zero", "analyzer-503")
    code, text = run(str(path), *names, "--output", "junit")
    suite = ET.fromstring(text).find("testsuite")  # noqa: S314 - our own
    assert code == 3
    assert suite is not None
    failed = {case.get("name"): case.find("failure") is not None for case in suite.iter("testcase")}
    assert failed == {
        "no fault": False,
        "apm-negative": True,
        "apm-503": False,
        "apm-says-zero": False,
    }
    output = {c.get("name"): c.findtext("system-out") or "" for c in suite.iter("testcase")}
    assert "lie" in output["apm-says-zero"]


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_every_form_shows_fault_outcome_and_fix(tmp_path: Path, form: str) -> None:
    """Two audits with one seed give the same bytes."""
    path = web_gate(tmp_path, successCondition="result.errorRate < 2")
    first = run(str(path), *faults("apm-negative"), "--output", form)
    assert first == run(str(path), *faults("apm-negative"), "--output", form)
    assert "apm-negative" in first[1]
    assert "FAIL-OPEN" in first[1]
    assert "lower bound" in first[1]


def test_a_step_that_is_no_analysis_is_refused() -> None:
    """The sentence names those that are."""
    with pytest.raises(InvalidInput, match="--step 3 is no analysis"):
        run(str(RENDERED / "qa.yaml"), "--step", "3")
