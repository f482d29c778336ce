from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_manifests import DEPLOY, documents, only, parse, pod_specs
from deploy_validation import schema_complaints

SHELL = shutil.which("sh")
FIVE_KEYS = (
    '{"app":"voting01-vote-qa","metric":"errorRate","window":"5m","errorRate":%s,'
    '"timestamp":"2026-02-04T02:02:23Z"}'
)
CURL = """#!/bin/sh
printf '%s\\n' "$@" > "$FAKE/arguments"
cat "$FAKE/answer"
exit "$(cat "$FAKE/status")"
"""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A container of the job form, with its script run where `curl` answers as told."""

    container: dict[str, Any]
    folder: Path

    @property
    def script(self) -> str:
        """The text that the container hands to /bin/sh."""
        (script,) = self.container["args"]
        return script

    def run(
        self, answer: str, *, curl_exit: int = 0, **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the script; `answer` is what curl prints."""
        (self.folder / "answer").write_bytes(answer.encode())
        (self.folder / "status").write_text(str(curl_exit))
        assert SHELL is not None
        return subprocess.run(
            [SHELL, "-c", self.script],
            env={"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}", "FAKE": str(self.folder)}
            | env,
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )

    def arguments(self) -> list[str]:
        """Return what curl was called with."""
        return (self.folder / "arguments").read_text().splitlines()


def _job(name: str, folder: Path) -> Job:
    operations = documents(DEPLOY / "components/job-form/canary-analysis.patch.yaml")
    containers = (each for pod in pod_specs(operations) for each in pod["containers"])
    (container,) = (each for each in containers if each["name"] == name)
    curl = folder / "curl"
    curl.write_text(CURL)
    curl.chmod(0o755)
    return Job(container=container, folder=folder)


@pytest.fixture(name="health")
def _health(tmp_path: Path) -> Job:
    return _job("health-check", tmp_path)


@pytest.fixture(name="check")
def _check(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs the error-rate script against one answer."""
    job = _job("newrelic-check", tmp_path)

    def run(
        answer: str, *, threshold: str = "2", curl_exit: int = 0
    ) -> subprocess.CompletedProcess[str]:
        return job.run(
            answer,
            curl_exit=curl_exit,
            NEWRELIC_URL="http://apm:8080",
            APP_NAME="voting01-vote-qa",
            WINDOW="5m",
            ERROR_THRESHOLD=threshold,
            NEW_RELIC_API_KEY="test-key",
        )

    return run


class TestErrorRate:
    """The script of the metric error-rate."""

    @pytest.mark.parametrize(
        ("rate", "threshold"),
        [
            pytest.param("0.5", "2", id="below"),
            pytest.param("0", "2", id="zero"),
            pytest.param("0.0", "2", id="zero-point"),
            pytest.param("1.9999", "2", id="just-below"),
            pytest.param("5.2", "6", id="higher-threshold"),
            pytest.param("9", "10", id="numbers-not-text"),
        ],
    )
    def test_rate_below_the_threshold_passes(
        self, check: Callable[..., Any], rate: str, threshold: str
    ) -> None:
        """A number below the threshold is exit 0, and the log holds the rate."""
        done = check(FIVE_KEYS % rate, threshold=threshold)
        assert done.returncode == 0, done.stderr
        assert f'{{"errorRate": {rate}}}' in done.stdout

    @pytest.mark.parametrize(
        ("rate", "threshold"),
        [
            pytest.param("5.2", "2", id="above"),
            pytest.param("2.0", "2", id="equal"),
            pytest.param("2", "2", id="equal-whole"),
            pytest.param("10", "2", id="numbers-not-text"),
            pytest.param("100", "2", id="everything-failed"),
            pytest.param("0.5", "0.1", id="lower-threshold"),
        ],
    )
    def test_rate_not_below_the_threshold_fails(
        self, check: Callable[..., Any], rate: str, threshold: str
    ) -> None:
        """At the threshold or above it is exit 1."""
        assert check(FIVE_KEYS % rate, threshold=threshold).returncode == 1

    @pytest.mark.parametrize(
        "body",
        [
            pytest.param("", id="empty"),
            pytest.param("   \n", id="blank"),
            pytest.param("<html><body>404 Not Found</body></html>", id="html"),
            pytest.param('<html>"errorRate": 0.1</html>', id="html-with-key"),
            pytest.param('{"detail":"Not Found"}', id="not-found"),
            pytest.param('{"error":"invalid Api-Key"}', id="wrong-key"),
            pytest.param('{"errorRate": "5.2"}', id="text"),
            pytest.param('{"errorRate": "0.1"}', id="text-below"),
            pytest.param('{"errorRate": null}', id="null"),
            pytest.param('{"errorRate": NaN}', id="nan"),
            pytest.param('{"errorRate": Infinity}', id="infinity"),
            pytest.param('{"errorRate": -1}', id="negative"),
            pytest.param('{"errorRate": true}', id="true"),
            pytest.param('{"errorRate": {"value": 5.2}}', id="nested-value"),
            pytest.param('{"errorRate": {"errorRate": 0.1}}', id="nested-key"),
            pytest.param('{"errorRate": [0.1]}', id="list"),
            pytest.param('{"errorrate": 0.1}', id="wrong-case"),
            pytest.param('{"ErrorRate": 0.1}', id="capital"),
            pytest.param('{\n  "errorRate":\n    5.2\n}', id="lines-above"),
            pytest.param('{"errorRate": 1\n5.2}', id="number-over-lines"),
            pytest.param('{"errorRate": 1.5e1}', id="exponent-above"),
            pytest.param('{"errorRate": 1e-05}', id="exponent-below"),
            pytest.param('{"errorRate": 0.1, "baseline": {"errorRate": 9.9}}', id="second-nested"),
            pytest.param('{"errorRate": 0.1, "errorRate": 9.9}', id="second-key"),
            pytest.param('{"errorRate": 9.9, "errorRate": 0.1}', id="second-key-below"),
            pytest.param('{"stableErrorRate": 0.1}', id="other-key"),
            pytest.param('{"note": "\\"errorRate\\": 0.1"}', id="key-inside-text"),
            pytest.param('{"errorRate": 0.1', id="truncated"),
            pytest.param('{"errorRate": 0.1,', id="truncated-comma"),
            pytest.param('{"errorRate": 0.', id="truncated-number"),
            pytest.param('{"errorRate": 00.1}', id="leading-zero"),
            pytest.param('{"errorRate": .5}', id="no-whole-part"),
            pytest.param('{"errorRate": 0,5}', id="decimal-comma"),
            pytest.param('{"errorRate": 0.1}{"errorRate": 9.9}', id="two-objects"),
            pytest.param('[{"errorRate": 0.1}]', id="list-of-objects"),
            pytest.param("null", id="bare-null"),
            pytest.param("0.1", id="bare-number"),
        ],
    )
    def test_anything_but_one_plain_number_never_passes(
        self, check: Callable[..., Any], body: str
    ) -> None:
        """Whatever is not one flat object with one plain errorRate is no reading."""
        done = check(body)
        assert done.returncode != 0
        assert '{"errorRate"' not in done.stdout

    @pytest.mark.parametrize(
        "threshold",
        ["2%", "2,0", "abc", "", " 2", "-1", "2.", ".5", "1.2.3", "1e3", "2\n100", "$(echo 9)"],
    )
    def test_threshold_that_is_no_number_never_passes(
        self, check: Callable[..., Any], threshold: str
    ) -> None:
        """A threshold that awk would compare as text is refused before anything is asked."""
        done = check(FIVE_KEYS % "0.1", threshold=threshold)
        assert done.returncode == 2
        assert "error-threshold" in done.stderr

    @pytest.mark.parametrize(
        "curl_exit",
        [
            pytest.param(6, id="no-such-host"),
            pytest.param(7, id="refused"),
            pytest.param(22, id="http-error"),
            pytest.param(28, id="timeout"),
        ],
    )
    def test_failed_request_never_passes(self, check: Callable[..., Any], curl_exit: int) -> None:
        """Even a good body does not help when curl says that the request failed."""
        done = check(FIVE_KEYS % "0.1", curl_exit=curl_exit)
        assert done.returncode == 2
        assert f"exit code {curl_exit}" in done.stderr

    def test_pretty_printed_answer_is_read(self, check: Callable[..., Any]) -> None:
        """Line breaks between tokens are JSON like any other."""
        assert check('{\r\n\t"app": "a",\r\n\t"errorRate": 0.5\r\n}\r\n').returncode == 0

    def test_request(self, check: Callable[..., Any], tmp_path: Path) -> None:
        """The request fails on HTTP errors, has a time limit, and encodes its arguments."""
        check(FIVE_KEYS % "0.5")
        arguments = (tmp_path / "arguments").read_text().splitlines()
        assert "-fsS" in arguments
        assert arguments[arguments.index("--max-time") + 1] == "30"
        assert "Api-Key: test-key" in arguments
        encoded = [
            arguments[index + 1]
            for index, each in enumerate(arguments)
            if each == "--data-urlencode"
        ]
        assert encoded == ["app=voting01-vote-qa", "metric=errorRate", "window=5m"]
        assert arguments[-1] == "http://apm:8080/v1/metrics"


class TestHealth:
    """The script of the metric http-health."""

    def test_200_is_healthy(self, health: Job) -> None:
        """Only 200 passes, asked of the service's cluster name."""
        done = health.run("200", SERVICE_NAME="vote-canary", NAMESPACE="voting01-qa")
        assert (done.returncode, done.stdout) == (0, "healthy\n")
        assert health.arguments()[-1] == "http://vote-canary.voting01-qa.svc.cluster.local/"

    @pytest.mark.parametrize(
        ("code", "curl_exit"),
        [
            pytest.param("503", 0, id="unavailable"),
            pytest.param("301", 0, id="redirect"),
            pytest.param("204", 0, id="no-content"),
            pytest.param("000", 7, id="refused"),
            pytest.param("000", 28, id="timeout"),
            pytest.param("200", 28, id="timeout-in-the-body"),
            pytest.param("", 127, id="no-curl"),
        ],
    )
    def test_anything_else_is_unhealthy(self, health: Job, code: str, curl_exit: int) -> None:
        """Another status, or a request that did not finish, fails."""
        done = health.run(code, curl_exit=curl_exit, SERVICE_NAME="vote", NAMESPACE="n")
        assert done.returncode == 1
        assert done.stderr.startswith("unhealthy: HTTP ")

    def test_missing_argument_fails(self, health: Job) -> None:
        """An environment variable that is not set ends the script, not the check."""
        assert health.run("200", SERVICE_NAME="vote").returncode != 0


@pytest.mark.parametrize("name", ["health-check", "newrelic-check"])
class TestScripts:
    """What both scripts have in common."""

    def test_arguments_are_never_pasted_into_the_script(self, name: str, tmp_path: Path) -> None:
        """Argo replaces `{{…}}` as text: in a script that would be code."""
        job = _job(name, tmp_path)
        assert "{{" not in job.script
        assert "}}" not in job.script

    def test_every_variable_is_given(self, name: str, tmp_path: Path) -> None:
        """The container sets exactly the variables in capitals that its script reads."""
        job = _job(name, tmp_path)
        read = set(re.findall(r"\$\{?([A-Z_]+)", job.script))
        assert read == {each["name"] for each in job.container["env"]}

    @pytest.mark.external
    def test_shellcheck_is_content(self, name: str, tmp_path: Path) -> None:
        """The script is plain POSIX sh without the usual mistakes."""
        here = Path(sys.executable).parent
        shellcheck = shutil.which("shellcheck", path=f"{here}{os.pathsep}{os.environ['PATH']}")
        if shellcheck is None:
            pytest.skip("shellcheck is not installed")
        done = subprocess.run(
            [shellcheck, "-s", "sh", "-"],
            input=_job(name, tmp_path).script,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout


@pytest.fixture(name="job_template", scope="module")
def _job_template(
    kustomize: Callable[[Path], str], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """Return voting01-canary-analysis as an overlay with the component renders it."""
    folder = tmp_path_factory.mktemp("job-form")
    kustomization = {
        "resources": [os.path.relpath(DEPLOY / "overlays/qa", folder)],
        "components": [os.path.relpath(DEPLOY / "components/job-form", folder)],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(kustomization))
    return only(parse(kustomize(folder)), "AnalysisTemplate", "voting01-canary-analysis")


@pytest.mark.deploy
class TestRendered:
    """The component applied to the QA overlay."""

    def test_valid_against_the_crd(self, job_template: dict[str, Any]) -> None:
        """The job form passes the strict schema, pod template included."""
        assert schema_complaints(job_template) == []

    def test_two_jobs_and_a_comparison(self, job_template: dict[str, Any]) -> None:
        """The comparison stays a web metric; counts and limits stay the document's."""
        seen = [
            (each["name"], list(each["provider"]), each["count"], each["failureLimit"])
            for each in job_template["spec"]["metrics"]
        ]
        assert seen == [
            ("http-health", ["job"], 3, 1),
            ("error-rate", ["job"], 2, 1),
            ("canary-vs-stable", ["web"], 2, 1),
        ]

    def test_no_dead_conditions(self, job_template: dict[str, Any]) -> None:
        """A job is judged by its exit code; conditions there would only look like a gate."""
        for metric in job_template["spec"]["metrics"][:2]:
            assert not {"successCondition", "failureCondition"} & metric.keys()

    def test_one_try_and_an_end(self, job_template: dict[str, Any]) -> None:
        """A job neither retries on its own, nor hangs, nor stays behind."""
        for metric in job_template["spec"]["metrics"][:2]:
            spec = metric["provider"]["job"]["spec"]
            assert spec["backoffLimit"] == 0
            assert 0 < spec["activeDeadlineSeconds"] <= 120
            assert spec["ttlSecondsAfterFinished"] == 120
            assert spec["template"]["spec"]["restartPolicy"] == "Never"
