"""From the text of a query to tokens."""

from __future__ import annotations

import re
from typing import NamedTuple

from mock_newrelic.domain.nrql.errors import NrqlError

NAME = "name"
QUOTED = "quoted"
TEXT = "text"
PATTERN = "pattern"
NUMBER = "number"
SIGN = "sign"
END = "end"

MAX_LENGTH = 32 * 1024
"""Characters; New Relic allows 4 kB, generated queries are let through here."""

_TOKEN = re.compile(
    r"""
      (?P<space>\s+ | --[^\n]* | //[^\n]* | /\*.*?\*/)
    | (?P<pattern>[rR](?:'(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*"))
    | (?P<name>[^\W\d][\w.]*)
    | (?P<quoted>`[^`]+`)
    | (?P<text>'(?:[^'\\]|\\.|'')*' | "(?:[^"\\]|\\.|"")*")
    | (?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<sign><=|>=|!=|<>|[-+*/=<>(),:\[\]])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


class Token(NamedTuple):
    """A piece of a query; `value` is what it means, `at` where it begins."""

    kind: str
    value: str
    at: int

    def says(self, word: str) -> bool:
        """Whether this is a keyword, in any case, that is not quoted."""
        return self.kind == NAME and self.value.upper() == word


def tokenize(text: str) -> list[Token]:
    """Return the tokens, with an END token behind them.

    Raises:
        NrqlError: the text is too long, or a character begins nothing.
    """
    if len(text) > MAX_LENGTH:
        raise NrqlError("the query is too long", MAX_LENGTH, f"at most {MAX_LENGTH} characters")
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        kind = str(match.lastgroup)
        if kind != "space":
            tokens.append(Token(kind, _value(kind, match[0]), at))
        at = match.end()
    tokens.append(Token(END, "", len(text)))
    return tokens


def _value(kind: str, text: str) -> str:
    if kind == QUOTED:
        return text[1:-1]
    if kind == PATTERN:
        return text[2:-1]
    if kind != TEXT:
        return text
    quote, inner = text[0], text[1:-1].replace(text[0] * 2, text[0])
    # A backslash before anything else stays: patterns of LIKE and RLIKE are written so.
    return re.sub(
        r"\\(.)",
        lambda match: match[1] if match[1] in (quote, "\\") else _ESCAPES.get(match[1], match[0]),
        inner,
        flags=re.DOTALL,
    )


def _unreadable(text: str, at: int) -> NrqlError:
    if text[at] in "'\"`":
        return NrqlError("a quote is not closed", at)
    return NrqlError(f"unexpected character {text[at]!a}", at)
