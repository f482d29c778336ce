"""What a counter gained between two instants, from the samples that were scraped of it.

Exact where extrapolation is not: the gain of a window is the difference between the last sample at
or before its end and the last one at or before its start, so neighbouring windows share an edge and
every request is in exactly one of them. A value below the one before is a restart from zero.

Source: Prometheus, "Metric types" (counters reset to zero on restart).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def gain(samples: Sequence[tuple[float, float]], *, start: float, born: bool) -> float | None:
    """Return what a counter gained after `start`; None when no sample lies after it.

    Args:
        samples: (instant, value), oldest first, none after the window's end.
        start: of the window.
        born: whether a counter without a sample up to `start` began at zero in the window, which
            is so when what it counts for was scraped before. Otherwise counting begins with its
            first sample, and what was before that is unknown and left out.
    """
    if not samples or samples[-1][0] <= start:
        return None
    before = [value for instant, value in samples if instant <= start]
    inside = [value for instant, value in samples if instant > start]
    last = before[-1] if before else 0.0 if born else inside[0]
    total = 0.0
    for value in inside:
        total += value - last if value >= last else value
        last = value
    return total


def histogram_gain(
    samples: Sequence[tuple[float, Mapping[float, float]]], *, start: float, born: bool
) -> dict[float, float] | None:
    """As `gain`, for samples that are histograms: upper edge -> observations in that bin.

    Edges may become coarser from one sample to the next, as native histograms do when they run out
    of buckets; older bins then move into the coarser one that contains them.
    """
    if not samples or samples[-1][0] <= start:
        return None
    before = [bins for instant, bins in samples if instant <= start]
    inside = [bins for instant, bins in samples if instant > start]
    last: Mapping[float, float] = before[-1] if before else {} if born else inside[0]
    total: dict[float, float] = {}
    for bins in inside:
        base = _on_grid(last, bins)
        # A restart shows in the sum or in a bin that lost observations.
        restarted = any(base[edge] > bins.get(edge, 0.0) for edge in base)
        for edge, count in bins.items():
            total[edge] = total.get(edge, 0.0) + count - (0.0 if restarted else base.get(edge, 0.0))
        last = bins
    return _on_grid(total, inside[-1])


def _on_grid(bins: Mapping[float, float], grid: Mapping[float, float]) -> dict[float, float]:
    """Return bins moved up to the edges of a grid; what lies above all edges keeps its own."""
    edges = sorted(grid)
    moved: dict[float, float] = {}
    for edge, count in bins.items():
        target = edge if edge in grid else next((one for one in edges if one > edge), edge)
        moved[target] = moved.get(target, 0.0) + count
    return moved
