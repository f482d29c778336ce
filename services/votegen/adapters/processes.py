"""A run on several cores: one process each, one schedule among them, counts that add up exactly.

    parent ── spawns ──► part 0, part 1, …      every part sends each parts-th request
           ◄─ pipe ────  "ready"
           ── pipe ───►  the instant of the machine's monotonic clock at which all begin
           ◄─ pipe ────  counts, every second and at the end

A signal to the parent is passed on; a part holds it back until it can answer with its counts. A
part that dies is an error of the run, never a smaller result.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import time
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, resource_tracker
from typing import TYPE_CHECKING, Any, TypeAlias

from svckit.clock import clock_from_environment
from svckit.errors import SuiteError
from votegen.adapters.http_asyncio import HttpConnector, connect_with
from votegen.adapters.observer import Observer, check_url
from votegen.adapters.ticker import precise_sleep
from votegen.domain.results import Progress, Tally
from votegen.engine.foreground import SIGNALS, run_to_end
from votegen.engine.openloop import Engine
from votegen.ports import Timebase

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from multiprocessing.context import SpawnProcess

    from votegen.domain.plan import Plan

START_SECONDS = 0.2
"""How long after the last part is ready all of them begin."""

Report: TypeAlias = tuple[Tally, Progress]


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a run needs besides its plan; every process gets its own.

    Attributes:
        clock_rate: virtual seconds per real second.
        authorities: file of certificate authorities; None trusts those of the system.
        verify: whether certificates are verified at all.
        observer: URL, application and key of the APM that is told how requests ended, if any.
    """

    clock_rate: float
    authorities: str | None = None
    verify: bool = True
    observer: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a run: counts, whether a signal ended it, what the APM was told."""

    tally: Tally
    progress: Progress
    interrupted: bool
    reported: dict[str, int] | None


def run_here(
    plan: Plan,
    surroundings: Surroundings,
    *,
    on_progress: Callable[[Tally, Progress], None] | None = None,
    part: int = 0,
    parts: int = 1,
    start_at: float | None = None,
) -> Ran:
    """Run a plan, or one part of it, in this process.

    Args:
        plan: what to send.
        surroundings: clock, certificates, observer.
        on_progress: called every second.
        part: which part of the schedule.
        parts: how many there are.
        start_at: instant of the monotonic clock at which the schedule begins.

    Raises:
        SuiteError: the file of authorities cannot be read.
        InvalidInput: the observer's URL is none.
    """
    tls = tls_context(surroundings.authorities, surroundings.verify)
    told = surroundings.observer
    observer = None if told is None else Observer(*told, clock=clock_from_environment())

    async def send() -> Ran:
        async with AsyncExitStack() as stack:
            sleep = stack.enter_context(precise_sleep())
            if observer is not None:
                await stack.enter_async_context(observer)
            connect = connect_with(tls)
            engine = Engine(
                plan,
                connectors=lambda endpoint: HttpConnector(endpoint, connect=connect),
                timebase=Timebase(
                    clock_rate=surroundings.clock_rate, monotonic=time.monotonic, sleep=sleep
                ),
                part=part,
                parts=parts,
                observe=None if observer is None else observer.take,
            )

            def show() -> None:
                engine.settle()
                if on_progress is not None:
                    on_progress(engine.tally, engine.progress())

            # What exists by now stays, so the collector need not look at it again and again.
            gc.freeze()
            interrupted = await run_to_end(
                engine, on_progress=show if on_progress else None, start_at=start_at
            )
            engine.settle()
        return Ran(
            tally=engine.tally,
            progress=engine.progress(),
            interrupted=interrupted,
            reported=None if observer is None else observer.counts(),
        )

    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        return runner.run(send())


def run_in_processes(
    plan: Plan,
    surroundings: Surroundings,
    processes: int,
    *,
    on_progress: Callable[[Tally, Progress], None] | None = None,
) -> Ran:
    """Run a plan in several processes and merge what they counted.

    Args:
        plan: what to send.
        surroundings: clock, certificates, observer.
        processes: how many parts.
        on_progress: called about every second with the sum so far.

    Raises:
        SuiteError: a part died without a result.
        InvalidInput: the observer's URL is none.
    """
    if surroundings.observer is not None:
        check_url(surroundings.observer[0])
    context = multiprocessing.get_context("spawn")
    parts: list[tuple[SpawnProcess, connection.Connection[Any, Any]]] = []
    interrupted = False

    def interrupt(*_signal: object) -> None:
        nonlocal interrupted
        interrupted = True
        for child, _pipe in parts:
            child.terminate()

    before = {number: signal.signal(number, interrupt) for number in SIGNALS}
    try:
        with _held_back():
            for part in range(processes):
                ours, theirs = context.Pipe()
                process = context.Process(
                    target=_part, args=(theirs, plan, surroundings, part, processes)
                )
                process.start()
                theirs.close()
                parts.append((process, ours))
        ended = _collect([pipe for _, pipe in parts], on_progress)
    except BaseException:
        # The others must not wait for somebody who reads their results no more.
        for _process, pipe in parts:
            pipe.close()
        interrupt()
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for process, _ in parts:
            process.join()
    tally, progress = _sum([(one.tally, one.progress) for one in ended])
    told = [one.reported for one in ended if one.reported is not None]
    return Ran(
        tally=tally,
        progress=progress,
        interrupted=interrupted,
        reported={name: sum(one[name] for one in told) for name in told[0]} if told else None,
    )


@contextmanager
def _held_back() -> Iterator[None]:
    """Hold signals back; a process that is spawned meanwhile begins life holding them back, too."""
    # The first process to be spawned would start it, and it lets signals through when it starts.
    resource_tracker.ensure_running()
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def _collect(
    pipes: list[connection.Connection[Any, Any]],
    on_progress: Callable[[Tally, Progress], None] | None,
) -> list[Ran]:
    """Let the parts begin together, and read their reports until each has sent its last one."""
    for number, pipe in enumerate(pipes):
        _received(number, pipe)
    start_at = time.monotonic() + START_SECONDS
    for pipe in pipes:
        with suppress(BrokenPipeError):  # its end is noticed when its report is missing
            pipe.send(start_at)
    latest: dict[int, Report] = {}
    ended: dict[int, Ran] = {}
    open_pipes = dict(enumerate(pipes))
    while open_pipes:
        ready = connection.wait(list(open_pipes.values()))
        for number, pipe in [(n, one) for n, one in open_pipes.items() if one in ready]:
            message = _received(number, pipe)
            if isinstance(message, Ran):
                ended[number] = message
                message = (message.tally, message.progress)
                del open_pipes[number]
            latest[number] = message
        if on_progress is not None and len(latest) == len(pipes):
            on_progress(*_sum(list(latest.values())))
    return [ended[number] for number in range(len(pipes))]


def _received(number: int, pipe: connection.Connection[Any, Any]) -> Any:
    try:
        return pipe.recv()
    except (EOFError, ConnectionResetError):
        raise SuiteError(
            f"process {number} of the run died without a result",
            code="part_died",
            hint="the totals would be wrong, so there are none; see its message above",
        ) from None


def _sum(reports: list[Report]) -> Report:
    tally, progress = Tally(), reports[0][1]
    for number, (part, standing) in enumerate(reports):
        tally.merge(part)
        progress = progress.merged(standing) if number else standing
    return tally, progress


def _part(
    pipe: connection.Connection[Any, Any],
    plan: Plan,
    surroundings: Surroundings,
    part: int,
    parts: int,
) -> None:
    """Run one part in a process of its own; nobody who listens any more ends it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError, EOFError):
        pipe.send(None)
        ran = run_here(
            plan,
            surroundings,
            on_progress=lambda tally, progress: pipe.send((tally, progress)),
            part=part,
            parts=parts,
            start_at=pipe.recv(),
        )
        pipe.send(ran)


def tls_context(authorities: str | None, verify: bool) -> ssl.SSLContext | None:  # noqa: FBT001
    """Return how certificates are verified; None is the system's way.

    Raises:
        SuiteError: the file of authorities cannot be read.
    """
    import ssl  # noqa: PLC0415 - most runs need none

    if authorities is None and verify:
        return None
    try:
        context = ssl.create_default_context(cafile=authorities)
    except (OSError, ssl.SSLError) as error:
        raise SuiteError(
            f"the file of authorities {authorities!r} cannot be used: {error}", code="bad_ca"
        ) from None
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _event_loop() -> Any:
    """Return the constructor of the fastest event loop at hand; None means asyncio's own."""
    try:
        import uvloop  # noqa: PLC0415 - optional
    except ImportError:
        return None
    return uvloop.new_event_loop
