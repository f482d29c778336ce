"""Sequential runs: windows are read as they close, kept, and judged; every look adds to the last.

What a run comes to follows from what the store holds. What is kept in memory is a cache of it: a
restart, a second replica and a call that comes twice give the same answer.
"""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import structlog
from anyio import to_thread

from analyzer.domain import progress as runs
from analyzer.domain.findings import finding
from analyzer.domain.model import ArmCounts, Window
from analyzer.domain.observation import (
    ERRORS,
    LATENCY,
    CountArms,
    LatencyArms,
    Observation,
    StableBlock,
)
from analyzer.domain.progress import Progress
from analyzer.domain.setup import RunOrigin, Setup, StoredRun
from analyzer.domain.timeline import timeline
from analyzer.domain.verdict import ReasonCode, Verdict
from analyzer.ports import Arms, Tier
from analyzer.schemas.documents import history_document, run_document
from analyzer.schemas.judge_body import refused as refused_in_body
from analyzer.schemas.parameters import refused
from analyzer.service.analysis import latencies_of, window_until
from analyzer.service.judging import setup_of
from svckit.errors import Conflict, NotFound, SuiteError, Unavailable
from svckit.timestamps import format_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from analyzer.ports import ArmReading, Configs, History, RunStore, Source, WindowReading
    from analyzer.schemas.judge_body import JudgeRequest
    from analyzer.schemas.parameters import AnalysisQuery
    from analyzer.service.instruments import Instruments
    from analyzer.service.sources import Sources
    from svckit.clock import Clock

_Found = TypeVar("_Found")

CACHED_RUNS = 1000
MOST_AT_ONCE = 240
"""Windows that one call catches up with; a run left alone for longer stays stale until then."""
_READ_TOGETHER = 8
_ATTEMPTS = 5


@dataclass(slots=True)
class _Live:
    """A run in memory; whoever holds the lock may change it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    stored: StoredRun | None = None
    progress: Progress | None = None
    document: dict[str, Any] | None = None


class RunService:
    """The use cases of runs."""

    def __init__(
        self,
        *,
        sources: Sources,
        configs: Configs,
        store: RunStore,
        clock: Clock,
        instruments: Instruments,
        lag_seconds: float,
    ) -> None:
        self._sources = sources
        self._configs = configs
        self._store = store
        self._clock = clock
        self._instruments = instruments
        self._lag_seconds = lag_seconds
        self._live: OrderedDict[str, _Live] = OrderedDict()
        self._log = structlog.get_logger()

    async def look(self, query: AnalysisQuery) -> dict[str, Any]:
        """Read what has closed since the last look, and return what the run comes to.

        Raises:
            InvalidInput: a parameter cannot be used, or the run is of another application.
            Unavailable: the source or the store failed; what was read before that is kept.
        """
        if query.run is None:
            raise refused("run", "missing")
        live = self._touch(query.run)
        async with live.lock:
            stored, progress = await self._loaded(live, query.run)
            if stored is None or progress is None:
                stored, progress = await self._begin(live, query)
            self._check_origin(stored.origin, query)
            changed = _changed(stored.origin, query)
            if changed is not None:
                return _changed_document(progress, *changed)
            progress, behind = await self._catch_up(live, stored, progress, query)
            if live.document is None or behind:
                live.document = self._document(progress, query, behind=behind)
            return live.document

    async def judge(self, request: JudgeRequest) -> dict[str, Any]:
        """Judge windows that were brought along; with a run they are added to it.

        Raises:
            InvalidInput: a window overlaps one of the run's, or cannot be judged by it.
            Unavailable: the store failed; nothing of it was kept.
        """
        if request.run is None:
            identity = request.id or "once"
            setup = setup_of(request, self._configs.get(request.config), run=identity)
            given = [one for one in request.observations if one.metric in setup.metrics]
            return self._judged(await _advanced(runs.begin(setup), given))
        live = self._touch(request.run)
        async with live.lock:
            stored, progress = await self._loaded(live, request.run)
            if stored is None or progress is None:
                setup = setup_of(request, self._configs.get(request.config), run=request.run)
                kept = await self._in_store(
                    self._store.begin, StoredRun(origin=RunOrigin(), setup=setup)
                )
                stored, progress = await self._take(live, kept)
            if stored.origin.reads:
                raise Conflict(
                    f"run: {request.run} reads its windows itself",
                    code="run_reads_itself",
                    hint="take another name for windows that you bring along",
                )
            for _ in range(_ATTEMPTS):
                new = await self._news(stored, progress, request)
                appended = not new or await self._append(request.run, new, progress)
                if appended:
                    live.progress = await _advanced(progress, new)
                    return self._judged(live.progress)
                progress = live.progress = await self._reloaded(progress)
        raise _busy(request.run)

    async def history(self, run: str) -> dict[str, Any]:
        """Return how a run went, look by look, and what it comes to now.

        Raises:
            NotFound: there is no such run.
        """
        stored = await self._in_store(self._store.find, run)
        if stored is None:
            raise NotFound(f"run: {run} is not known", code="unknown_run")
        observations = await self._in_store(lambda: self._store.observations(run, skip=0))
        looks, progress = await to_thread.run_sync(timeline, stored.setup, observations)
        now = self._clock.now() if stored.origin.reads else None
        answer = run_document(finding(progress, now=now), progress)
        return history_document(stored, looks, answer)

    def _touch(self, run: str) -> _Live:
        live = self._live.pop(run, None) or _Live()
        self._live[run] = live
        while len(self._live) > CACHED_RUNS:
            self._live.popitem(last=False)
        return live

    async def _loaded(self, live: _Live, run: str) -> tuple[StoredRun | None, Progress | None]:
        if live.stored is not None and live.progress is not None:
            return live.stored, live.progress
        stored = await self._in_store(self._store.find, run)
        return (None, None) if stored is None else await self._take(live, stored)

    async def _take(self, live: _Live, stored: StoredRun) -> tuple[StoredRun, Progress]:
        live.stored = stored
        live.progress = await self._reloaded(runs.begin(stored.setup))
        live.document = None
        return live.stored, live.progress

    async def _reloaded(self, progress: Progress) -> Progress:
        """Return a run after what others have added to it."""
        run, skip = progress.setup.run, progress.observed
        rows = await self._in_store(lambda: self._store.observations(run, skip=skip))
        try:
            return await _advanced(progress, rows)
        except ValueError as error:
            raise Unavailable(
                f"the store of runs failed: {run}: {error}", code="store_failed", status=503
            ) from None

    async def _begin(self, live: _Live, query: AnalysisQuery) -> tuple[StoredRun, Progress]:
        source = self._sources.pick(query.source)
        config = self._configs.get(query.config)
        interval = query.interval_seconds or config.interval_s
        horizon = query.horizon_seconds or max(config.horizon_s, interval)
        if horizon < interval:
            raise refused("horizon", "expected at least the interval")
        window = window_until(self._clock.now(), query)
        start = window.start
        arms = _arms(query)
        blocks = int(config.history_s // interval)
        history = await self._history_before(source, arms, start, blocks, interval)
        metrics = {ERRORS}
        if config.latency is not None and (
            history.latency is not None or await self._tells_latency(source, arms, window)
        ):
            metrics.add(LATENCY)
        first = start - interval * len(history.blocks)
        setup = Setup(
            run=query.run or "",
            config=config,
            metrics=frozenset(metrics),
            # The plan is from now on; what lies before the first call comes on top.
            horizon_s=horizon + window.end - start,
            interval_s=interval,
            weight=query.weight,
            error_limit=None
            if query.error_threshold is None
            else float(query.error_threshold / 100),
            history=tuple(
                StableBlock(
                    window=Window(
                        start=first + interval * index, end=first + interval * (index + 1)
                    ),
                    metric=ERRORS,
                    stable=ArmCounts(count=count, bad=bad),
                )
                for index, (count, bad) in enumerate(history.blocks)
            ),
            latency_history=history.latency or None,
        )
        origin = RunOrigin(
            app=query.app,
            canary=query.canary,
            stable=query.stable,
            source=source.name,
            start=start,
        )
        kept = await self._in_store(self._store.begin, StoredRun(origin=origin, setup=setup))
        self._log.info("run_began", run=query.run, app=query.app, config=config.name)
        return await self._take(live, kept)

    async def _history_before(
        self, source: Source, arms: Arms, start: float, blocks: int, interval: float
    ) -> History:
        window = Window(start=start - max(1, blocks) * interval, end=start)
        found = await self._sources.read_history(source, arms, window, block_s=int(interval))
        return found if blocks else type(found)()

    async def _tells_latency(self, source: Source, arms: Arms, window: Window) -> bool:
        """Whether a source that has no history of latencies has any of them now."""
        reading = await self._sources.read_window(source, arms, window)
        return reading.tier is Tier.HISTOGRAM or not (
            reading.canary.counts.count or reading.stable.counts.count
        )

    def _check_origin(self, origin: RunOrigin, query: AnalysisQuery) -> None:
        if not origin.reads:
            raise Conflict(
                f"run: windows of {query.run} are brought along",
                code="run_is_brought_along",
                hint="take another name for a run that reads them itself",
            )
        if origin.app != query.app:
            raise refused("run", f"is one of the application {origin.app}", "take another name")
        if query.source not in {None, origin.source}:
            raise refused("source", f"the run reads from {origin.source}", "leave source out")

    async def _catch_up(
        self, live: _Live, stored: StoredRun, progress: Progress, query: AnalysisQuery
    ) -> tuple[Progress, bool]:
        """Return the run after all windows that have closed, and whether some are left."""
        for _ in range(_ATTEMPTS):
            due = self._due(stored, progress)
            if not due:
                return progress, False
            taken = due[:MOST_AT_ONCE]
            new, error = await self._read(stored, taken, query)
            if new and not await self._append(stored.setup.run, new, progress):
                progress = live.progress = await self._reloaded(progress)
                live.document = None
                continue
            progress = live.progress = await _advanced(progress, new)
            live.document = None
            if error is not None:
                raise error
            return progress, len(taken) < len(due)
        raise _busy(stored.setup.run)

    def _due(self, stored: StoredRun, progress: Progress) -> list[Window]:
        last = progress.last.get(ERRORS)
        start = stored.origin.start if last is None else last.end
        interval = stored.setup.interval_s
        closed = self._clock.now() - self._lag_seconds
        number = min(MOST_AT_ONCE + 1, max(0, math.floor((closed - start) / interval)))
        return [
            Window(start=start + interval * index, end=start + interval * (index + 1))
            for index in range(number)
        ]

    async def _read(
        self, stored: StoredRun, windows: Sequence[Window], query: AnalysisQuery
    ) -> tuple[list[Observation], SuiteError | None]:
        """Return what was observed in the windows up to the first failure, and that failure."""
        source, arms = self._sources.pick(stored.origin.source), _arms(query)
        found: list[Observation] = []
        for first in range(0, len(windows), _READ_TOGETHER):
            readings = await asyncio.gather(
                *(
                    self._sources.read_window(source, arms, window)
                    for window in windows[first : first + _READ_TOGETHER]
                ),
                return_exceptions=True,
            )
            for reading in readings:
                if isinstance(reading, SuiteError):
                    return found, reading
                if isinstance(reading, BaseException):
                    raise reading
                try:
                    found += _observations(reading, stored.setup.metrics, query.weight)
                except Unavailable as error:
                    return found, error
        return found, None

    async def _append(self, run: str, new: list[Observation], progress: Progress) -> bool:
        after = progress.observed
        return await self._in_store(lambda: self._store.append(run, new, after=after))

    async def _news(
        self, stored: StoredRun, progress: Progress, request: JudgeRequest
    ) -> list[Observation]:
        """Return the windows of a body that the run does not have yet.

        Raises:
            InvalidInput: one overlaps another window of the run, or contradicts it.
        """
        run, setup = stored.setup.run, stored.setup
        counted = any(
            one.metric == LATENCY and isinstance(one.arms, CountArms)
            for one in request.observations
        )
        binned = any(isinstance(one.arms, LatencyArms) for one in request.observations)
        if (
            (LATENCY in setup.metrics)
            and (counted != setup.latency_counted)
            and (counted or binned)
        ):
            raise refused_in_body(
                "windows", "expected latencies in the form that the run began with"
            )
        known = {}
        if progress.observed:
            rows = await self._in_store(lambda: self._store.observations(run, skip=0))
            known = {(one.metric, one.window.start, one.window.end): one for one in rows}
        new = []
        for one in request.observations:
            if one.metric not in setup.metrics:
                if setup.config.latency is None and one.metric == LATENCY:
                    continue
                raise refused_in_body(
                    "windows",
                    f"the run {run} began without windows of {one.metric}",
                    hint="bring all metrics from the first time on, or take another name",
                )
            place = f"the window from {format_timestamp(one.window.start)} of {one.metric}"
            same = known.get((one.metric, one.window.start, one.window.end))
            if same is not None:
                if same.arms != one.arms:
                    raise refused_in_body("windows", f"{place} was given before, with other counts")
                continue
            last = progress.last.get(one.metric)
            if last is not None and one.window.start < last.end:
                raise refused_in_body(
                    "windows", f"{place} overlaps a window of the run {run}, or lies before it"
                )
            new.append(one)
        return new

    def _document(
        self, progress: Progress, query: AnalysisQuery, *, behind: bool
    ) -> dict[str, Any]:
        found = finding(progress, now=self._clock.now() if behind else None)
        notes = []
        config = progress.setup.config
        if query.config is not None:
            asked = self._configs.get(query.config)
            if (asked.name, asked.digest) != (config.name, config.digest):
                notes.append(f"the run is judged by {config.name} {config.digest}, as it began")
        self._instruments.count_verdict(found.metrics, app=query.app)
        self._log.info(
            "run_judged",
            run=query.run,
            app=query.app,
            windows=progress.observed,
            verdict=found.verdict.value,
            reason_code=found.reason_code.value,
        )
        return run_document(found, progress, notes=tuple(notes))

    def _judged(self, progress: Progress) -> dict[str, Any]:
        found = finding(progress)
        self._instruments.count_verdict(found.metrics)
        return run_document(found, progress)

    async def _in_store(self, call: Callable[..., _Found], *arguments: Any) -> _Found:
        return await to_thread.run_sync(call, *arguments)


async def _advanced(progress: Progress, observations: Sequence[Observation]) -> Progress:
    """Return a run after observations; many of them are judged beside the event loop."""
    if len(observations) <= len((ERRORS, LATENCY)):
        return runs.advance(progress, observations)
    return await to_thread.run_sync(runs.advance, progress, list(observations))


def _observations(
    reading: WindowReading, metrics: frozenset[str], weight: float | None
) -> list[Observation]:
    errors = CountArms(canary=_failed(reading.canary), stable=_failed(reading.stable))
    found = [Observation(window=reading.window, metric=ERRORS, arms=errors, weight=weight)]
    if LATENCY in metrics:
        latencies = latencies_of(reading)
        if latencies is None:
            raise Unavailable(
                "the source tells requests of a window and no latencies of them, as it did before",
                code="source_failed",
                hint="a configuration with latency: false judges errors alone",
            )
        found.append(
            Observation(window=reading.window, metric=LATENCY, arms=latencies, weight=weight)
        )
    return found


def _failed(arm: ArmReading) -> ArmCounts:
    """Return failed and refused requests: a form that is refused to everybody is no success."""
    return ArmCounts(count=arm.counts.count, bad=arm.counts.bad + arm.refused)


def _arms(query: AnalysisQuery) -> Arms:
    return Arms(app=query.app, canary=query.canary, stable=query.stable)


def _changed(origin: RunOrigin, query: AnalysisQuery) -> tuple[ReasonCode, str] | None:
    """Return why the run does not judge this pair: it is of another one."""
    for name, code, began, asked in (
        ("canary", ReasonCode.CANARY_CHANGED, origin.canary, query.canary),
        ("stable", ReasonCode.BASELINE_CHANGED, origin.stable, query.stable),
    ):
        if began != asked:
            return code, f"the run is about {name} {began}, and {asked} is another one"
    return None


def _changed_document(progress: Progress, code: ReasonCode, reason: str) -> dict[str, Any]:
    """Return an answer that passes and fails nothing; what the run has is left alone."""
    document = run_document(finding(progress), progress)
    return document | {
        "verdict": Verdict.INCONCLUSIVE.value,
        "passed": False,
        "reason": reason,
        "reasonCode": code.value,
        "metrics": [],
        "notes": ["begin a run of another name for another pair of versions"],
    }


def _busy(run: str) -> Unavailable:
    return Unavailable(
        f"the run {run} is being changed by others all the time", code="store_busy", status=503
    )
