"""What an AnalysisRun is told to do: metrics, arguments and rules, before anything is resolved.

Shapes are checked here, as the API server would: a wrong type is refused with the path of the
field, instead of surprising a later pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rollout_runner.argo.analysis.errors import AnalysisError

_TEXT_FIELDS: Final = (
    "name",
    "interval",
    "initialDelay",
    "successCondition",
    "failureCondition",
)
_NUMBER_FIELDS: Final = (
    "count",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "consecutiveSuccessLimit",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """A named value; `value_from` is Argo's raw block, of which a run reads `secretKeyRef` only."""

    name: str
    value: str | None = None
    value_from: Mapping[str, Any] | None = None

    @classmethod
    def from_json(cls, raw: object, where: str) -> Argument:
        """Read one argument; AnalysisError names `where` when its shape is wrong."""
        fields = mapping(raw, where)
        value_from = fields.get("valueFrom")
        if value_from is not None:
            secret = mapping(value_from, f"{where}.valueFrom").get("secretKeyRef")
            if secret is not None:
                at = f"{where}.valueFrom.secretKeyRef"
                reference = mapping(secret, at)
                text(reference.get("name"), f"{at}.name")
                text(reference.get("key"), f"{at}.key")
        return cls(
            name=text(fields.get("name"), f"{where}.name"),
            value=_optional_text(fields.get("value"), f"{where}.value"),
            value_from=value_from,
        )

    @property
    def secret_key_ref(self) -> tuple[str, str] | None:
        """Name and key of the Secret that holds the value, if one does."""
        reference = (self.value_from or {}).get("secretKeyRef")
        return None if reference is None else (reference["name"], reference["key"])


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRetention:
    """How many measurements to keep for the metrics whose name matches; 0 means the default."""

    metric_name: str
    limit: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRunSpec:
    """Spec of a run. Metrics are raw JSON: arguments are substituted into their text.

    `dry_run` and `measurement_retention` select metrics by unanchored regular expressions.
    """

    metrics: tuple[Mapping[str, Any], ...] = ()
    args: tuple[Argument, ...] = ()
    dry_run: tuple[str, ...] = ()
    measurement_retention: tuple[MeasurementRetention, ...] = ()
    terminate: bool = False

    @classmethod
    def from_json(cls, raw: object, where: str = "spec") -> AnalysisRunSpec:
        """Read the spec of an AnalysisRun or of a template (which never has `terminate`)."""
        fields = mapping(raw, where)
        return cls(
            metrics=tuple(
                _metric(each, f"{where}.metrics[{index}]")
                for index, each in enumerate(items(fields.get("metrics"), f"{where}.metrics"))
            ),
            args=read_args(fields.get("args"), f"{where}.args"),
            dry_run=read_dry_run(fields.get("dryRun"), f"{where}.dryRun"),
            measurement_retention=read_retention(
                fields.get("measurementRetention"), f"{where}.measurementRetention"
            ),
            terminate=_flag(fields.get("terminate"), f"{where}.terminate"),
        )


def read_args(raw: object, where: str) -> tuple[Argument, ...]:
    """Read a list of arguments; None is an empty list."""
    return tuple(
        Argument.from_json(each, f"{where}[{index}]")
        for index, each in enumerate(items(raw, where))
    )


def read_dry_run(raw: object, where: str) -> tuple[str, ...]:
    """Read `dryRun` rules: the regular expressions of the metrics they select."""
    return tuple(
        text(mapping(each, f"{where}[{index}]").get("metricName"), f"{where}[{index}].metricName")
        for index, each in enumerate(items(raw, where))
    )


def read_retention(raw: object, where: str) -> tuple[MeasurementRetention, ...]:
    """Read `measurementRetention` rules."""
    rules: list[MeasurementRetention] = []
    for index, each in enumerate(items(raw, where)):
        at = f"{where}[{index}]"
        fields = mapping(each, at)
        limit = fields.get("limit", 0)
        if not isinstance(limit, int) or isinstance(limit, bool):
            raise _wrong(f"{at}.limit", "a whole number", limit)
        rules.append(
            MeasurementRetention(
                metric_name=text(fields.get("metricName"), f"{at}.metricName"), limit=limit
            )
        )
    return tuple(rules)


def mapping(raw: object, where: str) -> dict[str, Any]:
    """Return `raw` if it is a mapping with text keys; AnalysisError names `where` otherwise."""
    if not isinstance(raw, dict) or not all(isinstance(key, str) for key in raw):
        raise _wrong(where, "a mapping", raw)
    return raw


def items(raw: object, where: str) -> list[Any]:
    """Return `raw` if it is a list, [] for None; AnalysisError names `where` otherwise."""
    if raw is None:
        return []
    if not isinstance(raw, list):
        raise _wrong(where, "a list", raw)
    return raw


def text(raw: object, where: str) -> str:
    """Return `raw` if it is text; AnalysisError names `where` otherwise."""
    if not isinstance(raw, str):
        raise _wrong(where, "text", raw)
    return raw


def _optional_text(raw: object, where: str) -> str | None:
    return None if raw is None else text(raw, where)


def _flag(raw: object, where: str) -> bool:
    if raw is None:
        return False
    if not isinstance(raw, bool):
        raise _wrong(where, "true or false", raw)
    return raw


def _metric(raw: object, where: str) -> dict[str, Any]:
    fields = mapping(raw, where)
    text(fields.get("name"), f"{where}.name")
    for name in _TEXT_FIELDS:
        _optional_text(fields.get(name), f"{where}.{name}")
    for name in _NUMBER_FIELDS:
        value = fields.get(name)
        if isinstance(value, bool) or not isinstance(value, int | str | None):
            raise _wrong(f"{where}.{name}", "a whole number or text", value)
    if fields.get("provider") is not None:
        provider = mapping(fields["provider"], f"{where}.provider")
        for name, block in provider.items():
            if block is not None:
                mapping(block, f"{where}.provider.{name}")
    return fields


def _wrong(where: str, expected: str, found: object) -> AnalysisError:
    if found is None:
        return AnalysisError(f"{where} is missing: it must be {expected}")
    hint = "put the value in quotes" if expected == "text" else ""
    return AnalysisError(f"{where} must be {expected}, got {found!r}", hint=hint)
