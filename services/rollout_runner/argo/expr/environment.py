"""What Argo puts in scope of a condition: `result` and its own functions.

Rules: utils/evaluate/evaluate.go of argoproj/argo-rollouts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.frame import Frame
from rollout_runner.argo.expr.gotext import format_value, parse_float, parse_int
from rollout_runner.argo.expr.gotypes import ANY, BOOL, FLOAT, INT64, GoType, func
from rollout_runner.argo.expr.values import (
    NUMBERS,
    Int64,
    conversion_panic,
    is_nil,
    to_int,
    type_name,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgoFunction:
    """A function of Argo's, with its Go signature."""

    type: GoType
    run: Callable[[Frame, Sequence[Any]], Any]


def _as_int(_frame: Frame, args: Sequence[Any]) -> Int64:
    """Convert a number, truncating, or read a decimal integer."""
    value = args[0]
    if type(value) in NUMBERS:
        return Int64(to_int(value))
    if type(value) is str:
        return Int64(parse_int(value))
    raise ConditionError(f"asInt() not supported on {type_name(value)} {format_value(value)}")


def _as_float(_frame: Frame, args: Sequence[Any]) -> float:
    """Convert a number, or read a float; NaN and Inf are floats."""
    value = args[0]
    if type(value) in NUMBERS:
        return float(value)
    if type(value) is str:
        return parse_float(value)
    raise ConditionError(f"asFloat() not supported on {type_name(value)} {format_value(value)}")


def _need_float(args: Sequence[Any]) -> float:
    if type(args[0]) is not float:
        raise conversion_panic(args[0], "float64")
    return args[0]


def _is_nan(_frame: Frame, args: Sequence[Any]) -> bool:
    return math.isnan(_need_float(args))


def _is_inf(_frame: Frame, args: Sequence[Any]) -> bool:
    return math.isinf(_need_float(args))


def _is_nil(frame: Frame, _args: Sequence[Any]) -> bool:
    """Tell whether the whole result is nil, whatever the argument."""
    return is_nil(frame.result)


def _default(frame: Frame, args: Sequence[Any]) -> Any:
    """Give the second argument if the whole result is nil, else the result."""
    return args[1] if is_nil(frame.result) else frame.result


ARGO_FUNCTIONS: dict[str, ArgoFunction] = {
    "asInt": ArgoFunction(type=func(ANY, returns=INT64), run=_as_int),
    "asFloat": ArgoFunction(type=func(ANY, returns=FLOAT), run=_as_float),
    "isNaN": ArgoFunction(type=func(FLOAT, returns=BOOL), run=_is_nan),
    "isInf": ArgoFunction(type=func(FLOAT, returns=BOOL), run=_is_inf),
    "isNil": ArgoFunction(type=func(ANY, returns=BOOL), run=_is_nil),
    "default": ArgoFunction(type=func(ANY, ANY, returns=ANY), run=_default),
}
