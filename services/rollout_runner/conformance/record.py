"""What a replay says about one record: values that must be equal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from rollout_runner.argo.types import ArgoVersion

Record: TypeAlias = Mapping[str, Any]


class UnsupportedRecord(Exception):  # noqa: N818 - a finding, not a failure
    """The record asks for something that this version has no function for."""


@dataclass(frozen=True, slots=True)
class Check:
    """One value beside the expected one; both are JSON values or compare like them."""

    what: str
    actual: Any
    expected: Any

    @property
    def agrees(self) -> bool:
        """Whether the value is the expected one."""
        return bool(self.actual == self.expected)


Replay: TypeAlias = Callable[[Record, ArgoVersion], Iterator[Check]]


_OF_1_9 = "expected_v1_9"


def tells_of_1_9(record: Record) -> bool:
    """Tell whether something was recorded of 1.9 as well, because it differs there."""
    return any(name.startswith(_OF_1_9) for name in record)


def of_version(record: Record, version: ArgoVersion) -> Any:
    """Return what is expected of a release: `expected_v1_9…` before 1.10 where it is recorded."""
    if version is not ArgoVersion.V1_10:
        for name, value in record.items():
            if name.startswith(_OF_1_9):
                return value
    return record["expected"]


def each(values: Mapping[str, Any], expected: Mapping[str, Any]) -> Iterator[Check]:
    """Yield a check for every expected key.

    Raises:
        UnsupportedRecord: a key is expected for which there is no value.
    """
    unknown = expected.keys() - values.keys()
    if unknown:
        raise UnsupportedRecord(f"no value for {', '.join(sorted(unknown))}")
    for key, value in expected.items():
        yield Check(key, values[key], value)
