"""Bodies of the control plane."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from svckit.durations import DurationError, parse_duration
from votegen.domain.ballots import Voters
from votegen.domain.plan import (
    DEFAULT_RATE,
    DEFAULT_SPLIT_A,
    MAX_CONNECTIONS,
    Plan,
)
from votegen.domain.profile import MAX_RATE, parse_shape
from votegen.domain.schedule import Arrivals
from votegen.domain.targets import DEFAULT_NAME, Target


def _duration(text: str) -> str:
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        raise ValueError(f"{error}; expected a Go duration such as 60s or 5m") from None
    if seconds <= 0:
        raise ValueError("expected a duration above 0s")
    return text


Duration = Annotated[str, AfterValidator(_duration)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Rate = Annotated[float, Field(ge=0, le=MAX_RATE, allow_inf_nan=False)] | Literal["max"]


class TargetBody(BaseModel):
    """Something to vote at, with its share of the traffic."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str = Field(DEFAULT_NAME, examples=["canary"])
    url: str = Field(examples=["http://127.0.0.1:8083"])
    weight: Weight = Field(1.0, description="Share relative to the other targets.")

    def to_domain(self) -> Target:
        """Return the target; raises InvalidInput when it cannot be used."""
        return Target(name=self.name, url=self.url, weight=self.weight)


class PlanBody(BaseModel):
    """What a run sends. Rate and duration are virtual time, the time-out is real."""

    model_config = ConfigDict(extra="forbid", strict=True)

    targets: list[TargetBody] = Field(min_length=1)
    rate: Rate = Field(
        DEFAULT_RATE,
        description="Requests per virtual second over all targets: with SUITE_CLOCK_RATE=10, "
        "50 are 500 a real second. `max` sends as fast as answers come.",
    )
    shape: str | None = Field(
        None,
        description="A rate that changes, instead of `rate`: stages:0s:10,60s:50, "
        "sine:MEAN,AMPLITUDE,PERIOD, spike:BASE,PEAK,AT,FOR or step:RATE,…,EVERY.",
        examples=["stages:0s:10,60s:50"],
    )
    duration: Duration | None = Field(None, description="Virtual; null runs until stopped.")
    arrivals: Literal["constant", "poisson"] = "constant"
    connections: int | None = Field(
        None, ge=1, le=MAX_CONNECTIONS, description="Most connections to a target; null: by rate."
    )
    voters: str = Field("new", description="new, returning or returning:N.")
    split_a: float = Field(DEFAULT_SPLIT_A, ge=0, le=1, description="Share of votes for `a`.")
    gets: float = Field(0.0, ge=0, le=1, description="Share of requests that only look.")
    think: str = Field("0s", description="Closed loop: real pause of a connection after an answer.")
    timeout: Duration = Field("10s", description="Real time from the intended time to giving up.")
    host_header: str = Field("", description="Host header, where the URL's host will not do.")
    seed: int = 1

    def to_domain(self) -> Plan:
        """Return the plan; raises InvalidInput when it cannot be used."""
        return Plan(
            targets=tuple(target.to_domain() for target in self.targets),
            rate=None if self.rate == "max" else self.rate,
            shape=None if self.shape is None else parse_shape(self.shape),
            duration_seconds=None if self.duration is None else parse_duration(self.duration),
            arrivals=Arrivals(self.arrivals),
            connections=self.connections,
            voters=Voters.parse(self.voters),
            split_a=self.split_a,
            gets=self.gets,
            think_seconds=parse_duration(self.think),
            timeout_seconds=parse_duration(self.timeout),
            host_header=self.host_header,
            seed=self.seed,
        )


class PlanChange(BaseModel):
    """What can change while a run is under way; what is left out stays."""

    model_config = ConfigDict(extra="forbid", strict=True)

    rate: Rate | None = None
    targets: list[TargetBody] | None = Field(
        None, min_length=1, description="The whole new list; results of a name go on."
    )
    weights: dict[str, Weight] | None = Field(
        None, description="New weights by target name, applied after `targets`."
    )

    @model_validator(mode="after")
    def _changes_something(self) -> PlanChange:
        if self.rate is None and self.targets is None and self.weights is None:
            raise ValueError("nothing to change: give rate, weights or targets")
        return self

    def apply(self, plan: Plan) -> Plan:
        """Return the changed plan; raises InvalidInput when it cannot be used."""
        if self.rate is not None:
            plan = replace(plan, rate=None if self.rate == "max" else self.rate, shape=None)
        if self.targets is not None:
            plan = replace(plan, targets=tuple(target.to_domain() for target in self.targets))
        if self.weights is not None:
            plan = plan.with_weights(self.weights)
        return plan
