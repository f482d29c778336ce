"""`{"error_ratio": 0.05}`: this share of the samples that are no errors becomes errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mock_newrelic.domain.effects.base import DataEffect, number

if TYPE_CHECKING:
    from mock_newrelic.domain.model import Counts, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRatio(DataEffect):
    """Shows good samples as failures with HTTP status 500.

    The share is taken of the counts and rounded to whole samples, so that the same data always
    show the same number.
    """

    name: ClassVar[str] = "error_ratio"
    ratio: float

    def argument(self) -> float:
        """Return the share."""
        return self.ratio

    def observe(self, reading: Reading) -> Reading:
        """Return the reading with more errors; the durations stay."""
        return reading._replace(counts=self._flip(reading.counts))

    def _flip(self, counts: Counts) -> Counts:
        return counts._replace(
            errors=counts.errors + round(self.ratio * (counts.samples - counts.errors)),
            http_5xx=counts.http_5xx + round(self.ratio * (counts.samples - counts.http_5xx)),
            http_4xx=counts.http_4xx - round(self.ratio * counts.http_4xx),
        )


def parse(argument: object, _metric: str | None) -> ErrorRatio:
    """Read the share, a number from 0 to 1."""
    return ErrorRatio(ratio=number(argument, name=ErrorRatio.name, highest=1))
