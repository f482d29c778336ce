"""The configured sources: picked by name, timed, and loud when they fail."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

import structlog

from analyzer.schemas.parameters import refused
from svckit.errors import SuiteError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from analyzer.domain.model import Window
    from analyzer.ports import Arms, History, Source, WindowReading
    from analyzer.service.instruments import Instruments

_Reading = TypeVar("_Reading")


class Sources:
    """Reads from sources and records how that went."""

    def __init__(self, sources: Mapping[str, Source], instruments: Instruments) -> None:
        self._sources = sources
        self._instruments = instruments
        self._log = structlog.get_logger()

    def pick(self, name: str | None) -> Source:
        """Return a source by name, the first one without.

        Raises:
            InvalidInput: it is not configured.
            Unavailable: none is.
        """
        if not self._sources:
            raise Unavailable(
                "no metric source is configured",
                code="no_source",
                status=503,
                hint="start the analyzer with --source newrelic=URL",
            )
        if name is None:
            return next(iter(self._sources.values()))
        if name not in self._sources:
            raise refused(
                "source", "not configured", f"configured sources: {', '.join(self._sources)}"
            )
        return self._sources[name]

    async def read_window(self, source: Source, arms: Arms, window: Window) -> WindowReading:
        """Return both arms over a window; see `ports.Source`."""
        return await self._timed(source, arms, source.read_window(arms, window))

    async def read_history(
        self, source: Source, arms: Arms, window: Window, *, block_s: int
    ) -> History:
        """Return what stable did before; see `ports.Source`."""
        return await self._timed(source, arms, source.read_history(arms, window, block_s=block_s))

    async def _timed(self, source: Source, arms: Arms, reading: Awaitable[_Reading]) -> _Reading:
        started, outcome = time.perf_counter(), "cancelled"
        try:
            found = await reading
            outcome = "ok"
        except SuiteError as error:
            outcome = error.code
            self._log.warning(
                "source_failed", source=source.name, app=arms.app, detail=error.detail
            )
            raise
        finally:
            self._instruments.observe_source(source.name, outcome, time.perf_counter() - started)
        return found
