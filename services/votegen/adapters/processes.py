"""A run on several cores: one process each, one schedule among them, counts that add up exactly.

    parent ── spawns ──► part 0, part 1, …      every part sends each parts-th request
           ◄─ pipe ────  counts, every second and at the end

All parts begin at the same instant of the machine's monotonic clock. A signal to the parent is
passed on; a part that dies is an error of the run, never a smaller result.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import signal
import time
from contextlib import AsyncExitStack, suppress
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, TypeAlias

from svckit.errors import SuiteError
from votegen.adapters.http_asyncio import HttpConnector, connect_with
from votegen.adapters.ticker import precise_sleep
from votegen.domain.results import Progress, Tally
from votegen.engine.foreground import run_to_end
from votegen.engine.openloop import Engine
from votegen.ports import Timebase

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from multiprocessing.context import SpawnProcess

    from votegen.adapters.observer import Observer
    from votegen.domain.plan import Plan

START_SECONDS = 1.5
"""How long from now the parts begin: long enough for all of them to have started."""

Report: TypeAlias = tuple[Tally, Progress]


def run_here(
    plan: Plan,
    *,
    clock_rate: float,
    tls: ssl.SSLContext | None = None,
    on_progress: Callable[[Tally, Progress], None] | None = None,
    observer: Observer | None = None,
    part: int = 0,
    parts: int = 1,
    start_at: float | None = None,
) -> tuple[Tally, Progress, bool]:
    """Run a plan, or one part of it, in this process; return counts and whether a signal ended it.

    Args:
        plan: what to send.
        clock_rate: virtual seconds per real second.
        tls: how certificates are verified; None trusts the system's authorities.
        on_progress: called every second.
        observer: reports how requests ended; opened and closed here.
        part: which part of the schedule.
        parts: how many there are.
        start_at: instant of the monotonic clock at which the schedule begins.
    """

    async def send() -> tuple[Tally, Progress, bool]:
        async with AsyncExitStack() as stack:
            sleep = stack.enter_context(precise_sleep())
            if observer is not None:
                await stack.enter_async_context(observer)
            connect = connect_with(tls)
            engine = Engine(
                plan,
                connectors=lambda endpoint: HttpConnector(endpoint, connect=connect),
                timebase=Timebase(clock_rate=clock_rate, monotonic=time.monotonic, sleep=sleep),
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
        return engine.tally, engine.progress(), interrupted

    with asyncio.Runner(loop_factory=_event_loop()) as runner:
        return runner.run(send())


def run_in_processes(
    plan: Plan,
    processes: int,
    *,
    clock_rate: float,
    tls: tuple[str | None, bool] = (None, True),
    on_progress: Callable[[Tally, Progress], None] | None = None,
) -> tuple[Tally, Progress, bool]:
    """Run a plan in several processes; return the merged counts and whether a signal ended it.

    Args:
        plan: what to send.
        processes: how many parts.
        clock_rate: virtual seconds per real second.
        tls: file of authorities or None, and whether certificates are verified at all.
        on_progress: called about every second with the sum so far.

    Raises:
        SuiteError: a part died without a result.
    """
    context = multiprocessing.get_context("spawn")
    start_at = time.monotonic() + START_SECONDS
    parts: list[tuple[SpawnProcess, connection.Connection[Any, Any]]] = []
    for part in range(processes):
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(
            target=_part, args=(theirs, plan, clock_rate, tls, part, processes, start_at)
        )
        process.start()
        theirs.close()
        parts.append((process, ours))
    interrupted = False

    def interrupt(*_signal: object) -> None:
        nonlocal interrupted
        interrupted = True
        for child, _pipe in parts:
            child.terminate()

    before = {
        number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        reports = _collect([pipe for _, pipe in parts], on_progress)
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
    tally, progress = _sum(list(reports.values()))
    return tally, progress, interrupted


def _collect(
    pipes: list[connection.Connection[Any, Any]],
    on_progress: Callable[[Tally, Progress], None] | None,
) -> dict[int, Report]:
    """Read the parts' reports until each has sent its last one."""
    latest: dict[int, Report] = {}
    open_pipes = dict(enumerate(pipes))
    while open_pipes:
        ready = connection.wait(list(open_pipes.values()))
        for number, pipe in [(n, one) for n, one in open_pipes.items() if one in ready]:
            try:
                last, report = pipe.recv()
            except EOFError:
                raise SuiteError(
                    f"process {number} of the run died without a result",
                    code="part_died",
                    hint="the totals would be wrong, so there are none; see its message above",
                ) from None
            latest[number] = report
            if last:
                del open_pipes[number]
        if on_progress is not None and len(latest) == len(pipes):
            on_progress(*_sum(list(latest.values())))
    return latest


def _sum(reports: list[Report]) -> Report:
    tally, progress = Tally(), reports[0][1]
    for number, (part, standing) in enumerate(reports):
        tally.merge(part)
        progress = progress.merged(standing) if number else standing
    return tally, progress


def _part(  # noqa: PLR0917 - spawned with positional arguments
    pipe: connection.Connection[Any, Any],
    plan: Plan,
    clock_rate: float,
    tls: tuple[str | None, bool],
    part: int,
    parts: int,
    start_at: float,
) -> None:
    """Run one part in a process of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(BrokenPipeError):
        tally, progress, _ = run_here(
            plan,
            clock_rate=clock_rate,
            tls=tls_context(*tls),
            on_progress=lambda tally, progress: pipe.send((False, (tally, progress))),
            part=part,
            parts=parts,
            start_at=start_at,
        )
        pipe.send((True, (tally, progress)))


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
