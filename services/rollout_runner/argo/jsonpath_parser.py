"""The JSONPath dialect of kubectl and of Argo's web provider: its syntax.

A path is a template: text outside of braces is literal output. Rules: util/jsonpath/parser.go of
k8s.io/client-go v0.34 (Apache-2.0).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotext import describe_rune, parse_float
from rollout_runner.argo.expr.strings import scan_string
from rollout_runner.argo.expr.values import INT_MAX, INT_MIN


class JsonPathError(ValueError):
    """A path that does not parse (the provider cannot be made), or does not fit the document."""


@dataclass(frozen=True, slots=True)
class Text:
    """Literal output, or a quoted string."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """A literal number or bool."""

    value: bool | int | float


@dataclass(frozen=True, slots=True)
class Field:
    """`.name` or `['name']`."""

    name: str


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`.*`."""


@dataclass(frozen=True, slots=True)
class Recursive:
    """`..`."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """A bare word: `range`, `end`, or something unknown."""

    name: str


@dataclass(frozen=True, slots=True)
class Slice:
    """`[0]`, `[1:3]`, `[*]`; `single` if the end was derived from the start."""

    start: int | None
    stop: int | None
    step: int | None
    single: bool


@dataclass(frozen=True, slots=True)
class Block:
    """One pair of braces: its parts are applied one after the other."""

    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Union:
    """`[0,2]`: several selections side by side."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Filter:
    """`[?(@.a == "b")]`; the operator is `exists` where there is no comparison."""

    left: Block
    right: Block
    operator: str


Part = Text | Value | Field | Wildcard | Recursive | Identifier | Slice | Union | Filter | Block

_DICT_KEY = re.compile(r"'([^']*)'")
_SLICE = re.compile(r"(-?[0-9]*)(:-?[0-9]*)?(:-?[0-9]*)?")
_COMPARISON = re.compile(r"([^!<>=]+)([!<>=]+)(.+)")
_NUMBER = re.compile(r"[+-]?[.\d]*")
_TERMINATORS = frozenset(" \t\r\n.,[]$@{}")


def parse_path(text: str) -> tuple[Part, ...]:
    """Parse a template into literal texts and blocks.

    Raises:
        JsonPathError: with client-go's message.
    """
    return _Parser(text).parse()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> tuple[Part, ...]:
        parts: list[Part] = []
        while self._at < len(self._text):
            opening = self._text.find("{", self._at)
            end = len(self._text) if opening < 0 else opening
            if end > self._at:
                parts.append(Text(self._text[self._at : end]))
            self._at = end
            if opening >= 0:
                self._at += 1
                parts.append(self._block())
        return tuple(parts)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _block(self) -> Block:
        parts: list[Part] = []
        while not self._text.startswith("}", self._at):
            if self._text.startswith("[?(", self._at):
                parts.append(self._filter())
            elif self._text.startswith("..", self._at):
                parts.extend(self._recursive(parts))
            else:
                parts.extend(self._part())
        self._at += 1
        return Block(tuple(parts))

    def _part(self) -> list[Part]:
        char = self._peek()
        if char in {"", "\r", "\n"}:
            raise JsonPathError("unclosed action")
        if char in {" ", "@", "$"}:
            self._at += 1
            return []
        if char == "[":
            return self._brackets()
        if char in "\"'":
            return [self._quoted(char)]
        if char == ".":
            self._at += 1
            return [self._field()]
        if char in "+-" or char.isdecimal():
            return [self._number()]
        if char == "_" or char.isalpha():
            return [self._identifier()]
        raise JsonPathError(f"unrecognized character in action: {describe_rune(char)}")

    def _recursive(self, before: list[Part]) -> list[Part]:
        if before and isinstance(before[-1], Recursive):
            raise JsonPathError("invalid multiple recursive descent")
        self._at += 2
        char = self._peek()
        if char and (char == "_" or char.isalpha() or char.isdecimal()):
            return [Recursive(), self._field()]
        return [Recursive()]

    def _field(self) -> Part:
        """Parse a name up to the next terminator; a backslash keeps what follows it."""
        start = self._at
        while (char := self._peek()) and char not in _TERMINATORS:
            self._at += 2 if char == "\\" else 1
        self._at = min(self._at, len(self._text))
        name = self._text[start : self._at]
        return Wildcard() if name == "*" else Field(name.replace("\\", ""))

    def _identifier(self) -> Part:
        start = self._at
        while (char := self._peek()) and char not in _TERMINATORS:
            self._at += 1
        name = self._text[start : self._at]
        return Value(name == "true") if name in {"true", "false"} else Identifier(name)

    def _number(self) -> Part:
        match = _NUMBER.match(self._text, self._at)
        digits = match[0] if match else ""
        self._at += len(digits)
        whole = _atoi(digits)
        if whole is not None:
            return Value(whole)
        try:
            return Value(parse_float(digits))
        except ConditionError:
            raise JsonPathError(f"cannot parse number {digits}") from None

    def _quoted(self, quote: str) -> Part:
        start = self._at
        self._at += 1
        while True:
            char = self._peek()
            if char in {"", "\n"}:
                raise JsonPathError("unterminated quoted string")
            self._at += 1
            if char == quote and self._text[self._at - 2] != "\\":
                break
        quoted = self._text[start : self._at]
        try:
            text, end = scan_string(quoted, 0, braces=False)
        except ConditionError:
            end, text = -1, ""
        if end != len(quoted):
            raise JsonPathError(f"unquote string {quoted} error invalid syntax")
        return Text(text)

    def _brackets(self) -> list[Part]:
        line_end = self._text.find("\n", self._at)
        end = self._text.find("]", self._at, None if line_end < 0 else line_end)
        if end < 0:
            raise JsonPathError("unterminated array")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        if inside == "*":
            inside = ":"
        choices = inside.split(",")
        if len(choices) > 1:
            return [Union(tuple(_subpath(f"[{choice.strip(' ')}]") for choice in choices))]
        key = _DICT_KEY.fullmatch(inside)
        if key is not None:
            return list(_subpath(f".{key[1]}").parts)
        return [_slice(inside)]

    def _filter(self) -> Filter:
        self._at += len("[?(")
        start = self._at
        quote = ""
        closed = True
        while True:
            char = self._peek()
            if char in {"", "\n"}:
                raise JsonPathError("unterminated filter")
            self._at += 1
            if char in "\"'":
                if not quote:
                    quote, closed = char, False
                elif char == quote and self._text[self._at - 2] != "\\":
                    closed = True
            elif char == ")" and closed:
                break
        if self._peek() != "]":
            raise JsonPathError("unclosed array expect ]")
        condition = self._text[start : self._at - 1]
        self._at += 1
        compared = _COMPARISON.fullmatch(condition)
        if compared is None:
            return Filter(_subpath(condition), Block(()), "exists")
        return Filter(_subpath(compared[1]), _subpath(compared[3]), compared[2])


def _subpath(text: str) -> Block:
    """Parse a part of a path as if it stood in braces of its own."""
    first = parse_path(f"{{{text}}}")[0]
    return first if isinstance(first, Block) else Block((first,))


def _slice(inside: str) -> Slice:
    match = _SLICE.fullmatch(inside)
    if match is None:
        raise JsonPathError(f"invalid array index {inside}")
    start = _index(match[1] or "")
    if not match[2]:
        return Slice(start, (start or 0) + 1, _bound(match[3]), single=True)
    return Slice(start, _bound(match[2]), _bound(match[3]), single=False)


def _bound(text: str | None) -> int | None:
    """Read `:2`; `:` and nothing leave the bound open."""
    return _index(text[1:]) if text else None


def _index(digits: str) -> int | None:
    if not digits:
        return None
    number = _atoi(digits)
    if number is None:
        raise JsonPathError(f"array index {digits} is not a number")
    return number


def _atoi(digits: str) -> int | None:
    try:
        number = int(digits)
    except ValueError:
        return None
    return number if INT_MIN <= number <= INT_MAX else None
