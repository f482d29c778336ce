"""Which number a condition looks at, so that a report can show it beside its limit.

This explains a condition, it never judges one: a condition of another form than
`<operand> <operator> <literal>` has no comparison, and the report shows the raw value instead.

>>> comparison_of("result.errorRate < 2")
Comparison(path=('errorRate',), operator='<', limit=2.0)
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import Any

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_LITERAL = rf"{_NUMBER}|\"[^\"]*\"|'[^']*'|true|false"
_PATH = r"result(?:\.[A-Za-z_]\w*|\[\s*(?:\d+|\"[^\"]*\"|'[^']*')\s*\])*"
_OPERAND = rf"(?:asFloat|asInt|float|int)\s*\(\s*(?:{_PATH})\s*\)|{_PATH}"
_OPERATOR = r"<=|>=|==|!=|<|>"
_FORWARD = re.compile(rf"\s*(?P<operand>{_OPERAND})\s*(?P<op>{_OPERATOR})\s*(?P<lit>{_LITERAL})\s*")
_REVERSE = re.compile(rf"\s*(?P<lit>{_LITERAL})\s*(?P<op>{_OPERATOR})\s*(?P<operand>{_OPERAND})\s*")
_PART = re.compile(r"\.([A-Za-z_]\w*)|\[\s*(?:(\d+)|\"([^\"]*)\"|'([^']*)')\s*\]")
_LONGEST_REASON = 300
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`result<path> <operator> <limit>`; an empty path is the whole result."""

    path: tuple[str | int, ...]
    operator: str
    limit: float | str | bool

    @property
    def subject(self) -> str:
        """Name of what is compared: the last part of the path, or `result`."""
        return str(self.path[-1]) if self.path else "result"

    @property
    def wanted(self) -> str:
        """The comparison without its subject: `< 2`."""
        limit = f"{self.limit:g}" if isinstance(self.limit, float) else str(self.limit)
        return f"{self.operator} {limit}"

    @property
    def error_rate_limit(self) -> float | None:
        """The limit in percent, when the condition bounds an error rate or an error ratio."""
        if isinstance(self.limit, bool | str) or self.operator in {"==", "!="}:
            return None
        subject = self.subject.lower().replace("_", "")
        if subject.endswith("errorrate"):
            return self.limit
        if subject.endswith("errorratio"):
            return self.limit * 100
        return None


def comparison_of(condition: str) -> Comparison | None:
    """Return the comparison that a condition consists of, or None when it is anything else."""
    match = _FORWARD.fullmatch(condition) or _REVERSE.fullmatch(condition)
    if match is None:
        return None
    operator = match["op"]
    if match.re is _REVERSE:
        operator = _MIRRORED[operator]
    path = tuple(_path_parts(match["operand"]))
    return Comparison(path=path, operator=operator, limit=_literal(match["lit"]))


def read_value(comparison: Comparison, value: str) -> float | str | None:
    """Return what the condition looked at in a recorded value, or None when it is not there."""
    try:
        found: Any = json.loads(value)
    except ValueError:
        return None
    for part in comparison.path:
        if isinstance(found, dict) and isinstance(part, str):
            found = found.get(part)
        elif isinstance(found, list) and isinstance(part, int) and part < len(found):
            found = found[part]
        else:
            return None
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, int | float):
        return _finite(found)
    return found if isinstance(found, str) else None


def reason_in(value: str) -> str:
    """Return the sentence that an answer gives under `reason`, cut to a line; "" when none."""
    try:
        found: Any = json.loads(value)
    except ValueError:
        return ""
    reason = found.get("reason") if isinstance(found, dict) else None
    if not isinstance(reason, str):
        return ""
    line = " ".join(reason.split())
    return line if len(line) <= _LONGEST_REASON else f"{line[: _LONGEST_REASON - 1]}…"


def _finite(number: float) -> float | None:
    try:
        return float(number) if math.isfinite(number) else None
    except OverflowError:  # an integer beyond every float
        return None


def _path_parts(operand: str) -> list[str | int]:
    return [
        int(index) if index else name or double or single
        for name, index, double, single in _PART.findall(operand)
    ]


def _literal(text: str) -> float | str | bool:
    if text in {"true", "false"}:
        return text == "true"
    if text[0] in "\"'":
        return text[1:-1]
    return float(text)
