"""Bodies of the control plane."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from svckit.durations import DurationError, format_duration, parse_duration
from voteapp.domain.faults import Faults, Scope

MAX_DELAY_SECONDS = 3600.0


def _delay(text: str) -> str:
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        raise ValueError(f"{error}; expected a Go duration such as 200ms or 60s") from None
    if not 0 <= seconds <= MAX_DELAY_SECONDS:
        raise ValueError("expected a duration from 0s to 1h")
    return text


Delay = Annotated[str, AfterValidator(_delay)]


class LatencyBody(BaseModel):
    """Extra time before the answer: add ± jitter."""

    model_config = ConfigDict(extra="forbid", strict=True)

    add: Delay = Field("0s", examples=["200ms"])
    jitter: Delay = Field("0s", examples=["50ms"])


class FaultsBody(BaseModel):
    """The fault switches; what is left out is off."""

    model_config = ConfigDict(extra="forbid", strict=True)

    error_ratio: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Share of requests (0-1) that fail with `status` or 500; probes are spared.",
        examples=[0.052],
    )
    latency: LatencyBody | None = None
    status: int | None = Field(
        None,
        ge=400,
        le=599,
        description="Answer with this status; without error_ratio every request, probes included.",
    )
    hang: Delay | None = Field(None, description="Hold every request this long, then answer.")
    scope: Literal["all", "POST", "GET"] = Field(
        "all", description="Requests that are affected; GET includes HEAD."
    )

    @model_validator(mode="after")
    def _names_a_fault(self) -> FaultsBody:
        if not self.to_domain().kinds:
            raise ValueError(
                "no fault is named: give error_ratio, latency, status or hang "
                "(DELETE switches all off)"
            )
        return self

    def to_domain(self) -> Faults:
        """Return the switches as the domain knows them."""
        latency = self.latency or LatencyBody()
        return Faults(
            error_ratio=self.error_ratio,
            status=self.status,
            latency_add_seconds=parse_duration(latency.add),
            latency_jitter_seconds=parse_duration(latency.jitter),
            hang_seconds=parse_duration(self.hang or "0s"),
            scope=Scope(self.scope),
        )


def faults_document(faults: Faults) -> dict[str, Any]:
    """Return the switches that are on, in the shape of the request body."""
    document: dict[str, Any] = {}
    kinds = faults.kinds
    if "error_ratio" in kinds:
        document["error_ratio"] = faults.error_ratio
    if "latency" in kinds:
        document["latency"] = {
            "add": format_duration(faults.latency_add_seconds),
            "jitter": format_duration(faults.latency_jitter_seconds),
        }
    if "status" in kinds:
        document["status"] = faults.status
    if "hang" in kinds:
        document["hang"] = format_duration(faults.hang_seconds)
    return {**document, "scope": faults.scope.value} if document else {}
