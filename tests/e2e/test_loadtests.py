"""Load tests as their user runs them: headless, distributed, and from an exported plan."""

from __future__ import annotations

import csv
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.programs import get, serving

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LOCUST = [sys.executable, "-m", "locust", "--headless", "--loglevel", "WARNING", "--skip-log"]
HASHES = {"stable": "79bd65fcc9", "canary": "7cd75c6d7c"}


@pytest.fixture(name="suite", scope="module")
def _suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the URLs of a mock, an analyzer and two versions, and a plan that loads them."""
    with (
        serving("mock_newrelic", "--ephemeral") as mock,
        serving(
            "analyzer", "--source", f"newrelic={mock}", ANALYZER_NEWRELIC_API_KEY="test-key"
        ) as analyzer,
        serving("voteapp", *_reporting(mock, "stable")) as stable,
        serving("voteapp", *_reporting(mock, "canary")) as canary,
    ):
        plan = tmp_path_factory.mktemp("plan") / "plan.yaml"
        plan.write_text(
            f"targets:\n"
            f"  - {{name: stable, url: '{stable}', weight: 80}}\n"
            f"  - {{name: canary, url: '{canary}', weight: 20}}\n"
            f"rate: 20\nduration: 6s\n",
            encoding="utf-8",
        )
        yield {"mock": mock, "analyzer": analyzer, "plan": str(plan)}


def _reporting(mock: str, role: str) -> list[str]:
    return ["--hash", HASHES[role], "--report-to", mock, "--app", "voting01-vote-qa"]


def _flags(suite: dict[str, str]) -> list[str]:
    flags = [f"--{name}={suite[name]}" for name in ("plan", "mock", "analyzer")]
    return ["-f", str(ROOT / "loadtests/locustfile.py"), *flags]


def _run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*LOCUST, *command],
        cwd=ROOT,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _counts(prefix: Path) -> dict[str, tuple[int, int]]:
    """Return requests and failures by name, from locust's own table."""
    with Path(f"{prefix}_stats.csv").open(encoding="utf-8") as lines:
        return {
            row["Name"]: (int(row["Request Count"]), int(row["Failure Count"]))
            for row in csv.DictReader(lines)
        }


def test_a_canary_window_is_loaded_and_held_to_its_limits(
    suite: dict[str, str], tmp_path: Path
) -> None:
    """Voters, gates and analysts all get answers, and the exit code says that limits held."""
    done = _run(
        *_flags(suite), "--csv", str(tmp_path / "load"), "--max-p95-ms=1000", "--min-requests=100"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    counts = _counts(tmp_path / "load")
    assert all(failed == 0 for _, failed in counts.values())
    assert {"POST /", "GET /v1/analysis"} <= set(counts)
    seen = get(f"{suite['mock']}/v1/metrics", app="voting01-vote-qa", metric="count", window="5m")
    votes, _ = counts["POST /"]
    # The versions report a moment later, and locust writes its table once a second.
    assert 0.8 * votes <= seen["count"] <= votes + 45


def test_a_limit_that_does_not_hold_is_named(suite: dict[str, str]) -> None:
    """Exit code 3 and a sentence, so that a pipeline stops and somebody knows why."""
    done = _run(*_flags(suite), "--max-p95-ms=0.0001")
    assert done.returncode == 3, done.stdout + done.stderr
    assert "limit not held:" in done.stdout
    assert "more than 0.0001 ms" in done.stdout


def test_two_workers_share_the_load(suite: dict[str, str], tmp_path: Path) -> None:
    """A master and two workers send what one process would, and count it once."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    worker = [*LOCUST, *_flags(suite), "--worker", "--master-host=127.0.0.1"]
    workers = [
        subprocess.Popen(
            [*worker, "--master-port", port],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(2)
    ]
    try:
        done = _run(
            *_flags(suite),
            *("--master", "--master-bind-host=127.0.0.1", "--master-bind-port", port),
            *("--expect-workers=2", "--csv", str(tmp_path / "load"), "--max-p95-ms=1000"),
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert [one.wait(timeout=20) for one in workers] == [0, 0]
    finally:
        for one in workers:
            if one.poll() is None:
                one.send_signal(signal.SIGKILL)
            one.wait()
    votes, failed = _counts(tmp_path / "load")["POST /"]
    assert failed == 0
    # 20 a second for 6 s, and up to a second more until locust looks at its shape again; fewer on
    # a busy machine, because users wait for their answers.
    assert 60 <= votes <= 145


def test_an_exported_plan_sends_the_same_traffic(suite: dict[str, str], tmp_path: Path) -> None:
    """The file runs where no gatelab is, and its split is that of the plan."""
    file = tmp_path / "locustfile.py"
    subprocess.run(
        [
            sys.executable, "-m", "votegen", "plan", "export", suite["plan"],
            "--locust", "--out", str(file),
        ],
        check=True,
    )  # fmt: skip
    done = _run("-f", str(file), "--csv", str(tmp_path / "load"))
    assert done.returncode == 0, done.stdout + done.stderr
    counts = {
        name: count for name, count in _counts(tmp_path / "load").items() if name != "Aggregated"
    }
    assert all(failed == 0 for _, failed in counts.values())
    total = sum(count for count, _ in counts.values())
    assert 60 <= total <= 145
    canary = min(count for count, _ in counts.values())
    assert canary / total == pytest.approx(0.2, abs=0.15)
