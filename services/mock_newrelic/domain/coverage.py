"""Of which seconds the exact counts of an application's agents are complete.

An agent tells exact counts once a minute, so those of the present minute are always missing. They
answer only for a window that every run with a part in it has told in full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_newrelic.domain.model import Span

if TYPE_CHECKING:
    from mock_newrelic.domain.ingest.batch import Covered
    from mock_newrelic.domain.model import Terms

SILENT_SECONDS = 150
"""A run that has told nothing for so long is taken to have died."""
UNTOLD_SECONDS = 60
"""What a run that died without a last word has taken with it, at most: one report's worth."""
MAX_GAPS = 16


class _Run:
    """What one run has told: from `first` to `stop` without the gaps."""

    __slots__ = ("ended", "first", "gaps", "labels", "stop")

    def __init__(self, labels: Terms, span: Span) -> None:
        self.labels = labels
        self.first, self.stop = span
        self.gaps: list[Span] = []
        self.ended = False

    def extend(self, span: Span) -> None:
        """Take in seconds; neighbours may share a second, because harvests do not end on one."""
        if span.first >= span.stop:
            return
        # Nothing is missing before a run's first word: it began with it.
        if span.first > self.stop > self.first:
            self.gaps = [*self.gaps, Span(self.stop, span.first)][-MAX_GAPS:]
        self.first = min(self.first, span.first)
        self.stop = max(self.stop, span.stop)

    def spans(self) -> list[Span]:
        """Return the covered seconds."""
        edges = [self.first, *(edge for gap in self.gaps for edge in gap), self.stop]
        return [Span(*pair) for pair in zip(edges[::2], edges[1::2], strict=True)]

    def covers(self, span: Span, now: float) -> bool:
        """Whether nothing that the run did in the span is missing."""
        if self.first >= span.stop:
            return True
        missing = self.gaps
        if not self.ended:
            dead = self.stop < now - SILENT_SECONDS
            untold = self.stop + UNTOLD_SECONDS if dead else max(span.stop, self.stop)
            missing = [*missing, Span(self.stop, untold)]
        return not any(gap.first < span.stop and span.first < gap.stop for gap in missing)


class Coverage:
    """The runs of one application."""

    def __init__(self) -> None:
        self._runs: dict[str, _Run] = {}

    def add(self, told: Covered) -> None:
        """Take notice of what a run has told."""
        run = self._runs.get(told.run)
        if run is None:
            run = self._runs[told.run] = _Run(told.labels, told.span)
        else:
            run.extend(told.span)
        run.ended = run.ended or told.ended

    def told(self) -> list[tuple[str, list[tuple[str, str]], list[Span], bool]]:
        """Return run, labels, covered spans and whether it ended, for `restore`."""
        return [
            (name, sorted(run.labels), run.spans(), run.ended) for name, run in self._runs.items()
        ]

    def restore(
        self, name: str, labels: list[tuple[str, str]], spans: list[Span], *, ended: bool
    ) -> None:
        """Take in what `told` gave of one run."""
        run = self._runs[name] = _Run(frozenset(labels), spans[0])
        for span in spans[1:]:
            run.extend(span)
        run.ended = ended

    def covers(self, terms: Terms, span: Span, now: float) -> bool:
        """Whether the exact counts of all runs with these labels are complete in a span."""
        matching = [run for run in self._runs.values() if terms <= run.labels]
        return bool(matching) and all(run.covers(span, now) for run in matching)

    def forget(self, before: float) -> None:
        """Drop the runs that told nothing since an instant."""
        for name in [name for name, run in self._runs.items() if run.stop < before]:
            del self._runs[name]
