from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from report_logs import (
    ABORT_MESSAGE,
    CANARY,
    ERROR_RATE,
    RUN,
    STABLE,
    Log,
    aborted_log,
    paused_log,
    promoted_log,
)

from rollout_runner import events as ev
from rollout_runner.report import Progress

FAILED = "assessed Failed"


def lines(log: Log, **options: Any) -> list[str]:
    """Return all lines that a run prints."""
    progress = Progress(**options)
    return [line for event in log.events for line in progress.apply(event)]


def after(log: Log) -> Progress:
    """Return the progress that has seen a log."""
    progress = Progress()
    for event in log.events:
        progress.apply(event)
    return progress


def test_the_header_names_the_change() -> None:
    """The first lines say what is rolled out and under which scenario."""
    first, second = lines(aborted_log())[:2]
    assert first == (
        "vote in voting01-qa: v16 → v17  revision 34 · 7cd75c6d7c · 9 steps · speed 12x"
    )
    assert second == "scenario bad-canary: v17 fails 5.2 % of its requests"


def test_every_step_has_a_line_with_its_place() -> None:
    """All nine steps of a promotion are announced with their number."""
    announced = [line.split()[1:3] for line in lines(promoted_log()) if "  step " in line]
    assert announced == [["step", f"{number}/9"] for number in range(1, 10)]


def test_weights_are_drawn() -> None:
    """A change of weight shows a gauge, the old and the new weight."""
    weights = [line for line in lines(promoted_log()) if "  weight " in line]
    assert weights[1] == "  4:24  weight    █████░░░░░ 20 → 50 %"


def test_a_failed_measurement_says_what_was_wanted() -> None:
    """The line has the count, the value, the limit and the rates that the clients saw."""
    line = next(line for line in lines(aborted_log()) if "✗ error-rate 1/2" in line)
    assert line.startswith("  7:25            ✗ error-rate 1/2  errorRate 5.18, needs < 2  [canary")
    assert re.search(r"\[canary 5\.\d % of 9\d\d · stable 0\.\d+ % of 9\d\d\]$", line)


def test_an_error_measurement_shows_its_message() -> None:
    """Without a value there is the message."""
    log = Log()
    log.start()
    run = log.begin_analysis(5, "t", ERROR_RATE)
    log.measure(run, "error-rate", 1, "Error", message="received non 2xx response code: 503")
    assert "✗ error-rate 1/2  received non 2xx response code: 503" in lines(log)[-1]


def test_an_analysis_run_ends_with_its_verdict() -> None:
    """The verdict has the duration and the message."""
    line = next(line for line in lines(aborted_log()) if f"{RUN}-5 ✗ Failed" in line)
    assert "in 1m1s" in line
    assert line.endswith("failed (2) > failureLimit (1)")


def test_the_outcome_is_the_last_line() -> None:
    """The end says the outcome and the index, and does not repeat the message of the phase."""
    shown = lines(aborted_log())
    assert shown[-1] == "  8:55  outcome   ✗ ROLLED BACK at index 5"
    assert sum(ABORT_MESSAGE in line for line in shown) == 1


@pytest.mark.parametrize(
    ("make", "word"),
    [
        pytest.param(promoted_log, "✓ PROMOTED", id="promoted"),
        pytest.param(paused_log, "‖ PAUSED", id="paused"),
    ],
)
def test_other_outcomes(make: Any, word: str) -> None:
    """Each outcome has its word."""
    assert word in lines(make())[-1]


def test_long_silence_is_broken_by_traffic() -> None:
    """In a pause the rates appear every 30 virtual seconds, with what is left of the pause."""
    pause = [line for line in lines(promoted_log()) if "pause" in line and "left" in line]
    assert len(pause) == 9
    assert "pause 1m28s left" in pause[0]


def test_a_longer_heartbeat_is_quieter() -> None:
    """The command can choose how often traffic is worth a line."""
    assert len(lines(promoted_log(), heartbeat_seconds=120)) < len(lines(promoted_log()))


def test_routine_phases_are_not_repeated() -> None:
    """Progressing and the pauses of steps go without saying."""
    phases = [line for line in lines(aborted_log()) if "  phase " in line]
    assert len(phases) == 1
    assert "Degraded" in phases[0]


def test_an_endless_pause_asks_for_a_person() -> None:
    """A pause without a duration says who can end it."""
    assert any(
        "InconclusiveAnalysisRun: until a person promotes or aborts" in line
        for line in lines(paused_log())
    )


def test_trouble_is_shown() -> None:
    """Warnings, operators and lost programs have a line, expected ends have none."""
    log = Log()
    log.start()
    before = len(lines(log))
    log.add(ev.Warned, message="careful")
    log.add(ev.OperatorCommand, command="promote")
    log.add(ev.ProcessExited, name="votegen", exit_code=1, expected=False)
    log.add(ev.ProcessExited, name="voteapp", exit_code=0, expected=True)
    assert [line.split()[1] for line in lines(log)[before:]] == ["warning", "operator", "process"]


def test_bringing_up_stable_is_silent() -> None:
    """Before run_started the phases of the stable version are nobody's news."""
    log = Log()
    log.add(ev.PhaseChanged, phase="Healthy", message="")
    assert lines(log) == []
    assert after(log).status_line() == "starting"


def test_status_line_of_a_pause() -> None:
    """The status line has the clock, the step with what is left, the weight and the rates."""
    log = Log()
    log.start()
    log.wait(23)
    log.weight_step(0, 20)
    log.begin_step(1)
    log.add(ev.PauseStarted, reason="CanaryPauseStep", index=1, duration_seconds=120)
    log.wait(37)
    status = after(log).status_line()
    assert status.startswith("1:00 │ step 2/9 pause: 2m (1m23s left) │ ██░░░░░░░░ 20 % │ canary ")


def test_status_line_runs_on_between_events() -> None:
    """With the present time, clock and pause go on without an event."""
    log = Log()
    log.start()
    log.begin_step(1)
    log.add(ev.PauseStarted, reason="CanaryPauseStep", index=1, duration_seconds=120)
    status = after(log).status_line(now=log.now + timedelta(seconds=50))
    assert status.startswith("0:50 │ step 2/9 pause: 2m (1m10s left)")


def test_status_line_of_an_analysis() -> None:
    """A running analysis shows each metric with its count and last phase."""
    log = Log()
    log.start()
    log.begin_step(5)
    log.add(ev.AnalysisRunStarted, name="r", kind="Step", templates=("t",), metrics=(ERROR_RATE,))
    assert "error-rate 0/2 ·" in after(log).status_line()
    log.measure("r", "error-rate", 1, "Failed")
    assert "error-rate 1/2 ✗" in after(log).status_line()
    log.end_analysis("r", "Failed", "")
    assert "error-rate" not in after(log).status_line()


def test_rates_count_since_the_weight_changed() -> None:
    """After a change of weight the samples begin again; nothing served is a dash, not 0."""
    log = Log()
    log.start()
    served = (
        ev.VersionTraffic(hash=STABLE.hash, requests=800, errors=8),
        ev.VersionTraffic(hash=CANARY.hash, requests=200, errors=20),
    )
    log.add(ev.TrafficObserved, versions=served)
    assert after(log).status_line().endswith("canary 10.0 % of 200 · stable 1.0 % of 800")
    log.set_weight(50)
    assert after(log).status_line().endswith("canary - · stable -")


def test_color_changes_nothing_but_color() -> None:
    """With the escapes taken out, the coloured lines are the plain ones."""
    colored = lines(aborted_log(), color=True)
    assert any("\x1b[" in line for line in colored)
    plain = [re.sub(r"\x1b\[\d+m", "", line) for line in colored]
    assert plain == lines(aborted_log())


def test_lines_fit_a_terminal() -> None:
    """Apart from Argo's own long messages the lines stay below 120 columns."""
    short = [line for line in lines(aborted_log()) if FAILED not in line]
    assert max(map(len, short)) < 120
