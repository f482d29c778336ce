"""Replays of conditions on recorded results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rollout_runner.argo.conditions import assess, dialect_of
from rollout_runner.argo.expr import ConditionError, Floats, NrdbRow, NrdbRows, evaluate
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.conformance.record import (
    Check,
    UnsupportedRecord,
    each,
    of_version,
    tells_of_1_9,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.conformance.record import Record

NOW = 1_770_000_000.0
WRAPPER = "could not evaluate "
"""How 1.10 begins the message of an error in a condition; before, the bare message was told."""


def replay_condition(record: Record, version: ArgoVersion) -> Iterator[Check]:
    """Replay one condition, or both conditions of a metric."""
    if record.get("kind") == "evalCondition":
        yield from _one_condition(record, version)
        return
    phase, message = assess(
        result_of(record),
        success_condition=record["successCondition"] or "",
        failure_condition=record["failureCondition"] or "",
        version=version,
        now=NOW,
    )
    expected = of_version(record, version)
    yield Check("phase", str(phase), expected["phase"])
    yield error_check(message, expected.get("error") or "", record, version)
    if version is not ArgoVersion.V1_10:
        yield Check("has an error", bool(message), phase is Phase.ERROR)


def error_check(message: str, expected: str, record: Record, version: ArgoVersion) -> Check:
    """Compare a message.

    Messages of 1.9 were recorded where it comes to another phase than 1.10; elsewhere only the
    wrapper of 1.10 is known to be missing, and what it wraps can be the older library's wording.
    """
    if version is ArgoVersion.V1_10 or tells_of_1_9(record) or not expected.startswith(WRAPPER):
        return Check("error", message, expected)
    return Check("error without the wrapper of 1.10", message.startswith(WRAPPER), False)


def _one_condition(record: Record, version: ArgoVersion) -> Iterator[Check]:
    value, error = False, None
    try:
        value = evaluate(
            record["condition"], result_of(record), dialect=dialect_of(version), now=NOW
        )
    except ConditionError as refusal:
        error = str(refusal)
    expected = of_version(record, version)
    if version is ArgoVersion.V1_10 or not expected.get("error"):
        yield from each({"value": value, "error": error}, expected)
    else:
        yield Check("has an error", error is not None, True)


def result_of(record: Record) -> Any:
    """Return the result of a condition record as the Python value that stands for it.

    Raises:
        UnsupportedRecord: no value stands for its Go type.
    """
    result, go_type = record["result"], record["goType"]
    match go_type:
        case "int":
            return int(result)
        case "[]float64":
            return Floats(map(_float, result))
        case "float64" | "*float64":
            return None if result is None else _float(result)
        case "nrdb.NRDBResult":
            return NrdbRow(_decoded(result))
        case "[]nrdb.NRDBResult":
            return NrdbRows(map(NrdbRow, _decoded(result)))
        case _ if isinstance(go_type, str | None):
            return _decoded(result)
    raise UnsupportedRecord(f"no value for Go type {go_type!r}")


def _float(value: Any) -> float:
    return float(value["$float"] if isinstance(value, dict) else value)


def _decoded(value: Any) -> Any:
    """Make every number a float, as Argo's providers do."""
    if isinstance(value, dict):
        if value.keys() == {"$float"}:
            return _float(value)
        return {key: _decoded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
