"""Counting many samples at once: the same as `Bin.add` one by one, in columns.

One by one costs about a microsecond a sample, most of it for the arithmetic of its bucket. In
columns the arithmetic costs next to nothing, and the rest depends on how many buckets are touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mock_newrelic.domain.histogram import LOWEST, LOWEST_SECONDS, PER_OCTAVE
from mock_newrelic.domain.ingest.batch import Bin

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_SPARSE = 16
"""From how many cells a sample on they are numbered as they are used."""


def add_many(
    places: Sequence[dict[int, Bin]],
    which: npt.NDArray[np.int64],
    seconds: npt.NDArray[np.int64],
    durations: npt.NDArray[np.float64],
    outcomes: npt.NDArray[np.int64],
) -> None:
    """Count `n` samples, each standing for itself.

    Args:
        places: where to count, by second.
        which: shape (n,), the index of each sample's place.
        seconds: shape (n,), the second of each.
        durations: shape (n,), in seconds; NaN where it is not known.
        outcomes: shape (n, 3): error, HTTP 5xx and HTTP 4xx of each as 0 or 1.
    """
    if not len(which):
        return
    first = int(seconds.min())
    width = int(seconds.max()) - first + 1
    if width <= len(seconds):
        known, offsets = np.arange(first, first + width), seconds - first
    else:
        # Far apart: an array over all seconds between them would be large and empty.
        known, offsets = np.unique(seconds, return_inverse=True)
    cells = which * len(known) + offsets
    cell_count = len(places) * len(known)
    used = np.arange(0)
    if cell_count > _SPARSE * len(which):
        # Many places and many seconds, few samples: only the cells that hold one get a number.
        used, cells = np.unique(cells, return_inverse=True)
        cell_count = len(used)
    timed = ~np.isnan(durations)
    timed_cells, told = cells[timed], durations[timed]
    columns = [
        np.bincount(cells, minlength=cell_count),
        *(np.bincount(cells, column, cell_count) for column in outcomes.T),
        np.bincount(timed_cells, minlength=cell_count),
        np.bincount(timed_cells, np.rint(told * 1e6), cell_count),
    ]
    filled = np.flatnonzero(columns[0])
    counted = np.stack(columns, axis=1)[filled].astype(np.int64).tolist()
    histograms = _histograms(timed_cells, told)
    stamps = known.tolist()
    for cell, counts in zip(filled.tolist(), counted, strict=True):
        place, offset = divmod(int(used[cell]) if len(used) else cell, len(stamps))
        by_second, second = places[place], stamps[offset]
        histogram = histograms.get(cell, {})
        one = by_second.get(second)
        if one is None:
            by_second[second] = Bin([*counts, 0, 0], histogram)
            continue
        for column, number in enumerate(counts):
            one.counts[column] += number
        for bucket, number in histogram.items():
            one.histogram[bucket] = one.histogram.get(bucket, 0) + number


def _histograms(
    cells: npt.NDArray[np.int64], durations: npt.NDArray[np.float64]
) -> dict[int, dict[int, int]]:
    """Return the number of samples by bucket, for every cell."""
    if not len(cells):
        return {}
    buckets = np.full(len(durations), LOWEST, dtype=np.int64)
    higher = durations > LOWEST_SECONDS
    buckets[higher] = np.ceil(np.log2(durations[higher]) * PER_OCTAVE).astype(np.int64) - 1
    lowest = int(buckets.min())
    width = int(buckets.max()) - lowest + 1
    codes, numbers = np.unique(cells * width + (buckets - lowest), return_counts=True)
    owners = codes // width
    starts = np.flatnonzero(np.diff(owners, prepend=-1)).tolist()
    names, found = (codes - owners * width + lowest).tolist(), numbers.tolist()
    return {
        cell: dict(zip(names[start:stop], found[start:stop], strict=True))
        for cell, start, stop in zip(
            owners[starts].tolist(), starts, [*starts[1:], len(names)], strict=True
        )
    }
