"""`gatelab run`: one rollout from manifests and scenario to report and exit code."""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rollout_runner.adapters.event_log import EventFile, Tee, read_events, run_folder
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.bench import LOGS, PROVIDERS, BenchOptions, run_on_bench
from rollout_runner.bench.subject import Subject
from rollout_runner.commands.display import Display
from rollout_runner.commands.reports import EVENTS_FILE, FILES, write_reports
from rollout_runner.events import ProcessExited
from rollout_runner.report import Outcome, RunReport, build_report
from rollout_runner.scenarios.model import Scenario
from rollout_runner.simulation.gate_test import unmet
from svckit.errors import ExitCode, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from rollout_runner.events import Event, RunFinished

FASTEST = 100.0
HIGHEST_RATE = 5000.0
"""Real requests a second; one machine that also serves them does not keep up with more."""


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
    real_rate = request.scenario.traffic.rate * request.speed
    if real_rate > HIGHEST_RATE:
        raise InvalidInput(
            f"{request.scenario.traffic.rate:g}/s at speed {request.speed:g} are {real_rate:g}"
            f" real requests a second, expected at most {HIGHEST_RATE:g}",
            hint="lower traffic.rate in the scenario, or --speed",
        )
    subject = Subject.load(
        request.manifests,
        rollout=request.rollout,
        versions=request.scenario.versions,
        providers=PROVIDERS,
    )
    check_against_steps(request.scenario, len(subject.canary.canary.steps))
    with run_folder(request.folder):
        return _record(request, subject)


def check_against_steps(scenario: Scenario, steps: int) -> None:
    """Refuse a scenario that waits for a step that does not exist: it would test nothing."""
    awaited = {
        f"timeline.{number}.on.step": entry.on.step
        for number, entry in enumerate(scenario.timeline)
        if entry.on is not None and entry.on.step is not None
    }
    if scenario.expect is not None and scenario.expect.aborted_at_step is not None:
        awaited["expect.abortedAtStep"] = scenario.expect.aborted_at_step
    for field, step in awaited.items():
        if step >= steps:
            raise InvalidInput(
                f"scenario {scenario.name}: {field} is {step}, but the Rollout has {steps} steps",
                hint=f"steps count from 0 to {steps - 1}"
                if steps
                else "without steps, use `at: 3m` or `on: {phase: Paused}`",
            )


def _record(request: RunRequest, subject: Subject) -> RunReport:
    logs = request.folder / LOGS
    logs.mkdir(exist_ok=True)
    # Whatever an earlier run left here must not be taken for what this one found.
    earlier = [request.folder / name for name in (*FILES, EVENTS_FILE)]
    for stale in (*logs.glob("*.log"), *earlier):
        stale.unlink(missing_ok=True)
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
    """Run the coroutine; SIGTERM and Ctrl-C end it with everything cleaned up."""

    async def guarded() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            sys.stderr.write("\ninterrupted: stopping the programs\n")
            task.cancel()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        try:
            await task
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    try:
        asyncio.run(guarded())
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def exit_code(report: RunReport, events: tuple[Event, ...]) -> ExitCode:
    """Return the exit code that tells how a run ended."""
    if report.outcome is Outcome.PROMOTED:
        return ExitCode.OK
    if lost_a_program(events):
        return ExitCode.COULD_NOT_JUDGE
    return ExitCode.INCONCLUSIVE if report.outcome is Outcome.PAUSED else ExitCode.GATE_FAILED


def lost_a_program(events: tuple[Event, ...]) -> bool:
    """Whether a program ended that the scenario did not stop, so that the run says little."""
    return any(isinstance(each, ProcessExited) and not each.expected for each in events)


def unmet_expectation(report: RunReport, scenario: Scenario) -> str:
    """Say what the scenario expected and the run did not do; "" when all is as expected."""
    return "" if scenario.expect is None else unmet(report, scenario.expect)
