"""`{"error_ratio": 0.05}`: this share of the samples that are no errors becomes errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mock_newrelic.domain.effects.arguments import number
from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.effects.rows import answered_with, as_error, is_error, share, status_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mock_newrelic.domain.model import Counts, Reading

_FAILED = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRatio(DataEffect):
    """Shows good samples as failures with HTTP status 500.

    The share is taken of the counts and rounded to whole samples, so that the same data always
    show the same number.
    """

    name: ClassVar[str] = "error_ratio"
    ratio: float

    def observe(self, reading: Reading) -> Reading:
        """Return the reading with more errors; the durations stay."""
        return reading._replace(counts=self._flip(reading.counts))

    def rows(self, rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the rows with as many more errors, evenly spread."""
        good = [at for at, row in enumerate(rows) if not is_error(row)]
        served = [at for at, row in enumerate(rows) if status_of(row) < 500]
        failing = set(share(good, self.ratio))
        answered = set(share(served, self.ratio))
        shown = []
        for at, row in enumerate(rows):
            changed = as_error(row) if at in failing else row
            shown.append(answered_with(changed, _FAILED) if at in answered else changed)
        return shown

    def _flip(self, counts: Counts) -> Counts:
        return counts._replace(
            errors=counts.errors + round(self.ratio * (counts.samples - counts.errors)),
            http_5xx=counts.http_5xx + round(self.ratio * (counts.samples - counts.http_5xx)),
            http_4xx=counts.http_4xx - round(self.ratio * counts.http_4xx),
        )


def parse(argument: object, _metric: str | None) -> ErrorRatio:
    """Read the share, a number from 0 to 1."""
    return ErrorRatio(given=argument, ratio=number(argument, name=ErrorRatio.name, highest=1))
