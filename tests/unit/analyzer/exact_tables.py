"""Exact small-number arithmetic that the judge's engines are held against.

Nothing here is shared with the engines: probabilities are fractions, expectations are sums over all
tables. It is slow and only meant for a handful of requests.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import product

Window = tuple[int, int, int, int]
"""Requests and bad ones of the canary, requests and bad ones of stable."""


def null_tables(window: Window) -> dict[int, Fraction]:
    """Return P(bad canary requests = x | margins, equal odds) for every possible x."""
    count_canary, bad_canary, count_stable, bad_stable = window
    bad = bad_canary + bad_stable
    total = math.comb(count_canary + count_stable, bad)
    return {
        x: Fraction(math.comb(count_canary, x) * math.comb(count_stable, bad - x), total)
        for x in range(max(0, bad - count_stable), min(bad, count_canary) + 1)
    }


def tilted_tables(window: Window, beta: float) -> dict[int, float]:
    """Return P(x | margins, log odds ratio beta)."""
    weights = {x: float(p) * math.exp(beta * x) for x, p in null_tables(window).items()}
    total = math.fsum(weights.values())
    return {x: weight / total for x, weight in weights.items()}


def log_z(window: Window, beta: float) -> float:
    """Return log E[exp(beta X)] under equal odds."""
    return math.log(
        math.fsum(float(p) * math.exp(beta * x) for x, p in null_tables(window).items())
    )


def all_paths(windows: Sequence[Window]) -> Iterator[tuple[list[Window], Fraction]]:
    """Yield every sequence of tables with these margins, and its probability under equal odds."""
    supports = [null_tables(window) for window in windows]
    for path in product(*(support.items() for support in supports)):
        probability = math.prod((p for _, p in path), start=Fraction(1))
        tables = [
            (window[0], x, window[2], window[1] + window[3] - x)
            for window, (x, _) in zip(windows, path, strict=True)
        ]
        yield tables, probability


def spending_boundaries(
    windows: Sequence[Window], allowed: Callable[[int], float]
) -> list[tuple[int, Fraction]]:
    """Return boundary and cumulative spent probability of every look.

    The boundary of look t is the least c for which P(not stopped before, sum >= c) <= allowed(t)
    minus what is spent: by the definition, over all sequences of tables.
    """
    alive: dict[int, Fraction] = {0: Fraction(1)}
    spent, found = Fraction(0), []
    for look, window in enumerate(windows, start=1):
        grown: dict[int, Fraction] = {}
        for total, mass in alive.items():
            for x, p in null_tables(window).items():
                grown[total + x] = grown.get(total + x, Fraction(0)) + mass * p
        boundary = max(grown) + 1
        tail = Fraction(0)
        while boundary - 1 in grown and tail + grown[boundary - 1] <= allowed(look) - spent:
            boundary -= 1
            tail += grown[boundary]
        spent += tail
        alive = {total: mass for total, mass in grown.items() if total < boundary}
        found.append((boundary, spent))
    return found
