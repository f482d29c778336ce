"""`gatelab analyze`: a template from a file against a live endpoint."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rollout_runner.cli import cli
from svckit.errors import InvalidInput

TEMPLATE = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: errors, namespace: shop}
spec:
  args:
    - {name: app}
    - name: key
      valueFrom: {secretKeyRef: {name: apm, key: api-key}}
  metrics:
    - name: error-rate
      CADENCE
      failureLimit: 0
      successCondition: result.errorRate < 2
      failureCondition: result.errorRate > 5
      provider:
        web:
          url: "http://apm.monitoring/v1/metrics?app={{args.app}}"
          headers: [{key: Api-Key, value: "{{args.key}}"}]
---
apiVersion: v1
kind: Secret
metadata: {name: apm, namespace: shop}
stringData: {api-key: secret}
"""


class Apm(BaseHTTPRequestHandler):
    """Answers the rate that the app's name says."""

    def do_GET(self) -> None:
        """Answer one question of a caller with the right key."""
        rate = self.path.rpartition("=")[2]
        status = 200 if self.headers["Api-Key"] == "secret" and rate != "none" else 404
        body = json.dumps({"errorRate": float(rate)} if status == 200 else {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def apm() -> Iterator[str]:
    """Yield host and port of an APM."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Apm)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def analyze(folder: Path, *flags: str, cadence: str = "count: 1") -> Result:
    """Run the command on the template."""
    path = folder / "gate.yaml"
    path.write_text(TEMPLATE.replace("CADENCE", cadence), encoding="utf-8")
    return CliRunner().invoke(cli, ["analyze", str(path), *flags])


@pytest.mark.parametrize(
    ("rate", "phase", "code"),
    [("0.5", "Successful", 0), ("7", "Failed", 3), ("3", "Inconclusive", 4)],
)
def test_the_exit_code_tells_the_verdict(
    tmp_path: Path, apm: str, rate: str, phase: str, code: int
) -> None:
    """Successful, Failed and Inconclusive end with 0, 3 and 4; the status is Argo's."""
    flags = ["--arg", f"app={rate}", "--resolve", f"apm.monitoring={apm}", "--output", "json"]
    result = analyze(tmp_path, *flags)
    assert result.exit_code == code
    status = json.loads(result.stdout)
    assert status["phase"] == phase
    (metric,) = status["metricResults"]
    (measurement,) = metric["measurements"]
    assert measurement["phase"] == phase
    assert json.loads(measurement["value"]) == {"errorRate": float(rate)}
    assert measurement["startedAt"].endswith("Z")


def test_a_metric_without_an_end_needs_one(tmp_path: Path, apm: str) -> None:
    """An endless metric is refused, unless the run is to be ended after a time."""
    flags = ["--arg", "app=0.1", "--resolve", f"apm.monitoring={apm}", "--terminate-after", "300ms"]
    result = analyze(tmp_path, *flags, cadence="interval: 1h")
    assert result.exit_code == 0
    assert "Run Terminated" in result.stdout
    refused = analyze(tmp_path, *flags[:-2], cadence="interval: 1h")
    assert isinstance(refused.exception, InvalidInput)
    assert "no end" in refused.exception.detail


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        ((), "args.app was not resolved"),
        (("--arg", "app"), "--arg app: expected NAME=VALUE"),
        (("--arg", "app=1", "--arg", "app=2"), "--arg app: it is there twice"),
        (("--arg", "app=1", "--arg", "x=2"), "--arg x: no template declares this argument"),
        (("--arg", "app=1", "--template", "x"), "--template x: there is no such template"),
        (("--arg", "app=1", "--resolve", "a.b=c"), "--resolve a.b=c: expected HOST:PORT"),
        (("--arg", "app=1", "--terminate-after", "1d"), "--terminate-after: "),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, flags: tuple[str, ...], sentence: str
) -> None:
    """Bad input is refused before anything is asked."""
    result = analyze(tmp_path, *flags)
    assert isinstance(result.exception, InvalidInput)
    assert result.exception.detail.startswith(sentence)
