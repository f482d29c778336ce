"""The loop that jumps instead of waiting."""

import asyncio
import time

import anyio.to_thread
import pytest

from svckit.errors import SuiteError
from svckit.virtual_time import EPOCH, VirtualClock, VirtualLoop


def test_a_sleep_takes_virtual_time_only() -> None:
    """A day passes at once, and the clock shows the instant to the second."""
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    began = time.perf_counter()
    loop.run_until_complete(clock.sleep(86_400))
    assert clock.now() == EPOCH + 86_400
    assert time.perf_counter() - began < 5
    loop.close()


def test_sleepers_wake_in_the_order_of_their_instants() -> None:
    """Whoever wants to wake first does, whoever asked first."""
    loop = VirtualLoop()
    woken: list[float] = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woken.append(loop.time() - EPOCH)

    async def main() -> None:
        await asyncio.gather(*(sleeper(seconds) for seconds in (30.0, 10.0, 20.0)))

    loop.run_until_complete(main())
    assert woken == [10.0, 20.0, 30.0]
    loop.close()


def test_time_outs_are_virtual() -> None:
    """A time-out ends what would take longer, at its virtual instant."""
    loop = VirtualLoop()

    async def main() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(15):
                await asyncio.sleep(60)
        return loop.time() - EPOCH

    assert loop.run_until_complete(main()) == 15
    loop.close()


def test_time_stands_still_while_a_thread_works() -> None:
    """A thread's result comes before a timer of a second, however long the thread takes."""
    loop = VirtualLoop()

    async def main() -> float:
        loop.wait_for_threads_of(anyio.to_thread.current_default_thread_limiter())
        timer = asyncio.create_task(asyncio.sleep(1))
        await anyio.to_thread.run_sync(sum, range(1000))
        at = loop.time() - EPOCH
        await timer
        return at

    assert loop.run_until_complete(main()) == 0
    loop.close()


def test_an_executor_is_not_waited_for() -> None:
    """What would run in a thread runs at once, and its error is whoever's who awaits it."""
    loop = VirtualLoop()

    async def main() -> float:
        assert await loop.run_in_executor(None, sum, [1, 2]) == 3
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, divmod, 1, 0)
        return loop.time() - EPOCH

    assert loop.run_until_complete(main()) == 0
    loop.close()


def test_waiting_for_nothing_is_an_error() -> None:
    """When nobody will ever wake, the loop says so instead of hanging."""
    loop = VirtualLoop()

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(SuiteError, match="virtual time stands still"):
        loop.run_until_complete(main())
    loop.close()


def test_a_loop_can_begin_again_only_when_nothing_waits() -> None:
    """Rewinding under somebody's feet is refused; afterwards time is that of the beginning."""
    loop = VirtualLoop()
    timer = loop.call_later(5, lambda: None)
    with pytest.raises(SuiteError, match="still waits"):
        loop.rewind(EPOCH)
    timer.cancel()
    loop.run_until_complete(asyncio.sleep(3))
    loop.rewind(EPOCH)
    assert loop.time() == EPOCH
    loop.close()
