"""Serve one request: decide its fate, answer it, record the vote, report it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from svckit.randomness import stream
from voteapp.domain.contract import answer, error_reply
from voteapp.domain.faults import Faults, disturb, is_probe
from voteapp.domain.identity import voter_id
from voteapp.domain.observation import CLIENT_LEFT, Observation
from voteapp.ports import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from svckit.clock import Clock
    from voteapp.domain.contract import Reply, Request, Site
    from voteapp.ports import TelemetrySink, VoteStore


class VoteService:
    """The front end's state: fault switches, the fork's error switch, random streams.

    Delays are real time; only the instant of an observation is virtual.
    """

    def __init__(
        self,
        *,
        site: Site,
        store: VoteStore,
        telemetry: TelemetrySink,
        clock: Clock,
        seed: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.site = site
        self.store = store
        self._telemetry = telemetry
        self._clock = clock
        self._seed = seed
        self._sleep = sleep
        self._voters = stream(seed, "voters", site.pod_name)
        self._error_sim = False
        self.requests_by_status: dict[int, int] = {}
        self.set_faults(Faults())

    @property
    def faults(self) -> Faults:
        """The switches that are on."""
        return self._faults

    def set_faults(self, faults: Faults) -> None:
        """Replace all switches; decisions start over, so a repeated test sees the same ones.

        Probes have a stream of their own: their number depends on time, and must not shift the
        decisions about votes.
        """
        self._faults = faults
        self._vote_draws = stream(self._seed, "faults", self.site.pod_name)
        self._probe_draws = stream(self._seed, "probe-faults", self.site.pod_name)

    async def handle(
        self, request: Request, *, client_left: Callable[[], Awaitable[None]]
    ) -> Reply | None:
        """Return the reply, or None when the client left while a fault held the request.

        Args:
            request: the request, with its whole body.
            client_left: returns when the client has closed the connection.
        """
        started = time.perf_counter()
        status = CLIENT_LEFT
        try:
            reply = await self._reply(request, client_left)
            if reply is not None:
                status = reply.status
            return reply
        finally:
            self._observe(request, status, time.perf_counter() - started)

    async def _reply(
        self, request: Request, client_left: Callable[[], Awaitable[None]]
    ) -> Reply | None:
        probe = is_probe(request.user_agent)
        disturbance = disturb(
            self._faults,
            method=request.method,
            probe=probe,
            rng=self._probe_draws if probe else self._vote_draws,
        )
        if disturbance.delay_seconds > 0 and not await self._wait(
            disturbance.delay_seconds, client_left
        ):
            return None
        if disturbance.status is not None:
            return error_reply(disturbance.status, self.site)
        reply = answer(
            request,
            self.site,
            new_voter_id=lambda: voter_id(self._voters),
            error_sim=self._error_sim,
        )
        if reply.record is not None:
            try:
                await self.store.push(reply.record)
            except StoreUnavailableError:
                # As the application itself does when Redis is down; the page still works.
                return error_reply(500, self.site)
        if reply.toggles_error_sim:
            self._error_sim = not self._error_sim
        return reply

    async def _wait(self, seconds: float, client_left: Callable[[], Awaitable[None]]) -> bool:
        """Wait and return True, or return False as soon as the client has gone."""
        delay = asyncio.ensure_future(self._sleep(seconds))
        gone = asyncio.ensure_future(client_left())
        try:
            await asyncio.wait({delay, gone}, return_when=asyncio.FIRST_COMPLETED)
            return not gone.done()
        finally:
            delay.cancel()
            gone.cancel()

    def _observe(self, request: Request, status: int, seconds: float) -> None:
        self.requests_by_status[status] = self.requests_by_status.get(status, 0) + 1
        self._telemetry.record(
            Observation(
                finished_at=self._clock.now(),
                duration_seconds=seconds,
                status=status,
                method=request.method,
                path=request.path,
                user_agent=request.user_agent,
            )
        )
