"""A scenario as a frozen model, read from YAML with errors that name the field.

name: bad-canary
manifests: ../deploy/overlays/qa
traffic: {rate: 50/s}
canary: {errors: 5.2%}
timeline:
  - {on: {step: 6}, canary: {errors: 20%}}
  - {at: 9m, inject: {app: voting01-vote-qa, effect: {set: 5.2}, ttl: 2m}}
expect: {outcome: aborted, abortedAtStep: 5}
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from svckit.durations import DurationError, parse_duration

_LONGEST_NUMBER = 20
"""Digits of a rate; many more of them would be infinite."""


def _percentage(value: object) -> float:
    """Read `5.2%` (or a bare number of percent) as a ratio from 0 to 1."""
    text = str(value).strip()
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?%?", text)
    ratio = float(Decimal(match[1]) / 100) if match else -1.0
    if not 0 <= ratio <= 1:
        message = f"{text!r} is not a percentage from 0% to 100%, such as 5.2%"
        raise ValueError(message)
    return ratio


def _seconds(value: object) -> float:
    """Read a Go duration as seconds."""
    try:
        seconds = parse_duration(str(value))
    except DurationError as error:
        message = f"{error}; expected a Go duration such as 30s, 5m or 1h30m"
        raise ValueError(message) from None
    if seconds < 0:
        message = f"{value!r} is negative"
        raise ValueError(message)
    return seconds


def _rate(value: object) -> float:
    """Read `50/s`, `300/m` or a bare number as requests per virtual second."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(?:/(s|m))?", str(value).strip())
    if match is None or len(match[1]) > _LONGEST_NUMBER:
        message = f"{value!r} is not a rate such as 50/s"
        raise ValueError(message)
    return float(match[1]) / (60 if match[2] == "m" else 1)


def _json_object(value: dict[str, Any]) -> dict[str, Any]:
    """Refuse what JSON cannot say, such as an infinite number."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        message = f"cannot be sent as JSON: {error}"
        raise ValueError(message) from None
    return value


def _go_duration(value: str) -> str:
    _seconds(value)
    return value


Ratio: TypeAlias = Annotated[float, BeforeValidator(_percentage)]
Seconds: TypeAlias = Annotated[float, BeforeValidator(_seconds)]
PerSecond: TypeAlias = Annotated[float, BeforeValidator(_rate)]
JsonObject: TypeAlias = Annotated[dict[str, Any], AfterValidator(_json_object)]
GoDuration: TypeAlias = Annotated[str, AfterValidator(_go_duration)]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True
    )


class Traffic(_Model):
    """Votes per virtual second and how they arrive."""

    rate: PerSecond = 50.0
    arrivals: Literal["constant", "poisson"] = "poisson"


class TrafficChange(_Model):
    """Another rate from now on; arrivals keep their kind."""

    rate: PerSecond


class AddedLatency(_Model):
    """Latency put on top of what the version needs by itself (real time)."""

    add: GoDuration = "0s"
    jitter: GoDuration = "0s"


class Behaviour(_Model):
    """What a version really does to its requests.

    `p50` and `p99` shape the latency of simulated traffic; a live version is as fast as it is.
    """

    errors: Ratio | None = None
    status: int | None = Field(None, ge=400, le=599)
    latency: AddedLatency | None = None
    hang: GoDuration | None = None
    p50: Seconds | None = None
    p99: Seconds | None = None

    def faults(self) -> dict[str, Any]:
        """Return the body of `PUT /control/faults`; empty when the version is healthy."""
        document: dict[str, Any] = {}
        if self.errors:
            document["error_ratio"] = self.errors
        if self.status is not None:
            document["status"] = self.status
        if self.latency is not None:
            document["latency"] = self.latency.model_dump()
        if self.hang is not None:
            document["hang"] = self.hang
        return document

    def describe(self) -> str:
        """Say it in a few words: `5.2% errors`."""
        parts = [] if self.errors is None else [f"{self.errors * 100:g}% errors"]
        if self.status is not None:
            parts.append(f"HTTP {self.status} to everything")
        if self.latency is not None:
            parts.append(f"{self.latency.add} ± {self.latency.jitter} added latency")
        if self.hang is not None:
            parts.append(f"hangs {self.hang}")
        return ", ".join(parts) or "healthy"


class Trigger(_Model):
    """The moment when a step becomes current, or when the Rollout comes to a phase."""

    step: int | None = Field(default=None, ge=0)
    phase: Literal["Paused", "Degraded", "Healthy"] | None = None

    @model_validator(mode="after")
    def _one_moment(self) -> Trigger:
        if (self.step is None) == (self.phase is None):
            message = "needs exactly one of `step: 5` and `phase: Paused`"
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        """Say when: `at step 5`, `in phase Paused`."""
        return f"in phase {self.phase}" if self.step is None else f"at step {self.step}"


OperatorCommand: TypeAlias = Literal["promote", "promote-full", "abort", "retry", "undo"]
OPERATOR_COMMANDS: tuple[str, ...] = get_args(OperatorCommand)
ProcessName: TypeAlias = Literal["mock-newrelic", "canary-analyzer", "votegen", "stable", "canary"]


class TimelineEntry(_Model):
    """One change of the world: when (`at` or `on`) and exactly one action."""

    at: Seconds | None = None
    on: Trigger | None = None
    canary: Behaviour | None = None
    baseline: Behaviour | None = None
    traffic: TrafficChange | None = None
    inject: JsonObject | None = None
    clear: Literal["all"] | None = None
    do: OperatorCommand | None = None
    stop: ProcessName | None = None

    @model_validator(mode="after")
    def _one_time_one_action(self) -> TimelineEntry:
        if (self.at is None) == (self.on is None):
            message = "needs exactly one of `at: 9m` and `on: {step: 5}`"
            raise ValueError(message)
        if len(self.actions) != 1:
            message = f"needs exactly one action of {', '.join(ACTIONS)}"
            raise ValueError(message)
        return self

    @property
    def actions(self) -> tuple[str, ...]:
        """Names of the actions that are given."""
        return tuple(name for name in ACTIONS if getattr(self, name) is not None)


ACTIONS = ("canary", "baseline", "traffic", "inject", "clear", "do", "stop")


class Versions(_Model):
    """What the two versions are called in progress and report."""

    stable: str = "v16"
    canary: str = "v17"


class Expectation(_Model):
    """How the run must end, or so large a share of the runs."""

    outcome: Literal["promoted", "aborted", "paused", "degraded"]
    aborted_at_step: int | None = None
    within: Seconds | None = None
    decided_by: str | None = None
    message: str | None = None
    share: Ratio = 1.0


class Scenario(_Model):
    """A whole scenario file. The name is also that of the run's folder."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")
    description: str = ""
    manifests: str | None = None
    rollout: str | None = None
    mode: Literal["live", "simulate"] = "live"
    seed: int = 1
    runs: int = Field(1, ge=1, le=100_000)
    argo_version: str | None = Field(None, pattern=r"^1\.(8|9|10)$")
    versions: Versions = Versions()
    traffic: Traffic = Traffic()
    baseline: Behaviour = Behaviour()
    canary: Behaviour = Behaviour()
    timeline: tuple[TimelineEntry, ...] = ()
    expect: Expectation | None = None
