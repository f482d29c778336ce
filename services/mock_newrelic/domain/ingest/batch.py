"""What every ingest protocol turns its bytes into: counts by series and second, and raw events.

Binning before storing makes the cost of storing depend on the number of series and seconds in a
body, not on the number of samples.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - beside the types of dataclasses
from dataclasses import dataclass, field
from math import ceil, log2
from typing import TypeAlias

from mock_newrelic.domain.histogram import LOWEST, LOWEST_SECONDS, PER_OCTAVE, total_seconds
from mock_newrelic.domain.model import Counts, SeriesKey, Span, Terms
from mock_newrelic.domain.records import Chunk

GOOD = (0, 0, 0)
"""The outcome of a sample without fault."""


@dataclass(slots=True)
class Bin:
    """The samples of one series in one second, while they are being counted.

    `counts` has the fields of `domain.model.Counts`.
    """

    counts: list[int] = field(default_factory=lambda: [0] * len(Counts._fields))
    histogram: dict[int, int] = field(default_factory=dict)

    def add(self, outcome: tuple[int, int, int], duration: float | None, weight: int = 1) -> None:
        """Count one sample that stands for `weight` of its kind.

        Args:
            outcome: error, HTTP 5xx and HTTP 4xx, each as 0 or 1.
            duration: seconds, or None when it is not known.
            weight: how many samples it stands for (`spread_weights`).
        """
        counts = self.counts
        counts[0] += weight
        if outcome is not GOOD:
            counts[1] += outcome[0] * weight
            counts[2] += outcome[1] * weight
            counts[3] += outcome[2] * weight
        if duration is not None:
            counts[4] += weight
            counts[5] += round(duration * 1e6) * weight
            # histogram.bucket_of, written out: one call less for every sample.
            bucket = ceil(log2(duration) * PER_OCTAVE) - 1 if duration > LOWEST_SECONDS else LOWEST
            histogram = self.histogram
            histogram[bucket] = histogram.get(bucket, 0) + weight

    def add_histogram(
        self,
        count: int,
        *,
        errors: int = 0,
        http_5xx: int = 0,
        http_4xx: int = 0,
        sum_seconds: float | None = None,
        buckets: Mapping[int, int] | None = None,
        approximate: bool = False,
    ) -> None:
        """Count `count` samples that came summed up.

        Args:
            count: how many.
            errors: of them, those that are errors.
            http_5xx: of them, those with an HTTP status of 500 or more.
            http_4xx: of them, those with an HTTP status of 400 to 499.
            sum_seconds: sum of their durations; None when it is not known, in which case it is
                estimated from the buckets, and without buckets they count in no latency.
            buckets: samples by bucket of `domain.histogram`. Without any, only the sum is known:
                averages can be told of them and quantiles cannot.
            approximate: whether the buckets were spread from coarser ones.

        Raises:
            ValueError: the buckets hold another number of samples than `count`.
        """
        counts = self.counts
        counts[0] += count
        counts[1] += errors
        counts[2] += http_5xx
        counts[3] += http_4xx
        if buckets:
            if sum(buckets.values()) != count:
                raise ValueError("the buckets hold another number of samples than the count")
            if sum_seconds is None:
                sum_seconds = total_seconds(buckets)
            counts[6] += count if approximate else 0
            histogram = self.histogram
            if not histogram:
                self.histogram = {bucket: samples for bucket, samples in buckets.items() if samples}
            else:
                for bucket, samples in buckets.items():
                    if samples:
                        histogram[bucket] = histogram.get(bucket, 0) + samples
        elif sum_seconds is not None:
            counts[7] += count
        if sum_seconds is not None:
            counts[4] += count
            counts[5] += round(sum_seconds * 1e6)

    def add_durations(self, count: int, sum_seconds: float) -> None:
        """Tell how long `count` samples took together that are counted elsewhere."""
        counts = self.counts
        counts[4] += count
        counts[5] += round(sum_seconds * 1e6)
        counts[7] += count


Bins: TypeAlias = dict[SeriesKey, dict[int, Bin]]


def spread_weights(seen: int, kept: int) -> list[int]:
    """Return for how many of `seen` samples each of the `kept` ones of a reservoir stands.

    The weights are whole, differ by one at most, are spread evenly and sum up to `seen`. Fewer
    seen than kept is a sender's mistake: each then stands for itself.

    >>> spread_weights(7, 3)
    [2, 2, 3]
    """
    if seen <= kept:
        return [1] * kept
    return [(one + 1) * seen // kept - one * seen // kept for one in range(kept)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """Data that were left out of an accepted body; an `NrIntegrationError` event tells of them.

    Attributes:
        reason: stable lower-case code.
        count: how many items.
        app: application that they belonged to, empty when unknown.
        detail: one sentence for people.
    """

    reason: str
    count: int = 1
    app: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A small document that is stored, or removed, together with a batch.

    Attributes:
        value: the new value; None removes the document.
        session: token of the session; None for that of the batch.
    """

    kind: str
    key: str
    value: bytes | None
    session: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """The seconds of which an agent run has told its exact counts.

    Attributes:
        app: application.
        labels: of the run's series.
        run: the run's id.
        span: the seconds; an empty one announces a run that has told none yet.
        ended: whether the run tells no more.
    """

    app: str
    labels: Terms
    run: str
    span: Span
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One accepted body; it is stored as a whole.

    Attributes:
        bins: counts by series and second.
        apps: the applications that it speaks of, those of probes and raw events included.
        samples: events that count in windows.
        probes: events of health checks, which count in none.
        others: events of other types, which count in none.
        session: token of the session that they belong to, empty for the default one.
        records: the raw events.
        drops: what was left out.
        documents: documents that change with it.
        covered: the seconds that an agent's exact counts cover.
    """

    bins: Bins
    apps: frozenset[str]
    samples: int = 0
    probes: int = 0
    others: int = 0
    session: str = ""
    records: tuple[Chunk, ...] = ()
    drops: tuple[Drop, ...] = ()
    documents: tuple[Document, ...] = ()
    covered: tuple[Covered, ...] = ()
