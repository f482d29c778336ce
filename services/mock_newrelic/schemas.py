"""The JSON documents that come in at the edges, other than ingest."""

from __future__ import annotations

from typing import Annotated, Any, Literal

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


class Schedule(BaseModel):
    """When an injection is in force within its lifetime."""

    model_config = ConfigDict(extra="forbid")

    every: Annotated[str, AfterValidator(_ttl)] | None = Field(
        None, description="Length of a period.", examples=["1m"]
    )
    cron: str | None = Field(
        None, max_length=200, description="Five cron fields, UTC.", examples=["*/10 * * * *"]
    )
    lasts: Annotated[str, AfterValidator(_ttl)] = Field(
        alias="for", description="How long it is in force each time.", examples=["10s"]
    )


class Trigger(BaseModel):
    """What has to happen first; exactly one of hit, metric, weight and deployment."""

    model_config = ConfigDict(extra="forbid")

    hit: int | None = Field(None, ge=1, strict=True, description="This question in its scope.")
    metric: str | None = Field(None, description="A measured metric over the last minute…")
    op: Literal["gt", "ge", "lt", "le", "eq"] = "gt"
    value: float = Field(0.0, strict=True, allow_inf_nan=False, description="…against this.")
    weight: float | None = Field(
        None, ge=0, le=100, strict=True, allow_inf_nan=False,
        description="The canary's share of the traffic in percent.",
    )  # fmt: skip
    deployment: str | Literal[True] | None = Field(
        None, description="The marker of this revision (a glob), or of any with true."
    )


class Injection(BaseModel):
    """What to inject: scope, one effect, and for how long."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    app: str = Field(
        min_length=1, max_length=200, description="Glob over application names.",
        examples=["voting01-vote-*"],
    )  # fmt: skip
    role: str | None = Field(None, min_length=1, max_length=255)
    hash: str | None = Field(None, min_length=1, max_length=255)
    version: str | None = Field(None, min_length=1, max_length=255)
    host: str | None = Field(None, min_length=1, max_length=255)
    labels: dict[str, str] = Field(
        default_factory=dict, max_length=16, description="More labels by name."
    )
    metric: str | None = Field(
        None, description="The only metric concerned; for a value errorRate unless given."
    )
    effect: dict[str, Any] = Field(
        description="Exactly one effect by its name.",
        examples=[
            {"set": 5.2},
            {"error_ratio": 0.05},
            {"latency": {"add": "300ms"}},
            {"no_data": True},
            {"stale": True},
            {"status": 503},
            {"hang": "60s"},
            {"payload": "nan"},
            {"transport": "reset"},
        ],
    )
    ttl: Annotated[str, AfterValidator(_ttl)] = Field(
        format_duration(DEFAULT_TTL_SECONDS), description="How long it is in force, at most 24h."
    )
    delay: Annotated[str, AfterValidator(_duration)] = Field(
        "0s", description="How long to wait before it is."
    )
    start_at: str | None = Field(
        None, alias="startAt", description="Instant from which it is in force, instead of a delay."
    )
    schedule: Schedule | None = None
    trigger: Trigger | None = None
    probability: float = Field(
        1.0, gt=0, le=1, strict=True, allow_inf_nan=False,
        description="Share of the questions that it strikes.",
    )  # fmt: skip
    nth: list[Annotated[int, Field(ge=1, strict=True)]] = Field(
        default_factory=list, max_length=1000,
        description="Numbers of the only questions in its scope that it strikes.",
    )  # fmt: skip
    max_hits: int = Field(0, alias="maxHits", ge=0, strict=True, description="0: no limit.")
    priority: int = Field(0, strict=True, description="The highest wins; among equals the newest.")
    seed: int = Field(0, strict=True, description="Decides which questions a probability strikes.")
    surface: str | list[str] | None = Field(
        None, description="Doors by name; all that read unless given.", examples=[["nerdgraph"]]
    )
    window: str = Field("", max_length=32, description="The only window, as callers write it.")
    method: str = Field("", max_length=64, description="HTTP method, or an agent's method.")
    client: str = Field("", max_length=200, description="Glob over User-Agents.")
    key: str = Field(
        "", pattern="^[0-9a-f]{0,6}$", description="First hex digits of the key's SHA-256."
    )
    session: str = Field("", max_length=64, description="Token of a session.")
    dry_run: bool = Field(
        False, alias="dryRun", strict=True, description="Count and audit, change nothing."
    )
    reason: str = Field("", max_length=500)
    created_by: str = Field("", alias="createdBy", max_length=200)


class Batch(BaseModel):
    """Several queries for one instant; each holds the parameters of GET /v1/metrics."""

    model_config = ConfigDict(extra="forbid")

    queries: list[dict[str, str]] = Field(min_length=1, max_length=MAX_QUERIES)


class Session(BaseModel):
    """A session for one test suite."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field("", max_length=200, description="To tell it from others in the list.")
    ttl: Annotated[str, AfterValidator(_ttl)] = Field(
        "1h", description="How long it lives, at most 24h."
    )


class Comparison(BaseModel):
    """What to compare with a snapshot."""

    model_config = ConfigDict(extra="forbid")

    surface: str = Field("", max_length=32, description="Only requests of this surface or group.")
    ignore: list[str] = Field(
        default_factory=list, max_length=100,
        description="Names of members and parameters that may differ, at any depth.",
    )  # fmt: skip


class Snapshot(BaseModel):
    """A snapshot as GET shows it."""

    model_config = ConfigDict(extra="forbid")

    requests: list[Any] = Field(max_length=10_000)
