from __future__ import annotations

import re

import pytest
from report_logs import FAILED_METRIC, RUN, Log, aborted_log, paused_log, promoted_log, upto

from rollout_runner import events as ev
from rollout_runner.report import build_report, render_text
from rollout_runner.report.traffic import Counts
from rollout_runner.report.wording import duration, elapsed, percent, rate_of, sparkline


def text(log: Log, *, color: bool = False) -> str:
    """Return the summary of a run."""
    return render_text(build_report(log.events), color=color)


def test_an_abort_in_words() -> None:
    """The summary has outcome, step, reason, measurements, requests, rollback and commands."""
    lines = text(aborted_log()).splitlines()
    assert lines[0] == "✗ ABORTED  vote in voting01-qa: v16 → v17"
    body = "\n".join(lines)
    assert "index 5 (step 6 of 9: analysis: voting01-canary-analysis)" in body
    assert FAILED_METRIC in body
    assert "error-rate #2 02:03:00-02:03:01 Failed: errorRate = 5.23" in body
    assert "canary v17 1,687 requests, 87 failed (5.2 %)" in body
    assert "weight 50 → 0 at 02:03:01, 1m1s after the first evidence; phase Degraded" in body
    assert "18 of 3,663 requests failed; downtime 0 seconds" in body
    assert "kubectl argo rollouts retry rollout vote -n voting01-qa" in body


def test_a_promotion_in_words() -> None:
    """The summary says who took over, how long it took and that the analysis passed."""
    body = text(promoted_log())
    assert body.startswith("✓ PROMOTED")
    assert "v17 took over from v16 after 9 of 9 steps in 10m56s." in body
    assert "3 of 3 AnalysisRuns Successful." in body
    assert f"{RUN}-8  Successful  http-health 3/3, error-rate 2/2  1m1s" in body


def test_a_promotion_without_analysis_is_no_praise() -> None:
    """A rollout without an AnalysisRun was judged by nobody, and the summary says so."""
    log = Log()
    log.start()
    log.add(ev.RunFinished, outcome="promoted", phase="Healthy")
    assert "nothing judged this version" in text(log)


def test_a_pause_waits_for_a_person() -> None:
    """A paused run offers promote and abort."""
    body = text(paused_log())
    assert "v17 waits for a person at index 2" in body
    assert "kubectl argo rollouts promote vote -n voting01-qa" in body


def test_an_interrupted_run_claims_nothing() -> None:
    """Neither promoted nor aborted."""
    log = promoted_log()
    log.events = upto(log.events, ev.RunFinished)
    body = text(log)
    assert body.startswith("! INTERRUPTED")
    assert "The run was stopped before it was over." in body


def test_plain_text_has_no_escapes() -> None:
    """Without color there is no ANSI sequence."""
    assert "\x1b" not in text(aborted_log())


def test_color_changes_nothing_but_color() -> None:
    """With the escapes taken out, the coloured text is the plain one."""
    colored = text(aborted_log(), color=True)
    assert "\x1b[31m" in colored
    assert re.sub(r"\x1b\[\d+m", "", colored) == text(aborted_log())


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param(None, "-", id="unknown"),
        pytest.param(0.0, "0 %", id="zero"),
        pytest.param(0.001, "<0.01 %", id="not-quite-zero"),
        pytest.param(0.48, "0.48 %", id="below-one"),
        pytest.param(5.226, "5.2 %", id="usual"),
        pytest.param(99.99, ">99.9 %", id="not-quite-all"),
        pytest.param(100.0, "100 %", id="all"),
    ],
)
def test_percent(value: float | None, written: str) -> None:
    """Percentages are short, and never round to 0 or 100."""
    assert percent(value) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        pytest.param(None, "-", id="unknown"),
        pytest.param(0, "0s", id="nothing"),
        pytest.param(4.26, "4.3s", id="tenths"),
        pytest.param(120.4, "2m", id="minutes"),
        pytest.param(682, "11m22s", id="both"),
    ],
)
def test_duration(seconds: float | None, written: str) -> None:
    """Durations are written as a person would."""
    assert duration(seconds) == written


@pytest.mark.parametrize(
    ("seconds", "written"), [(0, "0:00"), (521.9, "8:41"), (3723, "1:02:03"), (-1, "0:00")]
)
def test_elapsed(seconds: float, written: str) -> None:
    """The stopwatch counts whole seconds."""
    assert elapsed(seconds) == written


def test_rate_of_nothing() -> None:
    """No requests are no rate."""
    assert rate_of(Counts()) == "no requests"
    assert rate_of(Counts(requests=574, errors=30)) == "5.2 % of 574"


def test_sparkline_has_dots_for_gaps() -> None:
    """Bars reach from 0 to the largest value; what is unknown is a dot, not an empty bar."""
    assert sparkline([None, 0, 5, 10]) == "·▁▅█"


def test_a_rollback_is_not_claimed_before_the_log_shows_it() -> None:
    """As long as the weight is not seen back at 0, stable is not said to serve everything."""
    log = aborted_log()
    log.events = [
        event
        for event in log.events
        if not (isinstance(event, ev.WeightChanged) and event.weight == 0)
    ]
    body = text(log)
    assert "serves all traffic" not in body
    assert "the log does not show it back at 0" in body
