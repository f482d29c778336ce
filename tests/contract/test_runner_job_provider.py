"""The job provider with real processes: exit codes, attempts, deadlines, what is left running."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from process_checks import gone, line_of, until
from rollout_runner.adapters.providers.job import JobProvider
from rollout_runner.argo.analysis import AnalysisRunSpec, Metric
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase
from rollout_runner.engine.analysis_controller import AnalysisController, AnalysisRunPlan
from rollout_runner.events import AnalysisRunCompleted
from runner_trial import Log
from svckit.clock import ManualClock, ScaledClock

pytestmark = pytest.mark.anyio

NAME = "vote-abc-2-5.check.1"


class Jobs:
    """A provider and what it told."""

    def __init__(
        self,
        folder: Path,
        *,
        version: ArgoVersion = ArgoVersion.V1_10,
        clock: ManualClock | ScaledClock | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.folder = folder
        self.finished = asyncio.Event()
        self.wake: Callable[[], None] = lambda: None
        self.provider = JobProvider(
            clock=self.clock,
            version=version,
            namespace="voting01-qa",
            secrets={"apm": {"key": "s3cret"}},
            config_maps={"config": {"URL": "http://apm"}},
            environment={"http_proxy": "http://127.0.0.1:9"},
            log_dir=folder,
            on_finished=self._on_finished,
        )

    async def end_of(self, metric: Metric) -> Measurement:
        """Run a metric's Job and return the measurement after its end."""
        started = await self.provider.run(metric, NAME)
        if started.phase is not Phase.RUNNING:
            return started
        await self.finished.wait()
        return await self.provider.resume(metric, started)

    def log(self) -> str:
        """Return what the Job wrote."""
        return (self.folder / f"{NAME}.log").read_text()

    def _on_finished(self) -> None:
        self.finished.set()
        self.wake()


@asynccontextmanager
async def jobs(folder: Path, **options: Any) -> AsyncIterator[Jobs]:
    """Yield a provider that is closed at the end."""
    opened = Jobs(folder, **options)
    try:
        yield opened
    finally:
        await opened.provider.close()


def metric(script: str, *env: dict[str, Any], **spec: Any) -> Metric:
    """Return a metric whose Job runs a shell script once."""
    container = {"name": "c", "command": ["sh", "-c"], "args": [script], "env": list(env)}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    return Metric.from_json(
        {
            "name": "check",
            "provider": {"job": {"spec": {"backoffLimit": 0, "template": template, **spec}}},
        }
    )


@pytest.mark.parametrize(
    ("script", "phase"),
    [
        pytest.param("exit 0", Phase.SUCCESSFUL, id="0"),
        pytest.param("exit 1", Phase.FAILED, id="1"),
        pytest.param("exit 2", Phase.FAILED, id="2"),
        pytest.param("kill -9 $$$$", Phase.FAILED, id="killed"),
    ],
)
async def test_exit_codes(script: str, phase: Phase, tmp_path: Path) -> None:
    """0 is Successful, anything else Failed; a Job has no value."""
    async with jobs(tmp_path) as subject:
        measured = await subject.end_of(metric(script))
    assert (measured.phase, measured.value, measured.resume_at) == (phase, "", None)


async def test_conditions_are_ignored(tmp_path: Path) -> None:
    """As Argo ignores them for Jobs."""
    raw = metric("exit 0")
    judged = Metric.from_json(
        {"name": "check", "provider": raw.provider, "successCondition": "result == 1"}
    )
    async with jobs(tmp_path) as subject:
        assert (await subject.end_of(judged)).phase is Phase.SUCCESSFUL


async def test_a_program_that_does_not_exist(tmp_path: Path) -> None:
    """It fails like any other command, and the log says why."""
    missing = metric("")
    container = missing.provider["job"]["spec"]["template"]["spec"]["containers"][0]
    container["command"] = ["/nowhere/check"]
    async with jobs(tmp_path) as subject:
        assert (await subject.end_of(missing)).phase is Phase.FAILED
        assert "/nowhere/check" in subject.log()


async def test_what_a_job_writes_is_kept(tmp_path: Path) -> None:
    """Both streams, as `kubectl logs` shows them."""
    async with jobs(tmp_path) as subject:
        await subject.end_of(metric("echo out; echo err >&2; exit 1"))
        assert subject.log() == "out\nerr\n"


async def test_the_environment(tmp_path: Path) -> None:
    """PATH, the proxy and what the container gives; nothing else of the runner's."""
    os.environ["GATELAB_TEST_LEAK"] = "1"
    env = (
        {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "apm", "key": "key"}}},
        {"name": "URL", "valueFrom": {"configMapKeyRef": {"name": "config", "key": "URL"}}},
    )
    try:
        async with jobs(tmp_path) as subject:
            await subject.end_of(metric("env", *env))
            found = dict(line.split("=", 1) for line in subject.log().splitlines())
    finally:
        del os.environ["GATELAB_TEST_LEAK"]
    shells_own = {"PWD", "SHLVL", "_", "OLDPWD"}
    assert found.keys() - shells_own == {"PATH", "http_proxy", "KEY", "URL"}
    assert (found["KEY"], found["URL"]) == ("s3cret", "http://apm")


async def test_a_job_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    """The Error comes at once, and nothing is started."""
    missing = {"name": "A", "valueFrom": {"secretKeyRef": {"name": "nope", "key": "k"}}}
    async with jobs(tmp_path) as subject:
        measured = await subject.provider.run(metric("exit 0", missing), NAME)
        again = await subject.provider.run(metric("exit 0"), "vote.Error-Rate.1")
    assert measured.phase is Phase.ERROR
    assert measured.message == "env A: secretKeyRef nope does not exist"
    assert again.phase is Phase.ERROR
    assert not any(tmp_path.iterdir())  # noqa: ASYNC240 - a look


async def test_attempts_wait_ten_twenty_forty_virtual_seconds(tmp_path: Path) -> None:
    """`backoffLimit: 3` is four attempts; the waits are virtual and double."""
    counter = tmp_path / "attempts"
    script = f"echo x >> {counter}; exit 1"
    async with jobs(tmp_path) as subject:
        clock = subject.clock
        assert isinstance(clock, ManualClock)
        task = asyncio.ensure_future(subject.end_of(metric(script, backoffLimit=3)))
        for number, wait in enumerate((10, 20, 40), start=1):
            await line_of(counter, number)
            await _sleeper(clock)
            assert clock.next_wake == clock.now() + wait
            clock.advance(wait)
        measured = await task
    assert measured.phase is Phase.FAILED
    assert counter.read_text() == "x\n" * 4


async def test_a_later_attempt_may_succeed(tmp_path: Path) -> None:
    """The Job is Complete as soon as one attempt is."""
    flag = tmp_path / "flag"
    script = f"test -e {flag} || {{ echo 1 > {flag}; exit 1; }}"
    async with jobs(tmp_path) as subject:
        clock = subject.clock
        assert isinstance(clock, ManualClock)
        task = asyncio.ensure_future(subject.end_of(metric(script, backoffLimit=1)))
        await _sleeper(clock)
        clock.advance(10)
        assert (await task).phase is Phase.SUCCESSFUL


async def test_the_deadline_ends_a_process(tmp_path: Path) -> None:
    """Real seconds, whatever the speed: the process is killed and the Job Failed."""
    pid_file = tmp_path / "pid"
    fast = ScaledClock(epoch=0.0, rate=100.0)
    async with jobs(tmp_path, clock=fast) as subject:
        script = f"echo $$$$ > {pid_file}; sleep 60"
        task = asyncio.ensure_future(subject.end_of(metric(script, activeDeadlineSeconds=1)))
        pid = int(await line_of(pid_file))
        loop = asyncio.get_running_loop()
        began = loop.time()
        assert (await task).phase is Phase.FAILED
        assert 0.5 < loop.time() - began < 5
    await gone(pid)


async def test_the_deadline_counts_the_waits(tmp_path: Path) -> None:
    """Fifteen seconds leave room for one wait of ten, and end the next one early."""
    counter = tmp_path / "attempts"
    async with jobs(tmp_path) as subject:
        clock = subject.clock
        assert isinstance(clock, ManualClock)
        began = clock.now()
        script = f"echo x >> {counter}; exit 1"
        spec = {"backoffLimit": 6, "activeDeadlineSeconds": 15}
        task = asyncio.ensure_future(subject.end_of(metric(script, **spec)))
        await _sleeper(clock)
        clock.advance(10)
        await line_of(counter, 2)
        await _sleeper(clock)
        assert clock.next_wake is not None
        assert 10 < clock.next_wake - began <= 15
        clock.advance(clock.next_wake - clock.now())
        assert (await task).phase is Phase.FAILED
    assert counter.read_text() == "x\n" * 2


@pytest.mark.parametrize(
    ("version", "phase"),
    [
        pytest.param(ArgoVersion.V1_8, Phase.SUCCESSFUL, id="1.8"),
        pytest.param(ArgoVersion.V1_9, Phase.SUCCESSFUL, id="1.9"),
        pytest.param(ArgoVersion.V1_10, Phase.INCONCLUSIVE, id="1.10"),
    ],
)
async def test_termination(version: ArgoVersion, phase: Phase, tmp_path: Path) -> None:
    """The process and its children are killed; what that counts as depends on the release."""
    pids = tmp_path / "pids"
    script = f"sleep 60 & echo $$$$ $! > {pids}; wait"
    async with jobs(tmp_path, version=version) as subject:
        running = metric(script)
        started = await subject.provider.run(running, NAME)
        parent, child = map(int, (await line_of(pids)).split())
        measured = await subject.provider.terminate(running, started)
    assert (measured.phase, measured.resume_at) == (phase, None)
    await gone(parent, child)


async def test_termination_between_attempts(tmp_path: Path) -> None:
    """A Job that waits for its next attempt makes none."""
    counter = tmp_path / "attempts"
    async with jobs(tmp_path) as subject:
        clock = subject.clock
        assert isinstance(clock, ManualClock)
        again = metric(f"echo x >> {counter}; exit 1", backoffLimit=6)
        started = await subject.provider.run(again, NAME)
        await _sleeper(clock)
        await subject.provider.terminate(again, started)
        clock.advance(1000)
        await asyncio.sleep(0.05)
    assert counter.read_text() == "x\n"


async def test_closing_leaves_nothing_running(tmp_path: Path) -> None:
    """The end of a run ends its Jobs, and what they have put into the background."""
    pids = tmp_path / "pids"
    subject = Jobs(tmp_path)
    script = f"sleep 60 & echo $$$$ $! > {pids}; wait"
    await subject.provider.run(metric(script), NAME)
    parent, child = map(int, (await line_of(pids)).split())
    await subject.provider.close()
    await gone(parent, child)


async def test_the_background_of_a_job_ends_with_it(tmp_path: Path) -> None:
    """A command that succeeds takes its children with it, as its container would."""
    pids = tmp_path / "pids"
    async with jobs(tmp_path) as subject:
        measured = await subject.end_of(metric(f"sleep 60 & echo $! > {pids}; exit 0"))
        child = int(await line_of(pids))
        assert measured.phase is Phase.SUCCESSFUL
        await gone(child)


async def test_a_running_job_of_1_10_is_looked_at_again(tmp_path: Path) -> None:
    """At once, then after sqrt(2 x elapsed) seconds, never sooner than a second."""
    running = metric("sleep 60")
    async with jobs(tmp_path) as subject:
        clock = subject.clock
        assert isinstance(clock, ManualClock)
        started = await subject.provider.run(running, NAME)
        assert started.resume_at == started.started_at == clock.now()
        assert started.metadata == {"job-name": NAME, "job-namespace": "voting01-qa"}
        soon = await subject.provider.resume(running, started)
        assert soon.resume_at == clock.now() + 1
        clock.advance(50)
        later = await subject.provider.resume(running, soon)
        assert (later.phase, later.resume_at) == (Phase.RUNNING, clock.now() + 10)


async def test_a_running_job_of_1_9_waits_for_its_event(tmp_path: Path) -> None:
    """No time is set; the end of the Job is told instead."""
    async with jobs(tmp_path, version=ArgoVersion.V1_9) as subject:
        running = metric("exit 0")
        started = await subject.provider.run(running, NAME)
        assert started.resume_at is None
        await subject.finished.wait()
        assert (await subject.provider.resume(running, started)).phase is Phase.SUCCESSFUL


async def test_a_job_that_nobody_started_is_an_error(tmp_path: Path) -> None:
    """It is not taken for one that has ended."""
    unknown = Measurement(phase=Phase.RUNNING, metadata={"job-name": "other"})
    async with jobs(tmp_path) as subject:
        measured = await subject.provider.resume(metric("exit 0"), unknown)
    assert (measured.phase, measured.message) == (Phase.ERROR, 'job.batch "other" not found')


@pytest.mark.parametrize("version", list(ArgoVersion))
@pytest.mark.parametrize(
    ("script", "phase"), [("exit 0", "Successful"), ("exit 1", "Failed")], ids=["good", "bad"]
)
async def test_a_whole_analysis_run(
    version: ArgoVersion, script: str, phase: str, tmp_path: Path
) -> None:
    """An AnalysisRun with a Job comes to its end in every release, woken by time or event."""
    fast = ScaledClock(epoch=1_770_170_400.0, rate=1.0)
    async with jobs(tmp_path, version=version, clock=fast) as subject:
        log = Log()
        run = AnalysisController(
            AnalysisRunPlan(
                name="vote-abc-2-5",
                kind="Step",
                index=5,
                templates=("gate",),
                spec=AnalysisRunSpec.from_json(
                    {"metrics": [{"name": "check", "provider": dict(metric(script).provider)}]}
                ),
            ),
            secrets={},
            providers={"job": subject.provider},
            clock=fast,
            version=version,
            sink=log,
            on_phase_change=lambda: None,
        )
        subject.wake = run.wake
        await _bounded(run.run())
    (completed,) = log.of(AnalysisRunCompleted)
    assert completed.phase == phase


async def _bounded(work: Awaitable[None]) -> None:
    async with asyncio.timeout(20):
        await work


async def _sleeper(clock: ManualClock) -> None:
    """Wait until somebody waits for the clock."""
    await until(lambda: clock.next_wake is not None and clock.next_wake > clock.now())
