"""The HTML report in a real browser: its charts are drawn from the one file alone."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from rollout_runner.report import build_report, render_html
from unit.rollout_runner.report_logs import Log, aborted_log, promoted_log

pytestmark = pytest.mark.external

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=3000",
)


def browse(page: Path, profile: Path) -> str:
    """Return the document as the browser has it after running the page's script."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.skip("no chromium on PATH")
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={profile}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("log", [promoted_log, aborted_log])
def test_both_charts_are_drawn(log: Callable[[], Log], tmp_path: Path) -> None:
    """Weight and error rate each become a chart with a canvas."""
    page = tmp_path / "report.html"
    page.write_text(render_html(build_report(log().events)), encoding="utf-8")
    document = browse(page, tmp_path / "profile")
    assert len(re.findall(r'<div class="uplot', document)) == 2
    assert document.count("<canvas") == 2
