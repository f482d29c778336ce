r"""JSON as Go's encoding/json reads and writes it.

Reading into `any`: every number is a float64, a duplicate key's last value wins, NaN, Infinity,
comments, a byte order mark and trailing text are errors. Writing: compact, keys sorted, `<`, `>`
and `&` escaped, numbers as `1e-7`, `1e+21`, `10`.

>>> encode(decode('{"b": 10.0, "a": "<1e-07>"}'))
'{"a":"\\u003c1e-07\\u003e","b":10}'
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from rollout_runner.argo.gofloat import plain_float, scientific_float
from rollout_runner.argo.gojson_syntax import syntax_error

_UNSAFE = re.compile(r"[\x00-\x1f\"\\<>&\u2028\u2029\ud800-\udfff]")
_SHORT_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}
_SURROGATES = re.compile("[\ud800-\udfff]")


class GoJsonError(ValueError):
    """The text is not JSON for Go, or the value has no JSON form."""


def decode(text: str | bytes) -> Any:
    """Decode one JSON document into None, bool, float, str, list and dict.

    Raises:
        GoJsonError: Go would refuse it.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    try:
        decoded = _DECODER.decode(text.strip(" \t\r\n"))
    except json.JSONDecodeError as error:
        raise GoJsonError(syntax_error(text) or str(error)) from None
    except RecursionError:
        raise GoJsonError("exceeded max depth") from None
    return _replace_surrogates(decoded) if _may_hold_surrogates(text) else decoded


def _number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise GoJsonError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return number


def _constant(text: str) -> NoReturn:
    raise GoJsonError(f"invalid character '{text[0]}' looking for beginning of value")


_DECODER = json.JSONDecoder(parse_float=_number, parse_int=_number, parse_constant=_constant)


def _may_hold_surrogates(text: str) -> bool:
    return "\\u" in text or _SURROGATES.search(text) is not None


def _replace_surrogates(value: Any) -> Any:
    """Put U+FFFD where Go does: for half a surrogate pair and for bytes that are no UTF-8."""
    if isinstance(value, str):
        return _SURROGATES.sub("�", value)
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_SURROGATES.sub("�", key): _replace_surrogates(item) for key, item in value.items()}
    return value


def encode(value: Any, *, indent: int = 0) -> str:
    """Encode a decoded value (or an int, or any sequence) compactly, or with an indent.

    Raises:
        GoJsonError: NaN, an infinity or a value of another type is inside.
    """
    return _encoded(value, indent, 1)


def _encoded(value: Any, indent: int, depth: int) -> str:
    scalar = _scalar(value)
    if scalar is not None:
        return scalar
    if isinstance(value, Mapping):
        colon = ": " if indent else ":"
        entries = [
            f"{_string(key)}{colon}{_encoded(value[key], indent, depth + 1)}"
            for key in _keys(value)
        ]
        return f"{{{_laid_out(entries, indent, depth)}}}"
    if isinstance(value, Sequence):
        items = [_encoded(item, indent, depth + 1) for item in value]
        return f"[{_laid_out(items, indent, depth)}]"
    raise GoJsonError(f"json: unsupported type: {type(value).__name__}")


def _scalar(value: Any) -> str | None:
    match value:
        case str():
            return _string(value)
        case float():
            return _float(value)
        case bool():
            return "true" if value else "false"
        case int():
            return str(int(value))
        case None:
            return "null"
        case _:
            return None


def _keys(mapping: Mapping[Any, Any]) -> list[str]:
    if not all(isinstance(key, str) for key in mapping):
        raise GoJsonError("json: unsupported type: map[interface {}]interface {}")
    return sorted(mapping)


def _laid_out(parts: Sequence[str], indent: int, depth: int) -> str:
    """Join the parts of an object or list, each on a line of its own if there is an indent."""
    if not indent or not parts:
        return ",".join(parts)
    margin = "\n" + " " * indent * depth
    return f"{margin}{f',{margin}'.join(parts)}\n{' ' * indent * (depth - 1)}"


def _string(text: str) -> str:
    if _UNSAFE.search(text) is None:
        return f'"{text}"'
    return f'"{_UNSAFE.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if char in _SHORT_ESCAPES:
        return _SHORT_ESCAPES[char]
    code = ord(char)
    return "\\ufffd" if 0xD800 <= code <= 0xDFFF else f"\\u{code:04x}"


def _float(number: float) -> str:
    if not math.isfinite(number):
        name = "NaN" if math.isnan(number) else ("+Inf" if number > 0 else "-Inf")
        raise GoJsonError(f"json: unsupported value: {name}")
    if number and not 1e-6 <= abs(number) < 1e21:
        return scientific_float(number).replace("e-0", "e-")
    return plain_float(number)
