"""`gatelab run`: one rollout from manifests and scenario to report and exit code."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rollout_runner.adapters.event_log import EventFile, Tee, read_events
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.bench import LOGS, PROVIDERS, BenchOptions, run_on_bench
from rollout_runner.bench.subject import Subject
from rollout_runner.commands.display import Display
from rollout_runner.commands.reports import EVENTS_FILE, write_reports
from rollout_runner.events import ProcessExited
from rollout_runner.report import Outcome, RunReport, build_report
from rollout_runner.scenarios.model import Scenario
from svckit.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rollout_runner.events import Event, RunFinished

FASTEST = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """One run as asked for. `folder` receives the event log, the reports and the programs' logs."""

    manifests: Path
    scenario: Scenario
    folder: Path
    speed: float
    argo_version: ArgoVersion
    rollout: str | None = None
    stay_paused: bool = False
    quiet: bool = False


def perform(request: RunRequest) -> RunReport:
    """Run, write the reports, and return the report.

    Raises:
        InvalidInput: manifests, scenario or speed cannot be used; nothing was started.
        Unavailable: a program failed in a way that leaves nothing to judge.
    """
    if not 0 < request.speed <= FASTEST:
        raise InvalidInput(
            f"--speed {request.speed:g}: expected more than 0 and at most {FASTEST:g}",
            hint="--speed 10 makes eleven minutes last about one; 1 is real time",
        )
    if request.scenario.mode != "live":
        raise InvalidInput(
            f"scenario {request.scenario.name}: mode is {request.scenario.mode}, but this run is"
            " live",
            hint="leave `mode` out, or set it to live",
        )
    subject = Subject.load(
        request.manifests,
        rollout=request.rollout,
        versions=request.scenario.versions,
        providers=PROVIDERS,
    )
    request.folder.mkdir(parents=True, exist_ok=True)
    logs = request.folder / LOGS
    logs.mkdir(exist_ok=True)
    for stale in logs.glob("*.log"):
        stale.unlink()
    display = Display(quiet=request.quiet)
    options = BenchOptions(
        speed=request.speed,
        argo_version=request.argo_version,
        scenario=request.scenario,
        stay_paused=request.stay_paused,
        folder=request.folder,
    )
    events = request.folder / EVENTS_FILE
    try:
        with EventFile(events) as record:
            _run_until_signal(run_on_bench(subject, options, Tee(record.write, display.write)))
    finally:
        display.close()
        if events.stat().st_size:
            # Also after an interruption: a partial report is better than none.
            report = build_report(read_events(events))
            write_reports(report, request.folder)
    return report


def _run_until_signal(work: Coroutine[object, object, RunFinished]) -> None:
    """Run the coroutine; SIGTERM ends it as Ctrl-C does, with everything cleaned up."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
        try:
            await task
        finally:
            loop.remove_signal_handler(signal.SIGTERM)

    try:
        asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def exit_code(report: RunReport, events: tuple[Event, ...]) -> ExitCode:
    """Return the exit code that tells how a run ended."""
    if report.outcome is Outcome.PROMOTED:
        return ExitCode.OK
    if report.outcome is Outcome.PAUSED:
        return ExitCode.INCONCLUSIVE
    crashed = any(isinstance(each, ProcessExited) and not each.expected for each in events)
    return ExitCode.COULD_NOT_JUDGE if crashed else ExitCode.GATE_FAILED


def unmet_expectation(report: RunReport, scenario: Scenario) -> str:
    """Say what the scenario expected and the run did not do; "" when all is as expected."""
    expected = scenario.expect
    if expected is None:
        return ""
    if report.outcome != expected.outcome:
        return f"expected outcome {expected.outcome}, got {report.outcome}"
    if expected.aborted_at_step not in {None, report.aborted_at_step}:
        return (
            f"expected the abort at step {expected.aborted_at_step},"
            f" got it at step {report.aborted_at_step}"
        )
    seconds = report.duration_seconds
    if expected.within is not None and (seconds is None or seconds > expected.within):
        return f"expected the end within {expected.within:g} s, it took {seconds} s"
    return ""
