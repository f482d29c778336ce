"""String literals of a condition: where they end and what their escapes mean.

Rules: `scanString`, `unescape` and `scanRawString` of the expression library.
"""

from __future__ import annotations

from rollout_runner.argo.expr.errors import ConditionError

_SIMPLE = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_HEX_DIGITS = {"x": 2, "u": 4, "U": 8}
_HEX = "0123456789abcdefABCDEF"
_OCTAL = "01234567"
_LAST_RUNE = 0x10FFFF


def scan_string(text: str, start: int, *, braces: bool) -> tuple[str, int]:
    r"""Read the quoted string that begins at `start`.

    Args:
        text: the condition.
        start: index of the opening quote, single or double.
        braces: whether `\u{1F600}` is an escape.

    Returns:
        The content and the index after the closing quote.

    Raises:
        ConditionError: the string is not closed on its line or has an unknown escape.
    """
    quote = text[start]
    at = start + 1
    parts: list[str] = []
    while True:
        char = text[at : at + 1]
        if char in {"", "\n"}:
            raise ConditionError("literal not terminated")
        if char == quote:
            return "".join(parts), at + 1
        if char == "\\":
            part, at = _escape(text, at + 1, quote, braces=braces)
            parts.append(part)
        else:
            parts.append("\n" if char == "\r" else char)
            at += 1


def scan_raw_string(text: str, start: int) -> tuple[str, int]:
    """Read the backtick string that begins at `start`; two backticks in it are one."""
    at = start + 1
    while (end := text.find("`", at)) >= 0:
        if text[end + 1 : end + 2] != "`":
            return text[start + 1 : end].replace("``", "`"), end + 1
        at = end + 2
    raise ConditionError("literal not terminated")


def _escape(text: str, at: int, quote: str, *, braces: bool) -> tuple[str, int]:
    char = text[at : at + 1]
    if char in _SIMPLE and (char not in {"'", '"'} or char == quote):
        return _SIMPLE[char], at + 1
    if char in _HEX_DIGITS:
        return _hex_escape(text, at, braces=braces)
    if char and char in _OCTAL:
        digits = _digits(text, at, 3, _OCTAL)
        if char > "3":
            raise ConditionError("unable to unescape string")
        return chr(int(digits, 8)), at + 3
    raise ConditionError("invalid char escape")


def _hex_escape(text: str, at: int, *, braces: bool) -> tuple[str, int]:
    if braces and text[at : at + 2] == "u{":
        end = text.find("}", at)
        digits = text[at + 2 : end]
        if not 1 <= len(digits) <= 6 or end < 0 or not set(digits) <= set(_HEX):
            raise ConditionError("invalid char escape")
        after = end + 1
    else:
        width = _HEX_DIGITS[text[at]]
        digits = _digits(text, at + 1, width, _HEX)
        after = at + 1 + width
    rune = int(digits, 16)
    if rune > _LAST_RUNE:
        raise ConditionError("unable to unescape string")
    return "�" if 0xD800 <= rune <= 0xDFFF else chr(rune), after


def _digits(text: str, at: int, count: int, allowed: str) -> str:
    digits = text[at : at + count]
    if len(digits) < count or not set(digits) <= set(allowed):
        raise ConditionError("invalid char escape")
    return digits
