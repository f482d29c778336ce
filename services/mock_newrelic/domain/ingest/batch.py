"""What every ingest protocol turns its bytes into: counts by series and second.

Binning before storing makes the cost of storing depend on the number of series and seconds in a
body, not on the number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, log2
from typing import TypeAlias

from mock_newrelic.domain.histogram import LOWEST, LOWEST_SECONDS, PER_OCTAVE
from mock_newrelic.domain.model import Counts, SeriesKey

GOOD = (0, 0, 0)
"""The outcome of a sample without fault."""


@dataclass(slots=True)
class Bin:
    """The samples of one series in one second, while they are being counted.

    `counts` has the fields of `domain.model.Counts`.
    """

    counts: list[int] = field(default_factory=lambda: [0] * len(Counts._fields))
    histogram: dict[int, int] = field(default_factory=dict)

    def add(self, outcome: tuple[int, int, int], duration: float | None) -> None:
        """Count one sample: (error, HTTP 5xx, HTTP 4xx) as 0 or 1, and seconds or None."""
        counts = self.counts
        counts[0] += 1
        if outcome is not GOOD:
            counts[1] += outcome[0]
            counts[2] += outcome[1]
            counts[3] += outcome[2]
        if duration is not None:
            counts[4] += 1
            counts[5] += round(duration * 1e6)
            # histogram.bucket_of, written out: one call less for every sample.
            bucket = ceil(log2(duration) * PER_OCTAVE) - 1 if duration > LOWEST_SECONDS else LOWEST
            histogram = self.histogram
            histogram[bucket] = histogram.get(bucket, 0) + 1


Bins: TypeAlias = dict[SeriesKey, dict[int, Bin]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One accepted body.

    Attributes:
        bins: counts by series and second.
        apps: the applications that sent transactions, probes included.
        samples: events that count in windows.
        probes: events of health checks, which count in none.
        others: events of other types, which count in none.
        session: token of the session that they belong to, empty for the default one.
    """

    bins: Bins
    apps: frozenset[str]
    samples: int = 0
    probes: int = 0
    others: int = 0
    session: str = ""
