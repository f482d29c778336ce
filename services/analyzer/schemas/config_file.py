"""Configurations as YAML: read strictly, known by a hash of what they say.

Every field has a default, that of the preset `balanced`. Shares and levels are percent (`0.5%`),
times are Go durations. The hash is of the content, not of the text: comments and order are free.
"""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from hashlib import sha256
from importlib.resources import files
from typing import Any

import msgspec
import yaml

from analyzer.domain.burn_rate import BurnRule
from analyzer.domain.config import JudgeConfig, LatencyRules, MetricRules
from svckit.durations import DurationError, parse_duration
from svckit.errors import InvalidInput

PRESETS = ("balanced", "latency-sensitive", "low-traffic", "strict")
DEFAULT = "balanced"
NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
CODE = "invalid_config"
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*%")
_LONGEST_S = 30 * 24 * 3600.0


class _Section(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    pass


class _Minimum(_Section):
    windows: int = 2
    requests: int = 100
    duration: str = "0s"


class _Alpha(_Section):
    fail: str = "1%"
    # The wire word; Python reserves the bare one.
    pass_: str = msgspec.field(default="5%", name="pass")


class _Errors(_Section):
    weight: float = 2.0
    fail_odds: float = 1.0
    fail_difference: str = "0.05%"
    pass_odds: float = 1.5
    pass_difference: str = "0.5%"  # noqa: S105 - no password
    limit: str | None = None


class _Latency(_Section):
    weight: float = 1.0
    fail_odds: float = 1.0
    fail_difference: str = "0.05%"
    pass_odds: float = 1.5
    pass_difference: str = "0.5%"  # noqa: S105 - no password
    quantiles: tuple[str, ...] = ("50%", "75%", "90%", "95%", "97.5%", "99%", "99.5%", "99.9%")
    pass_quantiles: tuple[str, ...] = ("50%", "90%", "99%")
    floor: str = "10ms"
    ranks: bool = False


class _BurnRate(_Section):
    objective: str
    factor: float = 14.4
    long: str = "6m"
    short: str = "30s"
    least_requests: int = 100


class _File(_Section):
    description: str = ""
    horizon: str = "11m"
    interval: str = "30s"
    history: str = "1h"
    warmup: str = "0s"
    minimum: _Minimum = msgspec.field(default_factory=_Minimum)
    stale_after: int = 3
    no_data_fail_after: str | None = None
    alpha: _Alpha = msgspec.field(default_factory=_Alpha)
    errors: _Errors = msgspec.field(default_factory=_Errors)
    latency: _Latency | bool = msgspec.field(default_factory=_Latency)
    burn_rate: _BurnRate | None = None


def preset(name: str) -> JudgeConfig:
    """Return a configuration that ships with the analyzer.

    Raises:
        KeyError: there is none of that name.
    """
    if name not in PRESETS:
        raise KeyError(name)
    text = files("analyzer.schemas").joinpath("presets", f"{name}.yaml").read_text("utf-8")
    return read_config(text, name=name, where=f"preset {name}")


def read_config(text: str, *, name: str, where: str) -> JudgeConfig:
    """Read a configuration; `where` is what errors call it, a file for example.

    Raises:
        InvalidInput: it is no YAML, or a field is unknown or wrong; the message names it.
    """
    try:
        document = yaml.load(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        raise InvalidInput(f"{where}: not YAML: {error}", code=CODE) from None
    return config_of(document or {}, name=name, where=where)


def config_of(document: Any, *, name: str, where: str) -> JudgeConfig:
    """Return the configuration that a document says.

    Raises:
        InvalidInput: as `read_config`.
    """
    try:
        file = _convert(document)
        content = json.dumps(_content(file), sort_keys=True)
        digest = sha256(content.encode()).hexdigest()[:12]
        return _config(file, name=name, digest=digest, content=content)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise _wrong(where, place.rstrip("`"), message) from None
    except _FieldError as error:
        raise _wrong(where, error.field, error.expected) from None


class _FieldError(Exception):
    def __init__(self, field: str, expected: str) -> None:
        self.field, self.expected = field, expected


def _convert(document: Any) -> _File:
    file = msgspec.convert(document, _File)
    return msgspec.structs.replace(file, latency=_Latency()) if file.latency is True else file


def _content(file: _File) -> Any:
    found = msgspec.to_builtins(file)
    del found["description"]
    return found


def _config(file: _File, *, name: str, digest: str, content: str) -> JudgeConfig:
    interval = _seconds("interval", file.interval, least=1.0)
    horizon = _seconds("horizon", file.horizon, least=interval)
    if interval != int(interval):
        raise _FieldError("interval", "expected whole seconds")
    silent = file.no_data_fail_after
    burn = file.burn_rate
    return JudgeConfig(
        name=name,
        digest=digest,
        content=content,
        horizon_s=horizon,
        interval_s=interval,
        history_s=_seconds("history", file.history),
        warmup_s=_seconds("warmup", file.warmup),
        minimum_windows=_at_least(1, "minimum.windows", file.minimum.windows),
        minimum_requests=_at_least(1, "minimum.requests", file.minimum.requests),
        minimum_duration_s=_seconds("minimum.duration", file.minimum.duration),
        stale_after=_at_least(1, "staleAfter", file.stale_after),
        no_data_fail_after_s=None
        if silent is None
        else _seconds("noDataFailAfter", silent, least=interval),
        alpha_fail=_level("alpha.fail", file.alpha.fail),
        alpha_pass=_level("alpha.pass", file.alpha.pass_),
        errors=MetricRules(**_rules("errors", file.errors)),
        latency=_latency(file.latency) if isinstance(file.latency, _Latency) else None,
        error_limit=None
        if file.errors.limit is None
        else _share("errors.limit", file.errors.limit),
        burn=None if burn is None else _burn(burn),
    )


def _rules(place: str, section: _Errors | _Latency) -> dict[str, float]:
    if not 0 < section.weight < math.inf:
        raise _FieldError(f"{place}.weight", "expected a number above 0")
    for name, odds in (("failOdds", section.fail_odds), ("passOdds", section.pass_odds)):
        if not 1 <= odds <= 10:
            raise _FieldError(f"{place}.{name}", "expected a ratio from 1 to 10")
    if section.pass_odds <= section.fail_odds:
        raise _FieldError(
            f"{place}.passOdds", "expected more than failOdds: what may not fail must not pass"
        )
    return {
        "weight": section.weight,
        "fail_odds": section.fail_odds,
        "fail_difference": _share(f"{place}.failDifference", section.fail_difference, zero=True),
        "pass_odds": section.pass_odds,
        "pass_difference": _share(f"{place}.passDifference", section.pass_difference),
    }


def _latency(section: _Latency) -> LatencyRules:
    quantiles = {
        name: tuple(sorted({_share(f"latency.{name}", one) for one in given}))
        for name, given in (
            ("quantiles", section.quantiles),
            ("passQuantiles", section.pass_quantiles),
        )
    }
    for name, found in quantiles.items():
        if not found:
            raise _FieldError(f"latency.{name}", "expected at least one, such as 99%")
    if not set(quantiles["passQuantiles"]) <= set(quantiles["quantiles"]):
        raise _FieldError("latency.passQuantiles", "expected some of latency.quantiles")
    return LatencyRules(
        **_rules("latency", section),
        quantiles=quantiles["quantiles"],
        pass_quantiles=quantiles["passQuantiles"],
        floor_ms=1000 * _seconds("latency.floor", section.floor),
        ranks=section.ranks,
    )


def _burn(section: _BurnRate) -> BurnRule:
    try:
        return BurnRule(
            objective=1 - _share("burnRate.objective", section.objective),
            factor=section.factor,
            long_s=_seconds("burnRate.long", section.long),
            short_s=_seconds("burnRate.short", section.short),
            least=_at_least(1, "burnRate.leastRequests", section.least_requests),
        )
    except ValueError as error:
        raise _FieldError("burnRate", str(error)) from None


def _seconds(place: str, text: str, *, least: float = 0.0) -> float:
    try:
        seconds = parse_duration(text)
    except DurationError:
        seconds = math.nan
    if not least <= seconds <= _LONGEST_S:
        raise _FieldError(
            place, f"expected a Go duration of at least {least:g} s, such as 30s or 11m"
        )
    return seconds


def _share(place: str, text: str, *, zero: bool = False) -> float:
    match = _PERCENT.fullmatch(text.strip())
    share = float(Fraction(match[1]) / 100) if match else math.nan
    if not (0 < share < 1 or (zero and share == 0)):
        raise _FieldError(place, "expected percent between 0% and 100%, such as 0.5%")
    return share


def _level(place: str, text: str) -> float:
    level = _share(place, text)
    if level > 0.5:
        raise _FieldError(place, "expected at most 50%")
    return level


def _at_least(least: int, place: str, value: int) -> int:
    if not least <= value <= 1_000_000_000:
        raise _FieldError(place, f"expected a whole number of at least {least}")
    return value


def _wrong(where: str, field: str, message: str) -> InvalidInput:
    place = f"{where}: {field}" if field else where
    return InvalidInput(
        f"{place}: {message[:1].lower()}{message[1:]}",
        code=CODE,
        hint="docs/reference/analyzer.md, Configurations, lists the fields",
        errors=({"loc": field or where, "msg": message},),
    )
