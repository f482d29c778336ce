"""`{"no_data": true}`: the samples are not there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mock_newrelic.domain.effects.base import DataEffect
from mock_newrelic.domain.model import NOTHING, Reading
from svckit.errors import InvalidInput


@dataclass(frozen=True, slots=True, kw_only=True)
class NoData(DataEffect):
    """Hides every sample of the scope."""

    name: ClassVar[str] = "no_data"

    def argument(self) -> bool:
        """Return true, the only argument there is."""
        return True

    def observe(self, reading: Reading) -> Reading:  # noqa: ARG002 - what it was does not matter
        """Return an empty reading."""
        return NOTHING


def parse(argument: object, _metric: str | None) -> NoData:
    """Accept true and nothing else: `false` would be an injection that does nothing."""
    if argument is not True:
        raise InvalidInput(
            "effect.no_data is not true",
            code="bad_effect",
            hint="to end the injection, DELETE /control/injections/<id>",
        )
    return NoData()
