"""What a plain YAML scalar means to Kubernetes' tools, which is not what it means to PyYAML.

kubectl reads YAML 1.1 as Go's yaml.v2 does and turns it into JSON: `y`, `on` and `no` are booleans,
`1e3` is the number 1000, `22:22` and `2026-02-04` stay text, `0644` is octal, and a number without
a fraction is a whole number however it was written.

>>> plain("1e3"), plain("22:22"), plain("0644"), plain("y")
(1000, '22:22', 420, True)
"""

from __future__ import annotations

import math
import re
from typing import Final

Scalar = str | int | float | bool | None

BOOLEANS: Final = {
    word: truth
    for truth, words in ((True, ("y", "yes", "on", "true")), (False, ("n", "no", "off", "false")))
    for lower in words
    for word in (lower, lower.capitalize(), lower.upper())
}
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_NUMBER_START: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)"
    r"(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES: Final = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_LONGEST_NUMBER: Final = 400  # more digits than any double has; Python refuses 4300
_WHOLE_BELOW: Final = 1e21  # from here on Go writes a float with an exponent


def plain(text: str) -> Scalar:
    """Return the value of an unquoted scalar.

    Raises:
        ValueError: the number is infinite or not a number, which JSON cannot say.
    """
    if text in _NULLS:
        return None
    if text in BOOLEANS:
        return BOOLEANS[text]
    if text[0] not in _NUMBER_START or len(text) > _LONGEST_NUMBER:
        return text
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text} is no number in JSON")
    digits = text.replace("_", "")
    if match := _INTEGER.fullmatch(digits):
        base = next(name for name in _BASES if match[name] is not None)
        value = int(match[base], _BASES[base])
        if value < 2**63:
            return -value if match["sign"] == "-" else value
    if _FLOAT.fullmatch(digits):
        return _number(float(digits), text)
    return text


def _number(value: float, text: str) -> int | float:
    if math.isinf(value):
        raise ValueError(f"{text} is too large for a number in JSON")
    return int(value) if value.is_integer() and abs(value) < _WHOLE_BELOW else value
