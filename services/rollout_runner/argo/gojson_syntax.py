"""Why a text is no JSON, in the words of Go's encoding/json.

>>> syntax_error("<html>")
"invalid character '<' looking for beginning of value"
>>> syntax_error('{"a": 1'), syntax_error('{"a": 1}')
('unexpected end of JSON input', '')

Source: the scanner of Go's encoding/json (scanner.go), which checks the whole text before anything
is decoded.
"""

from __future__ import annotations

from typing import Final

_SPACE: Final = b" \t\r\n"
_DIGITS: Final = b"0123456789"
_HEX: Final = b"0123456789abcdefABCDEF"
_LITERALS: Final = {ord("t"): b"true", ord("f"): b"false", ord("n"): b"null"}
_ESCAPED: Final = b'"\\/bfnrt'
_MAX_DEPTH: Final = 10_000
_VALUE: Final = "looking for beginning of value"


def syntax_error(text: str | bytes) -> str:
    """Return Go's message about a text that is not one JSON document; empty if it is one."""
    data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    try:
        _Scanner(data).document()
    except _SyntaxError as error:
        return str(error)
    return ""


class _SyntaxError(Exception):
    """The text ends too early, or a byte cannot stand where it stands."""


class _Scanner:
    """Reads bytes as Go does; containers are kept on a stack, so depth costs no recursion."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def document(self) -> None:
        """Read one value and nothing after it."""
        stack: list[int] = []
        while True:
            opened = self._value_or_container(stack)
            if opened:
                continue
            while stack and self._after_element(stack):
                pass
            if not stack:
                break
        self._skip_space()
        if self._at < len(self._data):
            raise self._invalid("after top-level value")

    def _value_or_container(self, stack: list[int]) -> bool:
        """Read a scalar or open a container; tell whether a value must follow."""
        self._skip_space()
        byte = self._peek()
        if byte == ord("{"):
            self._push(stack, byte)
            if self._next_token() == ord("}"):
                self._at += 1
                stack.pop()
                return False
            self._key("looking for beginning of object key string")
            return True
        if byte == ord("["):
            self._push(stack, byte)
            if self._next_token() == ord("]"):
                self._at += 1
                stack.pop()
                return False
            return True
        self._scalar(byte)
        return False

    def _push(self, stack: list[int], byte: int) -> None:
        self._at += 1
        stack.append(byte)
        if len(stack) > _MAX_DEPTH:
            raise _SyntaxError("exceeded max depth")

    def _after_element(self, stack: list[int]) -> bool:
        """Read what stands after an element; tell whether that closed the container."""
        is_object = stack[-1] == ord("{")
        byte = self._next_token()
        if byte == ord("}" if is_object else "]"):
            self._at += 1
            stack.pop()
            return True
        if byte != ord(","):
            raise self._invalid(
                f"after {'object key:value pair' if is_object else 'array element'}"
            )
        self._at += 1
        if is_object:
            self._next_token()
            self._key("looking for beginning of object key string")
        return False

    def _key(self, context: str) -> None:
        if self._peek() != ord('"'):
            raise self._invalid(context)
        self._string()
        if self._next_token() != ord(":"):
            raise self._invalid("after object key")
        self._at += 1

    def _scalar(self, byte: int) -> None:
        if byte == ord('"'):
            self._string()
        elif byte in _LITERALS:
            self._literal(_LITERALS[byte])
        elif byte == ord("-") or byte in _DIGITS:
            self._number(byte)
        else:
            raise self._invalid(_VALUE)

    def _literal(self, word: bytes) -> None:
        for _position, expected in enumerate(word):
            if self._peek() != expected:
                raise self._invalid(f"in literal {word.decode()} (expecting {_quoted(expected)})")
            self._at += 1

    def _string(self) -> None:
        self._at += 1
        while True:
            byte = self._peek()
            if byte < 0x20:
                raise self._invalid("in string literal")
            self._at += 1
            if byte == ord('"'):
                return
            if byte == ord("\\"):
                self._escape()

    def _escape(self) -> None:
        byte = self._peek()
        if byte == ord("u"):
            self._at += 1
            for _ in range(4):
                if self._peek() not in _HEX:
                    raise self._invalid("in \\u hexadecimal character escape")
                self._at += 1
        elif byte in _ESCAPED:
            self._at += 1
        else:
            raise self._invalid("in string escape code")

    def _number(self, byte: int) -> None:
        if byte == ord("-"):
            self._at += 1
            if self._peek() not in _DIGITS:
                raise self._invalid("in numeric literal")
        if self._peek() == ord("0"):
            self._at += 1
        else:
            self._digits()
        if self._holds(b"."):
            self._at += 1
            if self._peek() not in _DIGITS:
                raise self._invalid("after decimal point in numeric literal")
            self._digits()
        if self._holds(b"eE"):
            self._at += 1
            if self._peek() in b"+-":
                self._at += 1
            if self._peek() not in _DIGITS:
                raise self._invalid("in exponent of numeric literal")
            self._digits()

    def _digits(self) -> None:
        while self._holds(_DIGITS):
            self._at += 1

    def _holds(self, these: bytes) -> bool:
        return self._at < len(self._data) and self._data[self._at] in these

    def _next_token(self) -> int:
        self._skip_space()
        return self._peek()

    def _skip_space(self) -> None:
        while self._holds(_SPACE):
            self._at += 1

    def _peek(self) -> int:
        if self._at >= len(self._data):
            raise _SyntaxError("unexpected end of JSON input")
        return self._data[self._at]

    def _invalid(self, context: str) -> _SyntaxError:
        return _SyntaxError(f"invalid character {_quoted(self._data[self._at])} {context}")


def _quoted(byte: int) -> str:
    """Print a byte as Go's quoteChar does: it reads it as a character of Latin-1."""
    if byte == ord("'"):
        return r"'\''"
    if byte == ord('"'):
        return "'\"'"
    if byte == ord("\\"):
        return r"'\\'"
    named = {7: "a", 8: "b", 12: "f", 10: "n", 13: "r", 9: "t", 11: "v"}
    if byte in named:
        return f"'\\{named[byte]}'"
    char = chr(byte)
    if char.isprintable():
        return f"'{char}'"
    return f"'\\x{byte:02x}'" if byte < 0x80 else f"'\\u{byte:04x}'"
