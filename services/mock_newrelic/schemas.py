"""The JSON documents that come in at the edges, other than ingest."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mock_newrelic.domain.injections import DEFAULT_TTL_SECONDS, MAX_TTL_SECONDS
from svckit.durations import DurationError, format_duration, parse_duration

MAX_QUERIES = 100


def _duration(text: str) -> str:
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        raise ValueError(str(error)) from None
    if not 0 <= seconds <= MAX_TTL_SECONDS:
        raise ValueError("expected 0s to 24h")
    return text


def _ttl(text: str) -> str:
    if parse_duration(_duration(text)) <= 0:
        raise ValueError("expected more than 0s, at most 24h")
    return text


class Injection(BaseModel):
    """What to inject: scope, one effect, and for how long."""

    model_config = ConfigDict(extra="forbid")

    app: str = Field(
        min_length=1, max_length=200, description="Glob over application names.",
        examples=["voting01-vote-*"],
    )  # fmt: skip
    role: str | None = Field(None, min_length=1, max_length=255)
    hash: str | None = Field(None, min_length=1, max_length=255)
    version: str | None = Field(None, min_length=1, max_length=255)
    host: str | None = Field(None, min_length=1, max_length=255)
    metric: str | None = Field(
        None, description='The only metric concerned; for "set" errorRate unless given.'
    )
    effect: dict[str, Any] = Field(
        description="Exactly one effect by its name.",
        examples=[{"set": 5.2}, {"error_ratio": 0.05}, {"no_data": True}, {"status": 503}],
    )
    ttl: Annotated[str, AfterValidator(_ttl)] = Field(
        format_duration(DEFAULT_TTL_SECONDS), description="How long it is in force, at most 24h."
    )
    delay: Annotated[str, AfterValidator(_duration)] = Field(
        "0s", description="How long to wait before it is."
    )
    probability: float = Field(
        1.0, gt=0, le=1, strict=True, allow_inf_nan=False,
        description="Share of the queries that it touches.",
    )  # fmt: skip
    priority: int = Field(0, strict=True, description="The highest wins; among equals the newest.")
    seed: int = Field(0, strict=True, description="Decides which queries a probability touches.")
    reason: str = Field("", max_length=500)


class Batch(BaseModel):
    """Several queries for one instant; each holds the parameters of GET /v1/metrics."""

    model_config = ConfigDict(extra="forbid")

    queries: list[dict[str, str]] = Field(min_length=1, max_length=MAX_QUERIES)
