"""From flags and a plan file to a plan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from svckit.durations import DurationError, parse_duration
from svckit.errors import InvalidInput
from votegen.cli.files import read_text
from votegen.domain.ballots import Voters
from votegen.domain.plan import DEFAULT_DURATION_SECONDS, Plan
from votegen.domain.profile import Recorded, Stages, parse_shape
from votegen.domain.schedule import Arrivals
from votegen.domain.targets import Target

if TYPE_CHECKING:
    from pathlib import Path

    from votegen.domain.profile import Profile


def shape_of(stages: str | None, shape: str | None, replay: Path | None) -> Profile | None:
    """Return the rate over time that one of three flags asks for."""
    given = [one for one in (stages, shape, replay) if one is not None]
    if len(given) > 1:
        raise InvalidInput("--stages, --shape and --replay exclude each other")
    if stages is not None:
        return Stages.parse(stages)
    if shape is not None:
        return parse_shape(shape)
    return None if replay is None else Recorded.parse(read_text("--replay", replay))


def plan_of(
    file: Path | None,
    *,
    targets: list[str] | None = None,
    rate: str | None = None,
    duration: str | None = None,
    arrivals: str | None = None,
    shape: Profile | None = None,
    think: str | None = None,
    timeout: str | None = None,
    voters: str | None = None,
    **others: Any,
) -> Plan:
    """Return the plan of the file, if there is one, with what the flags say."""
    changes: dict[str, Any] = {name: value for name, value in others.items() if value is not None}
    changes |= _traffic(targets, rate, arrivals, shape, voters)
    for name, flag, text in (
        ("duration_seconds", "--duration", duration),
        ("think_seconds", "--think", think),
        ("timeout_seconds", "--timeout", timeout),
    ):
        if text is not None:
            changes[name] = _seconds(flag, text)
    if file is not None:
        from votegen.cli.plan_file import read_plan  # noqa: PLC0415 - slow to import

        made = replace(read_plan(file), **changes)
    elif "targets" in changes:
        made = Plan(**changes)
    else:
        raise InvalidInput("there is no target", hint="--target http://127.0.0.1:8083")
    if made.duration_seconds is None:
        length = None if made.profile is None else made.profile.length
        made = replace(made, duration_seconds=length or DEFAULT_DURATION_SECONDS)
    return made


def _traffic(
    targets: list[str] | None,
    rate: str | None,
    arrivals: str | None,
    shape: Profile | None,
    voters: str | None,
) -> dict[str, Any]:
    """Return the members of a plan that have a notation of their own."""
    changes: dict[str, Any] = {}
    if targets:
        changes["targets"] = tuple(Target.parse(text) for text in targets)
    if rate is not None:
        changes |= {"rate": _rate(rate), "shape": None}
    if shape is not None:
        if rate is not None:
            raise InvalidInput("--rate and a rate that changes over time exclude each other")
        changes["shape"] = shape
    if arrivals is not None:
        if arrivals not in {kind.value for kind in Arrivals}:
            raise InvalidInput(f"--arrivals {arrivals}: expected constant or poisson")
        changes["arrivals"] = Arrivals(arrivals)
    if voters is not None:
        changes["voters"] = Voters.parse(voters)
    return changes


def _rate(text: str) -> float | None:
    if text == "max":
        return None
    try:
        rate = float(text.removesuffix("/s"))
    except ValueError:
        rate = 0.0
    if not rate > 0:
        raise InvalidInput(f"--rate {text}: expected requests per second above 0, or max")
    return rate


def _seconds(flag: str, text: str) -> float:
    try:
        return parse_duration(text)
    except DurationError as error:
        raise InvalidInput(f"{flag} {text}: {error}", hint="for example 60s or 5m") from None
