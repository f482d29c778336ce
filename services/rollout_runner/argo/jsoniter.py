"""JSON as json-iterator reads it for the Prometheus client: the same values, the same complaints.

Its errors name the reading function and show the bytes around the place:

>>> JsonReader(b"<html>").struct({}, "v1.apiResponse")
Traceback (most recent call last):
rollout_runner.argo.jsoniter.JsonReadError: readObjectStart: expect { or n, but found <, error \
found in #1 byte of ...|<html>|..., bigger context ...|<html>|...

Source: json-iterator/go (MIT licensed): iter.go, iter_skip.go, iter_object.go, reflect_*.go. Unlike
encoding/json it does not check a text as a whole before it decodes.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SPACE: Final = b" \n\t\r"
_NUMBER: Final = b"+-.eE0123456789"
_PEEK: Final = 10
_CONTEXT: Final = 50


class JsonReadError(ValueError):
    """The text cannot be read; the message is the library's."""


class JsonReader:
    """A position in a text. Every method reads one element from there on.

    The first error ends the reading, as nothing that comes after it can be trusted; the library
    goes on and keeps the first error.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._head = 0

    def struct(self, fields: Mapping[str, Callable[[], Any]], type_name: str) -> dict[str, Any]:
        """Read an object with known fields into a Go struct; null gives none of them.

        Args:
            fields: how to read each field; names are matched without regard to case.
            type_name: of the struct, for errors inside of it; empty for an anonymous one.
        """
        known = {name.lower(): name for name in fields}
        found: dict[str, Any] = {}
        byte = self._token()
        if byte == "n":
            self._literal("ull")
            return found
        if byte != "{":
            self.fail("readObjectStart", f"expect {{ or n, but found {byte}")
        byte = self._token()
        if byte == "}":
            return found
        if byte != '"':
            self.fail("readObjectStart", f'expect " after {{, but found {byte}')
        self._head -= 1
        try:
            while True:
                name = known.get(self._field().lower())
                if name is None:
                    self.skip()
                else:
                    found[name] = self._read(fields[name], name)
                byte = self._token()
                if byte != ",":
                    break
        except JsonReadError as error:
            raise JsonReadError(f"{type_name}.{error}" if type_name else str(error)) from None
        if byte != "}":
            self.fail("struct Decode", f"expect }}, but found {byte}")
        return found

    @staticmethod
    def _read(read: Callable[[], Any], name: str) -> Any:
        try:
            return read()
        except JsonReadError as error:
            raise JsonReadError(f"{name[:1].upper()}{name[1:]}: {error}") from None

    def array(self, read: Callable[[], Any], type_name: str) -> list[Any]:
        """Read an array into a Go slice; null gives an empty one."""
        try:
            return self._array(read)
        except JsonReadError as error:
            raise JsonReadError(f"{type_name}: {error}") from None

    def _array(self, read: Callable[[], Any]) -> list[Any]:
        byte = self._token()
        if byte == "n":
            self._literal("ull")
            return []
        if byte != "[":
            self.fail("decode slice", f"expect [ or n, but found {byte}")
        if self._token() == "]":
            return []
        self._head -= 1
        items = [read()]
        while (byte := self._token()) == ",":
            items.append(read())
        if byte != "]":
            self.fail("decode slice", f"expect ], but found {byte}")
        return items

    def text(self) -> str:
        """Read a string; null is an empty one."""
        byte = self._token()
        if byte == "n":
            self._literal("ull")
            return ""
        if byte != '"':
            self.fail("ReadString", f'expects " or n, but found {byte}')
        begin = self._head
        while True:
            byte = self._byte()
            if byte == "\0":
                self.fail("readStringSlowPath", "unexpected end of input")
            if byte == "\\":
                self._byte()
            elif byte == '"':
                break
            elif byte < " ":
                self._head -= 1
                self.fail("ReadString", f"invalid control character found: {ord(byte)}")
        raw = self._data[begin : self._head - 1].decode("utf-8", "replace")
        try:
            return str(json.loads(f'"{raw}"', strict=False))
        except ValueError:
            self.fail("readEscapedChar", "invalid escape char after \\")

    def more(self) -> bool:
        """Step into an array, or on to its next element; tell whether there is one."""
        byte = self._token()
        if byte == "n":
            self._literal("ull")
            return False
        if byte == "[":
            if self._token() == "]":
                return False
            self._head -= 1
            return True
        if byte not in {"]", ","}:
            self.fail("ReadArray", f"expect [ or , or ] or n, but found {byte}")
        return byte == ","

    def number(self) -> str:
        """Read the text of a number."""
        begin = self._head
        while self._head < len(self._data) and self._data[self._head] in _NUMBER:
            self._head += 1
        if begin == self._head:
            self.fail("readNumberAsString", "invalid number")
        return self._data[begin : self._head].decode()

    def field(self) -> str:
        """Step into an object, or on to its next field, and return its name; empty at the end."""
        byte = self._token()
        if byte == "n":
            self._literal("ull")
            return ""
        if byte == "{":
            byte = self._token()
            if byte == '"':
                self._head -= 1
                return self._field()
            if byte != "}":
                self.fail("ReadObject", f'expect " after {{, but found {byte}')
            return ""
        if byte == ",":
            return self._field()
        if byte != "}":
            self.fail("ReadObject", f"expect {{ or , or }} or n, but found {byte}")
        return ""

    def raw(self) -> bytes:
        """Read an element and return its text, with the space before it."""
        begin = self._head
        self.skip()
        return self._data[begin : self._head]

    def skip_space(self) -> None:
        """Go on to the next element."""
        if self._token() != "\0":
            self._head -= 1

    def skip(self) -> None:
        """Pass over one element."""
        byte = self._token()
        match byte:
            case '"':
                self._head -= 1
                self.text()
            case "n":
                self._literal("ull")
            case "t":
                self._literal("rue")
            case "f":
                self._literal("alse")
            case "[":
                self._head -= 1
                self._skip_array()
            case "{":
                self._head -= 1
                self._skip_object()
            case _ if byte in "-0123456789":
                self._head -= 1
                self.number()
            case _:
                self.fail("Skip", f"do not know how to skip: {ord(byte)}")

    def _skip_array(self) -> None:
        self._head += 1
        if self._token() == "]":
            return
        self._head -= 1
        self.skip()
        while (byte := self._token()) == ",":
            self.skip()
        if byte != "]":
            self.fail("ReadArrayCB", f"expect ] in the end, but found {byte}")

    def _skip_object(self) -> None:
        self._head += 1
        byte = self._token()
        if byte == "}":
            return
        if byte != '"':
            self.fail("ReadObjectCB", f'expect " after {{, but found {byte}')
        self._head -= 1
        self._field()
        self.skip()
        while (byte := self._token()) == ",":
            self._field()
            self.skip()
        if byte != "}":
            self.fail("ReadObjectCB", "object not ended with }")

    def end(self) -> None:
        """Check that nothing is left."""
        if self._token() != "\0":
            self.fail("Unmarshal", "there are bytes left after unmarshal")

    def fail(self, operation: str, reason: str) -> NoReturn:
        """Raise an error about this place."""
        data, head = self._data, self._head
        start = max(0, head - _PEEK)
        near = data[start : head + _PEEK]
        context = data[max(0, head - _CONTEXT) : head + _CONTEXT]
        raise JsonReadError(
            f"{operation}: {reason}, error found in #{head - start} byte of "
            f"...|{near.decode('utf-8', 'replace')}|..., bigger context "
            f"...|{context.decode('utf-8', 'replace')}|..."
        )

    def _field(self) -> str:
        name = self.text()
        byte = self._token()
        if byte != ":":
            self.fail("ReadObject", f"expect : after object field, but found {byte}")
        return name

    def _literal(self, rest: str) -> None:
        operation = "skipFourBytes" if len(rest) == 4 else "skipThreeBytes"
        for expected in rest:
            if self._byte() != expected:
                self.fail(operation, f"expect {rest}")

    def _token(self) -> str:
        """Take the next byte that is no space; a zero byte at the end."""
        while self._head < len(self._data) and self._data[self._head] in _SPACE:
            self._head += 1
        return self._byte()

    def _byte(self) -> str:
        if self._head >= len(self._data):
            return "\0"
        self._head += 1
        return chr(self._data[self._head - 1])
