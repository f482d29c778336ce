"""Judge what was recorded: one body, or many runs on all cores."""

from __future__ import annotations

import json
import os
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from analyzer.domain.findings import finding
from analyzer.domain.progress import replay
from analyzer.domain.timeline import outcome
from analyzer.schemas.documents import analysis_document, outcome_document, run_document
from analyzer.schemas.judge_body import read_judge_body
from analyzer.service.analysis import judge_once
from analyzer.service.judging import setup_of
from svckit.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from analyzer.ports import Configs
    from analyzer.schemas.judge_body import JudgeRequest

CHUNK = 16
"""Lines that a process judges at a time."""
_FEW = 2 * CHUNK
_WAITING_PER_CORE = 4


def judge_content(content: bytes, configs: Configs, *, config: str | None) -> dict[str, Any]:
    """Return the answer about one body; `config` names another configuration than its own.

    Raises:
        InvalidInput: the body, or the configuration, cannot be used.
    """
    request = read_judge_body(content)
    if request.one_look and config is None:
        found = judge_once(request)
        return analysis_document(found.verdict, run=found.run, window=found.window)
    run = request.run or request.id or "once"
    setup = setup_of(request, configs.get(config or request.config), run=run)
    progress = replay(setup, _judged(request, setup.metrics))
    return run_document(finding(progress), progress)


def replay_lines(lines: Iterable[bytes], *, configs: Configs, config: str | None) -> Iterator[str]:
    """Yield one JSON line for every recorded run, in their order; empty lines are skipped.

    Raises:
        InvalidInput: a line cannot be used; the message says which. Those before it were judged.
    """
    numbered = ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    first = list(islice(numbered, _FEW))
    cores = len(os.sched_getaffinity(0))
    if len(first) < _FEW or cores == 1:
        yield from _judge_chunk(first, configs, config)
        while chunk := list(islice(numbered, CHUNK)):
            yield from _judge_chunk(chunk, configs, config)
        return
    # Not forked: the service's threads would be copied in whatever state they are.
    with ProcessPoolExecutor(max_workers=cores, mp_context=get_context("spawn")) as pool:
        waiting = deque(
            pool.submit(_judge_chunk, first[start : start + CHUNK], configs, config)
            for start in range(0, len(first), CHUNK)
        )
        try:
            while waiting:
                while len(waiting) < _WAITING_PER_CORE * cores:
                    chunk = list(islice(numbered, CHUNK))
                    if not chunk:
                        break
                    waiting.append(pool.submit(_judge_chunk, chunk, configs, config))
                yield from waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()


def _judge_chunk(lines: list[tuple[int, bytes]], configs: Configs, config: str | None) -> list[str]:
    return [_judge_line(number, line, configs, config) for number, line in lines]


def _judge_line(number: int, line: bytes, configs: Configs, config: str | None) -> str:
    try:
        request = read_judge_body(line)
        setup = setup_of(request, configs.get(config or request.config), run=f"line {number}")
    except InvalidInput as error:
        raise InvalidInput(f"line {number}: {error.detail}", code=error.code) from None
    found = outcome(setup, _judged(request, setup.metrics))
    return json.dumps(outcome_document(found, identity=request.id or request.run))


def _judged(request: JudgeRequest, metrics: frozenset[str]) -> list[Any]:
    return [one for one in request.observations if one.metric in metrics]
