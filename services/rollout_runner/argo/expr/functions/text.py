"""Functions on strings."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from rollout_runner.argo import gojson
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.frame import MEMORY_BUDGET, Frame
from rollout_runner.argo.expr.functions.spec import Function, Run, shown_value
from rollout_runner.argo.expr.gotypes import ANY, BOOL, INT, LIST, STRING, STRINGS, GoType, func
from rollout_runner.argo.expr.values import (
    NilSlice,
    Strings,
    from_utf8,
    need_string,
    to_int,
    utf8,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _on_strings(operation: Callable[..., Any]) -> Run:
    """Run an operation whose arguments must all be strings."""

    def run(_frame: Frame, args: Sequence[Any]) -> Any:
        return operation(*map(need_string, args))

    return run


def _trim(text: str, cutset: str | None = None) -> str:
    return text.strip(cutset)


def _trim_end(remove: Callable[[str, str], str]) -> Run:
    """Remove an affix (a space if none is given), which is looked at before the text."""

    def run(_frame: Frame, args: Sequence[Any]) -> str:
        affix = need_string(args[1]) if len(args) > 1 else " "
        return remove(need_string(args[0]), affix)

    return run


def _by_rune(convert: Callable[[str], str]) -> Callable[[str], str]:
    """Change the case rune by rune: a letter that would become two stays, as in Go."""

    def change(text: str) -> str:
        changed = (convert(char) for char in text)
        return "".join(
            new if len(new) == 1 else old for old, new in zip(text, changed, strict=True)
        )

    return change


def _split(_frame: Frame, args: Sequence[Any]) -> Strings:
    text, separator = need_string(args[0]), need_string(args[1])
    limit = to_int(args[2]) if len(args) > 2 else -1
    return Strings(_parts(text, separator, limit))


def _split_after(_frame: Frame, args: Sequence[Any]) -> Strings:
    text, separator = need_string(args[0]), need_string(args[1])
    limit = to_int(args[2]) if len(args) > 2 else -1
    parts = _parts(text, separator, limit)
    return Strings([part + separator for part in parts[:-1]] + parts[-1:])


def _parts(text: str, separator: str, limit: int) -> list[str]:
    if limit == 0:
        return []
    if separator:
        return text.split(separator, limit - 1 if limit > 0 else -1)
    if limit < 0 or limit >= len(text):
        return list(text)
    return [*text[: limit - 1], text[limit - 1 :]]


def _replace(_frame: Frame, args: Sequence[Any]) -> str:
    text, old, new = map(need_string, args[:3])
    count = to_int(args[3]) if len(args) > 3 else -1
    return text.replace(old, new, max(count, -1))


def _repeat(frame: Frame, args: Sequence[Any]) -> str:
    text, count = need_string(args[0]), to_int(args[1])
    if count < 0:
        raise ConditionError(
            f"invalid argument for repeat (expected positive integer, got {count})"
        )
    if count > MEMORY_BUDGET:
        raise ConditionError("memory budget exceeded")
    frame.grow(len(utf8(text)) * count)
    return text * count


def _join(_frame: Frame, args: Sequence[Any]) -> str:
    glue = need_string(args[1]) if len(args) > 1 else ""
    if type(args[0]) not in {list, Strings, NilSlice}:
        raise ConditionError(f"invalid argument for join (type {shown_value(args[0])})")
    return glue.join(map(need_string, args[0]))


def _index(text: str, part: str) -> int:
    return utf8(text).find(utf8(part))


def _last_index(text: str, part: str) -> int:
    return utf8(text).rfind(utf8(part))


def _to_json(_frame: Frame, args: Sequence[Any]) -> str:
    try:
        return gojson.encode(args[0], indent=2)
    except gojson.GoJsonError as error:
        raise ConditionError(str(error)) from None


def _from_json(_frame: Frame, args: Sequence[Any]) -> Any:
    try:
        return gojson.decode(need_string(args[0]))
    except gojson.GoJsonError as error:
        raise ConditionError(str(error)) from None


def _to_base64(text: str) -> str:
    return base64.b64encode(utf8(text)).decode("ascii")


def _from_base64(text: str) -> str:
    try:
        return from_utf8(base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True))
    except (binascii.Error, ValueError):
        raise ConditionError("illegal base64 data") from None


_TEXT = func(STRING, returns=STRING)
_TEXT_TEXT = func(STRING, STRING, returns=STRING)
_TEXT_LIST = func(STRING, STRING, returns=STRINGS)
_TEXT_LIST_N = func(STRING, STRING, INT, returns=STRINGS)
_POSITION = func(STRING, STRING, returns=INT)
_TEST = func(STRING, STRING, returns=BOOL)


def _define(name: str, run: Run, *overloads: GoType) -> Function:
    return Function(name=name, run=run, overloads=overloads)


FUNCTIONS = (
    _define("trim", _on_strings(_trim), _TEXT, _TEXT_TEXT),
    _define("trimPrefix", _trim_end(str.removeprefix), _TEXT_TEXT, _TEXT),
    _define("trimSuffix", _trim_end(str.removesuffix), _TEXT_TEXT, _TEXT),
    _define("upper", _on_strings(_by_rune(str.upper)), _TEXT),
    _define("lower", _on_strings(_by_rune(str.lower)), _TEXT),
    _define("split", _split, _TEXT_LIST, _TEXT_LIST_N),
    _define("splitAfter", _split_after, _TEXT_LIST, _TEXT_LIST_N),
    _define(
        "replace",
        _replace,
        func(STRING, STRING, STRING, INT, returns=STRING),
        func(STRING, STRING, STRING, returns=STRING),
    ),
    _define("repeat", _repeat, func(STRING, INT, returns=STRING)),
    _define(
        "join",
        _join,
        func(STRINGS, STRING, returns=STRING),
        func(LIST, STRING, returns=STRING),
        func(LIST, returns=STRING),
        func(STRINGS, STRING, returns=STRING),
        func(STRINGS, returns=STRING),
    ),
    _define("indexOf", _on_strings(_index), _POSITION),
    _define("lastIndexOf", _on_strings(_last_index), _POSITION),
    _define("hasPrefix", _on_strings(str.startswith), _TEST),
    _define("hasSuffix", _on_strings(str.endswith), _TEST),
    _define("toJSON", _to_json, func(ANY, returns=STRING)),
    _define("fromJSON", _from_json, func(STRING, returns=ANY)),
    _define("toBase64", _on_strings(_to_base64), _TEXT),
    _define("fromBase64", _on_strings(_from_base64), _TEXT),
)
