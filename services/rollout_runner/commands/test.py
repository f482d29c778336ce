"""`gatelab test`: scenario files as unit tests of a rollout."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rollout_runner.adapters.in_process import hush
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.commands.run import RunRequest, check_against_steps
from rollout_runner.commands.run import perform as run_live
from rollout_runner.report import build_report
from rollout_runner.scenarios.load import collect_scenarios, load_scenario
from rollout_runner.simulation.gate_test import GateTest, unmet
from rollout_runner.simulation.randomness import RunSeed
from rollout_runner.simulation.subject import load_subject
from rollout_runner.simulation.world import SimulatedWorld
from svckit.errors import ExitCode, InvalidInput, SuiteError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.bench.subject import Subject
    from rollout_runner.report import RunReport
    from rollout_runner.scenarios.model import Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class TestRequest:
    """What the command line asks for; `mode` None leaves it to each file."""

    __test__ = False

    places: tuple[str, ...]
    mode: str | None
    manifests: Path | None
    argo_version: ArgoVersion | None
    seed: int | None
    speed: float
    folder: Path
    quiet: bool


def run_tests(request: TestRequest) -> list[GateTest]:
    """Run every scenario and return what came of each.

    Raises:
        InvalidInput: a file cannot be read, expects nothing, or names no manifests; nothing was
            run then.
    """
    hush()
    paths = collect_scenarios(request.places)
    scenarios = [_prepared(path, request) for path in paths]
    _refuse_twins(paths, scenarios)
    bench = _Bench(request)
    tests = []
    try:
        for path, scenario in zip(paths, scenarios, strict=True):
            test = bench.test(path, scenario)
            tests.append(test)
            if not request.quiet:
                sys.stderr.write(f"{'ok  ' if test.passed else 'FAIL'}  {scenario.name}\n")
                sys.stderr.flush()
    finally:
        bench.close()
    return tests


def exit_code(tests: Sequence[GateTest]) -> ExitCode:
    """Return 3 when an expectation was not met, 5 when a test could not be run, else 0."""
    if any(not test.passed and not test.error for test in tests):
        return ExitCode.GATE_FAILED
    return ExitCode.COULD_NOT_JUDGE if any(test.error for test in tests) else ExitCode.OK


def _prepared(path: Path, request: TestRequest) -> Scenario:
    scenario = load_scenario(path)
    if scenario.expect is None:
        raise InvalidInput(
            f"scenario {path}: there is no `expect`, so it would test nothing",
            hint="expect: {outcome: aborted, abortedAtStep: 5}",
        )
    if scenario.manifests is None and request.manifests is None:
        raise InvalidInput(
            f"scenario {path}: there is no `manifests`",
            hint="name them in the file, relative to it, or give --manifests PATH for all",
        )
    changes: dict[str, object] = {}
    if request.mode is not None:
        changes["mode"] = request.mode
    if request.seed is not None:
        changes["seed"] = request.seed
    scenario = scenario.model_copy(update=changes)
    if scenario.mode == "live" and scenario.runs > 1:
        raise InvalidInput(
            f"scenario {path}: {scenario.runs} runs need virtual time",
            hint="mode: simulate, or runs: 1",
        )
    return scenario


def _refuse_twins(paths: Sequence[Path], scenarios: Sequence[Scenario]) -> None:
    """Refuse two scenarios of one name: their results could not be told apart."""
    seen: dict[str, Path] = {}
    for path, scenario in zip(paths, scenarios, strict=True):
        if scenario.name in seen:
            raise InvalidInput(
                f"scenario {path}: {seen[scenario.name]} has the name {scenario.name!r} already",
                hint="give every scenario a name of its own",
            )
        seen[scenario.name] = path


class _Bench:
    """Runs one test after the other; what can be used again is kept."""

    def __init__(self, request: TestRequest) -> None:
        self._request = request
        self._subjects: dict[tuple[Path, str | None, str, str], Subject] = {}
        self._world: tuple[int, ArgoVersion, SimulatedWorld] | None = None

    def test(self, path: Path, scenario: Scenario) -> GateTest:
        """Run one test; what goes wrong on the way is its result."""
        expected = scenario.expect
        assert expected is not None  # noqa: S101 - looked at before anything ran
        try:
            reports = (
                self._simulated(path, scenario)
                if scenario.mode == "simulate"
                else [self._live(path, scenario)]
            )
        except SuiteError as error:
            return GateTest(path=str(path), scenario=scenario, error=error.detail)
        return GateTest(
            path=str(path),
            scenario=scenario,
            reports=tuple(reports),
            problems=tuple(unmet(report, expected) for report in reports),
        )

    def close(self) -> None:
        """Let go of what was kept."""
        if self._world is not None:
            self._world[2].close()
            self._world = None

    def _simulated(self, path: Path, scenario: Scenario) -> list[RunReport]:
        key = (
            self._manifests(path, scenario).resolve(),
            scenario.rollout,
            scenario.versions.stable,
            scenario.versions.canary,
        )
        if key not in self._subjects:
            self._subjects[key] = load_subject(
                self._manifests(path, scenario),
                rollout=scenario.rollout,
                versions=scenario.versions,
            )
        subject = self._subjects[key]
        check_against_steps(scenario, len(subject.canary.canary.steps))
        world = self._world_of(subject, self._version(scenario))
        return [
            build_report(world.run(scenario, RunSeed(scenario.seed, number)).events)
            for number in range(scenario.runs)
        ]

    def _world_of(self, subject: Subject, version: ArgoVersion) -> SimulatedWorld:
        if self._world is None or self._world[:2] != (id(subject), version):
            self.close()
            self._world = (id(subject), version, SimulatedWorld(subject, argo_version=version))
        return self._world[2]

    def _live(self, path: Path, scenario: Scenario) -> RunReport:
        return run_live(
            RunRequest(
                manifests=self._manifests(path, scenario),
                scenario=scenario,
                folder=self._request.folder / scenario.name,
                speed=self._request.speed,
                argo_version=self._version(scenario),
                rollout=scenario.rollout,
                quiet=self._request.quiet,
            )
        )

    def _manifests(self, path: Path, scenario: Scenario) -> Path:
        if self._request.manifests is not None:
            return self._request.manifests
        return path.parent / str(scenario.manifests)

    def _version(self, scenario: Scenario) -> ArgoVersion:
        if self._request.argo_version is not None:
            return self._request.argo_version
        return ArgoVersion(scenario.argo_version) if scenario.argo_version else ArgoVersion.V1_9
