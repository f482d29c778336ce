"""From the text of a condition to tokens.

Rules: parser/lexer of expr-lang/expr v1.17.8 and antonmedv/expr v1.15.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from rollout_runner.argo.expr.dialect import Dialect
from rollout_runner.argo.expr.errors import ConditionError
from rollout_runner.argo.expr.gotext import describe_rune, quote
from rollout_runner.argo.expr.strings import scan_raw_string, scan_string

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class TokenKind(StrEnum):
    """What a token is."""

    IDENTIFIER = "Identifier"
    NUMBER = "Number"
    STRING = "String"
    OPERATOR = "Operator"
    BRACKET = "Bracket"
    EOF = "EOF"


@dataclass(frozen=True, slots=True)
class Token:
    """A token; `value` is the text, or the content of a string."""

    kind: TokenKind
    value: str = ""

    def __str__(self) -> str:
        return f"{self.kind}({quote(self.value)})" if self.value else str(self.kind)

    def is_operator(self, value: str) -> bool:
        """Tell whether it is this operator."""
        return self.kind is TokenKind.OPERATOR and self.value == value

    def is_bracket(self, value: str) -> bool:
        """Tell whether it is this bracket."""
        return self.kind is TokenKind.BRACKET and self.value == value


_WORD_OPERATORS = frozenset(
    {"in", "or", "and", "matches", "contains", "startsWith", "endsWith", "let"}
)
_AFTER_NOT = frozenset({"in", "matches", "contains", "startsWith", "endsWith"})
_DIGITS = "0123456789_"
_RADIX_DIGITS = {"x": "0123456789abcdefABCDEF_", "o": "01234567_", "b": "01_"}


def is_alphabetic(char: str) -> bool:
    """Tell whether a character can begin a name."""
    return char.isalpha() or char in {"_", "$"}


def is_alphanumeric(char: str) -> bool:
    """Tell whether a character can stand in a name."""
    return is_alphabetic(char) or char.isdecimal()


def is_identifier(text: str) -> bool:
    """Tell whether a text is a name (or an operator spelled like one)."""
    return text != "" and is_alphabetic(text[0]) and all(map(is_alphanumeric, text))


def tokenize(text: str, dialect: Dialect) -> Iterator[Token]:
    """Yield the tokens of a condition, the last of which is EOF.

    Raises:
        ConditionError: at the first character that begins no token.
    """
    return _Lexer(text, dialect).tokens()


class _Lexer:
    """A cursor over the text."""

    def __init__(self, text: str, dialect: Dialect) -> None:
        self._text = text
        self._at = 0
        self._modern = dialect is Dialect.V1_17

    def tokens(self) -> Iterator[Token]:
        while self._at < len(self._text):
            char = self._text[self._at]
            if char.isspace():
                self._at += 1
            else:
                yield from self._next(char)
        yield Token(TokenKind.EOF)

    def _next(self, char: str) -> Iterable[Token]:
        """Return the tokens that begin here: usually one, none for a comment."""
        if is_alphabetic(char) or (char.isdecimal() and not char.isascii()):
            return self._word()
        several = {"/": self._slash, "#": self._pointer}.get(char)
        if several is not None:
            return several()
        return (self._single(char),)

    def _single(self, char: str) -> Token:
        if char in "'\"" or (char == "`" and self._modern):
            return self._string(char)
        if char.isdecimal():
            return self._number()
        if char == ".":
            return self._dot()
        if char in "([{)]}":
            self._at += 1
            return Token(TokenKind.BRACKET, char)
        return self._operator(char)

    def _string(self, char: str) -> Token:
        if char == "`":
            value, self._at = scan_raw_string(self._text, self._at)
        else:
            value, self._at = scan_string(self._text, self._at, braces=self._modern)
        return Token(TokenKind.STRING, value)

    def _peek(self, offset: int = 0) -> str:
        at = self._at + offset
        return self._text[at] if at < len(self._text) else ""

    def _run(self, allowed: str) -> None:
        while (char := self._peek()) and char in allowed:
            self._at += 1

    def _take_word(self) -> str:
        start = self._at
        while (char := self._peek()) and is_alphanumeric(char):
            self._at += 1
        return self._text[start : self._at]

    def _operator(self, char: str) -> Token:
        second = self._peek(1)
        follows = {"|": "|", ":": ":" if self._modern else "", "?": ".?"}
        follows |= dict.fromkeys("&!=*<>", "&=*")
        if char in follows:
            width = 2 if second and second in follows[char] else 1
        elif char in ",;%+-^":
            width = 1
        else:
            raise ConditionError(f"unrecognized character: {describe_rune(char)}")
        self._at += width
        return Token(TokenKind.OPERATOR, self._text[self._at - width : self._at])

    def _number(self, *, after_dot: bool = False) -> Token:
        start = self._at - after_dot
        digits = _DIGITS
        if self._peek() == "0":
            self._at += 1
            radix = self._peek().lower()
            if radix in _RADIX_DIGITS:
                self._at += 1
                digits = _RADIX_DIGITS[radix]
        self._run(digits)
        if self._peek() == "." and self._peek(1) == ".":  # 1..2 is a range
            return Token(TokenKind.NUMBER, self._text[start : self._at])
        if self._peek() == ".":
            self._at += 1
            self._run(digits)
        if self._peek() in {"e", "E"}:
            self._at += 1
            if self._peek() in {"+", "-"}:
                self._at += 1
            self._run(digits)
        if (char := self._peek()) and is_alphanumeric(char):
            wrong = self._text[start : self._at + 1]
            raise ConditionError(f"bad number syntax: {quote(wrong)}")
        return Token(TokenKind.NUMBER, self._text[start : self._at])

    def _dot(self) -> Token:
        following = self._peek(1)
        if following and following in "0123456789":
            self._at += 1
            return self._number(after_dot=True)
        width = 2 if following == "." else 1
        self._at += width
        return Token(TokenKind.OPERATOR, "." * width)

    def _slash(self) -> Iterator[Token]:
        following = self._peek(1)
        if following == "/":
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end + 1
        elif following == "*":
            end = self._text.find("*/", self._at + 2)
            if end < 0:
                raise ConditionError("unclosed comment")
            self._at = end + 2
        else:
            self._at += 1
            yield Token(TokenKind.OPERATOR, "/")

    def _pointer(self) -> Iterator[Token]:
        width = 2 if self._peek(1) == "#" else 1
        self._at += width
        yield Token(TokenKind.OPERATOR, "#" * width)
        if name := self._take_word():
            yield Token(TokenKind.IDENTIFIER, name)

    def _word(self) -> Iterator[Token]:
        word = self._take_word()
        if word == "not":
            yield Token(TokenKind.OPERATOR, word)
            self._run(" ")
            start = self._at
            following = self._take_word()
            if following in _AFTER_NOT:
                yield Token(TokenKind.OPERATOR, following)
            else:
                self._at = start
        elif word in _WORD_OPERATORS or (self._modern and word in {"if", "else"}):
            yield Token(TokenKind.OPERATOR, word)
        elif self._modern and word in {"b", "B"} and self._peek() in {"'", '"'}:
            scan_string(self._text, self._at, braces=False)
            raise ConditionError("byte strings are not supported here; write a plain string")
        else:
            yield Token(TokenKind.IDENTIFIER, word)
