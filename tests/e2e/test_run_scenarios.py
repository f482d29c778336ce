"""The scenarios that ship, with the traffic they ask for, each through the demo command."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatelab_runs import ROOT, gatelab

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(240)]

SCENARIOS = sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_ends_as_it_expects(name: str, tmp_path: Path) -> None:
    """Exit code 0 says that outcome and step are those of the scenario's `expect`."""
    done = gatelab(
        "demo", "--scenario", name, "--speed", "16", "--dir", str(tmp_path), folder=tmp_path
    )
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / name / "report.html").exists()
    assert (tmp_path / "index.html").exists()


def test_the_demo_promotes_and_rolls_back(tmp_path: Path) -> None:
    """Without flags both runs are made, and the result JSON tells of both."""
    done = gatelab(
        "demo", "--dir", str(tmp_path), "--output", "json", "--quiet", folder=tmp_path, timeout=175
    )
    assert done.exit_code == 0, done.stderr
    healthy, bad = done.result
    assert (healthy["scenario"], healthy["outcome"]) == ("healthy", "promoted")
    assert (bad["scenario"], bad["outcome"], bad["abortedAtStep"]) == ("bad-canary", "aborted", 5)
    index = (tmp_path / "index.html").read_text()
    assert 'href="healthy/report.html"' in index
    assert 'href="bad-canary/report.html"' in index
