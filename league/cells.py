"""Running one scenario: every contender on the same rollouts, kept on disk row by row."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from league import peers_errors, peers_latency, target
from league.outcome import Outcome, first_crossing
from league.scenarios import ErrorScenario, LatencyScenario, Scenario
from league.streams import (
    CHUNK,
    ErrorStreams,
    LatencyStreams,
    chunk_seed,
    draw_errors,
    draw_latencies,
)
from league.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results"
ALPHA = 0.01
PRODUCT = "Gatelab"
CALIBRATED = "oracle SPRT, calibrated"
SLOW_CHUNKS = 8
"""Chunks that contenders without a vectorised form get (400 rollouts): wider intervals."""
Streams = ErrorStreams | LatencyStreams


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many rollouts are simulated.

    Attributes:
        null: rollouts of scenarios without a difference.
        other: rollouts of the rest.
        product: factor for the product's own judge, which is not vectorised.
        seed: of everything.
    """

    null: int = 2000
    other: int = 500
    product: float = 1.0
    seed: int = 1

    def runs(self, scenario: Scenario) -> int:
        """Return the number of rollouts of a scenario."""
        return self.null if scenario.null else self.other

    def product_runs(self, scenario: Scenario) -> int:
        """Return the number of rollouts that the product judges: a multiple of the chunk."""
        wanted = max(1, round(self.product * self.runs(scenario) / CHUNK))
        return min(self.runs(scenario), wanted * CHUNK)


def draw(scenario: Scenario, size: Size, runs: int) -> Iterator[Streams]:
    """Yield the rollouts chunk by chunk; the last chunk is cut, not drawn smaller."""
    for chunk in range(-(-runs // CHUNK)):
        rng = chunk_seed(scenario.name, size.seed, chunk)
        if isinstance(scenario, ErrorScenario):
            yield draw_errors(scenario, rng, CHUNK)
        else:
            yield draw_latencies(scenario, rng, CHUNK)


def run_scenario(scenario: Scenario, size: Size, *, folder: Path = RESULTS) -> dict[str, Any]:
    """Return the document of a scenario; rows whose inputs and code did not change are kept."""
    path = folder / f"{scenario.name}.json"
    kept = _kept_rows(path)
    rows: dict[str, Any] = {}
    started = time.perf_counter()
    peer_key = _key(scenario, size, size.runs(scenario), "league")
    if peer_key in kept:
        rows.update({row["contender"]: row for row in kept[peer_key]})
    else:
        rows.update(_peer_rows(scenario, size, peer_key))
    product_runs = size.product_runs(scenario)
    product_key = _key(scenario, size, product_runs, "product")
    if product_key in kept:
        rows[PRODUCT] = kept[product_key][0]
    else:
        rows[PRODUCT] = _product_row(scenario, size, product_runs) | {"key": product_key}
    ordered = [rows.pop(PRODUCT), *rows.values()]
    document = {
        "scenario": scenario.name,
        "title": scenario.title,
        "null": scenario.null,
        "alpha": ALPHA,
        "seed": size.seed,
        "seconds": round(time.perf_counter() - started, 1),
        "rows": ordered,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return document


def _peer_rows(scenario: Scenario, size: Size, key: str) -> dict[str, Any]:
    runs = size.runs(scenario)
    found: dict[str, list[Outcome]] = {}
    bad: list[NDArray[np.float64]] = []
    for chunk, streams in enumerate(draw(scenario, size, runs)):
        bad.append(_cumulative_bad(streams))
        for name, outcome in _judge_by_peers(scenario, streams):
            if chunk < SLOW_CHUNKS or not name.startswith("Kayenta"):
                found.setdefault(name, []).append(outcome())
    whole_bad = np.concatenate(bad)
    rows = {
        name: summarise(
            name,
            "oracle" if name.startswith("oracle") else "peer",
            _joined(outcomes, runs),
            whole_bad,
            scenario.poll,
        )
        for name, outcomes in found.items()
    }
    if isinstance(scenario, ErrorScenario) and not scenario.null:
        outcome = _calibrated(scenario, size, runs)
        rows[CALIBRATED] = summarise(CALIBRATED, "oracle", outcome, whole_bad, scenario.poll)
    return {name: row.document() | {"key": key} for name, row in rows.items()}


def _judge_by_peers(
    scenario: Scenario, streams: Streams
) -> Iterator[tuple[str, Callable[[], Outcome]]]:
    """Yield every peer with a call that lets it judge."""
    if isinstance(scenario, ErrorScenario) and isinstance(streams, ErrorStreams):
        for name, peer in peers_errors.PEERS.items():
            yield name, partial(peer, streams, scenario, ALPHA)
    elif isinstance(scenario, LatencyScenario) and isinstance(streams, LatencyStreams):
        for name, other in peers_latency.PEERS.items():
            yield name, partial(other, streams, scenario, ALPHA)


def _calibrated(scenario: ErrorScenario, size: Size, runs: int) -> Outcome:
    """Return the oracle whose threshold makes exactly alpha of null rollouts fail."""
    null = replace(scenario, ratio=1.0, onset=0, null=True)
    highest = [
        peers_errors.sprt_path(streams, scenario).max(axis=1)
        for streams in draw(null, replace(size, seed=size.seed + 1), 4000)
        if isinstance(streams, ErrorStreams)
    ]
    threshold = float(np.quantile(np.concatenate(highest), 1 - ALPHA))
    outcomes = [
        Outcome(
            failed_at=first_crossing(
                peers_errors.sprt_path(streams, scenario) >= threshold, scenario.poll, scenario.skip
            )
        )
        for streams in draw(scenario, size, runs)
        if isinstance(streams, ErrorStreams)
    ]
    return replace(_joined(outcomes, runs), notes={"log_threshold": threshold})


def _product_row(scenario: Scenario, size: Size, runs: int) -> dict[str, Any]:
    outcomes, bad = [], []
    for streams in draw(scenario, size, runs):
        outcomes.append(target.judge(streams, scenario, ALPHA))
        bad.append(_cumulative_bad(streams))
    row = summarise(PRODUCT, "product", _joined(outcomes, runs), np.concatenate(bad), scenario.poll)
    return row.document()


def _joined(outcomes: list[Outcome], runs: int) -> Outcome:
    failed = np.concatenate([one.failed_at for one in outcomes])[:runs]
    passes = [one.passed_at for one in outcomes if one.passed_at is not None]
    notes: dict[str, float] = {}
    for one in outcomes:
        for key, value in one.notes.items():
            notes[key] = notes.get(key, 0.0) + value / len(outcomes)
    return Outcome(
        failed_at=failed,
        passed_at=np.concatenate(passes)[:runs] if passes else None,
        seconds=math.fsum(one.seconds for one in outcomes),
        judgements=sum(one.judgements for one in outcomes),
        notes=notes,
    )


def _cumulative_bad(streams: Streams) -> NDArray[np.float64]:
    if isinstance(streams, ErrorStreams):
        bad = streams.bad_canary if streams.bad_canary.ndim == 2 else streams.bad_canary[0]
        return np.cumsum(bad, axis=1).astype(float)
    return np.cumsum(streams.canary.sum(axis=-1), axis=1).astype(float)


def _kept_rows(path: Path) -> dict[str, list[dict[str, Any]]]:
    kept: dict[str, list[dict[str, Any]]] = {}
    if path.exists():
        for row in json.loads(path.read_bytes())["rows"]:
            kept.setdefault(row["key"], []).append(row)
    return kept


def _key(scenario: Scenario, size: Size, runs: int, what: str) -> str:
    """Return a hash of all that a row depends on: scenario, size, and the code that judges."""
    parts = [repr(scenario), str(size.seed), str(runs), str(ALPHA), _code("streams.py")]
    if what == "product":
        parts.append(target.code())
    else:
        parts += [_code("peers_errors.py"), _code("peers_latency.py")]
    return f"{what}-{hashlib.sha256('|'.join(parts).encode()).hexdigest()[:16]}"


def _code(name: str) -> str:
    return hashlib.sha256((Path(__file__).parent / name).read_bytes()).hexdigest()
