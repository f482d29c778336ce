r"""Go's regular expressions (RE2 syntax) as Python's.

What RE2 does not have (look-around, backreferences, possessive repetition) is refused as Go refuses
it. Where the same text means something else, it is translated: `$` and `\z` are the very end of the
text, `\d`, `\w`, `\s` are ASCII, `[[:alpha:]]` is a class. Python backtracks where RE2 does not, so
a hostile pattern can be slow; a gate's patterns are short.
"""

from __future__ import annotations

import re
from functools import lru_cache

from rollout_runner.argo.expr.errors import ConditionError

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
}
_SPACE = r"\t\n\f\r "  # RE2's \s has no vertical tab
_PERL_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": _SPACE}
_SIMPLE_ESCAPES = "afnrtv"
_GROUP = re.compile(r"\(\?(P?<[A-Za-z_][A-Za-z0-9_]*>|:|([imsU]*)(-[imsU]+)?([:)]))")
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_HEX = re.compile(r"\{([0-9A-Fa-f]{1,6})\}|[0-9A-Fa-f]{2}")
_NAMED_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_MAX_REPEAT = 1000


@lru_cache(maxsize=512)
def compile_regex(pattern: str) -> re.Pattern[str]:
    """Compile a Go pattern, to be used with `search`.

    Raises:
        ConditionError: with the message of Go's regexp package.
    """
    translated = _Translator(pattern).translate()
    try:
        return re.compile(translated)
    except (re.error, OverflowError, RecursionError):
        raise ConditionError(f"error parsing regexp: unsupported here: `{pattern}`") from None


class _Translator:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._multiline = [False]  # of each open group
        self._flags: list[list[str]] = [[]]  # of each open group: what stands for `(?i)` in it
        self._parts: list[str] = []

    def translate(self) -> str:
        while self._at < len(self._pattern):
            self._step(self._pattern[self._at])
        if self._depth:
            raise self._error("missing closing )", self._pattern)
        return "".join(self._parts) + ")" * len(self._flags[-1])

    def _error(self, reason: str, where: str) -> ConditionError:
        return ConditionError(f"error parsing regexp: {reason}: `{where}`")

    def _emit(self, text: str, width: int) -> None:
        self._parts.append(text)
        self._at += width

    def _step(self, char: str) -> None:
        match char:
            case "(":
                self._open_group()
            case ")":
                self._close_group()
            case "|" if self._flags[-1]:
                # Flags reach over alternatives, the groups that stand for them do not.
                self._parts += [")" * len(self._flags[-1]), "|", *self._flags[-1]]
                self._at += 1
            case "[":
                self._class()
            case "\\":
                self._escape()
            case "^" | "$":
                very = {"^": r"\A", "$": r"\Z"}
                self._emit(f"(?m:{char})" if self._multiline[-1] else very[char], 1)
            case "*" | "+" | "?":
                self._repeat(1)
            case "{" | "}":
                self._brace(char)
            case _:
                self._emit(char, 1)

    def _brace(self, char: str) -> None:
        """Translate `{2,3}`; a brace that is no repetition stands for itself."""
        match = _REPEAT.match(self._pattern, self._at)
        if match is None:
            self._emit(f"\\{char}", 1)
            return
        low, high = int(match[1]), int(match[3] or match[1])
        if low > _MAX_REPEAT or high > _MAX_REPEAT or high < low:
            raise self._error("invalid repeat count", match[0])
        self._repeat(len(match[0]))

    def _open_group(self) -> None:
        rest = self._pattern[self._at :]
        if not rest.startswith("(?"):
            self._open(self._multiline[-1])
            self._emit("(", 1)
            return
        match = _GROUP.match(rest)
        if match is None:
            raise self._group_error(rest)
        if "U" in match[0].split(":")[0] and match[4]:
            raise self._error("unsupported here (the U flag)", match[0])
        multiline = self._multiline[-1]
        flags, off = match[2] or "", match[3] or ""
        multiline = (multiline or "m" in flags) and "m" not in off
        if match[4] == ")":  # flags for the rest of this group
            self._multiline[-1] = multiline
            self._flags[-1].append(_flag_group(flags, off))
            self._emit(self._flags[-1][-1], len(match[0]))
            return
        self._open(multiline)
        opening = match[0] if match[4] is None or match[1] == ":" else _flag_group(flags, off)
        self._emit(opening.replace("(?<", "(?P<"), len(match[0]))

    def _open(self, multiline: bool) -> None:  # noqa: FBT001 - the state of the group
        self._depth += 1
        self._multiline.append(multiline)
        self._flags.append([])

    def _group_error(self, rest: str) -> ConditionError:
        if rest.startswith(("(?P<", "(?<")) and not rest.startswith(("(?<=", "(?<!")):
            end = rest.find(">")
            return self._error("invalid named capture", rest if end < 0 else rest[: end + 1])
        width = 4 if rest.startswith(("(?<=", "(?<!")) else 3
        return self._error("invalid or unsupported Perl syntax", rest[:width])

    def _close_group(self) -> None:
        if not self._depth:
            raise self._error("unexpected )", self._pattern)
        self._depth -= 1
        self._multiline.pop()
        self._emit(")" * (1 + len(self._flags.pop())), 1)

    def _repeat(self, width: int) -> None:
        start = self._at
        operator = self._pattern[start : start + width]
        previous = self._parts[-1] if self._parts else ""
        if not self._parts or previous == "(" or previous.startswith("(?") or previous == "|":
            closes = previous.endswith(")") and previous.startswith("(?")
            if not closes:
                raise self._error("missing argument to repetition operator", operator)
        self._emit(operator, width)
        if self._pattern[self._at : self._at + 1] == "?":
            self._emit("?", 1)
        following = self._pattern[self._at : self._at + 1]
        counted = _REPEAT.match(self._pattern, self._at)
        if (following and following in "*+?") or counted:
            end = self._at + (len(counted[0]) if counted else 1)
            raise self._error("invalid nested repetition operator", self._pattern[start:end])

    def _escape(self) -> None:
        char = self._pattern[self._at + 1 : self._at + 2]
        if char == "":
            raise self._error("trailing backslash at end of expression", "")
        if char in "AbB":
            self._emit(f"(?a:\\{char})" if char in "bB" else r"\A", 2)
        elif char == "z":
            self._emit(r"\Z", 2)
        elif char == "Q":
            end = self._pattern.find("\\E", self._at)
            end = len(self._pattern) if end < 0 else end
            for literal in self._pattern[self._at + 2 : end]:
                self._parts.append(re.escape(literal))
            self._at = min(end + 2, len(self._pattern))
        else:
            text, width = self._escaped(inside=False)
            self._emit(text, width)

    def _escaped(self, *, inside: bool) -> tuple[str, int]:
        """Translate an escape that may also stand in a class; give its width too."""
        char = self._pattern[self._at + 1]
        if char.lower() in _PERL_CLASSES:
            members = _PERL_CLASSES[char.lower()]
            if not inside:
                return f"[{'^' if char.isupper() else ''}{members}]", 2
            if char.islower():
                return members, 2
            return f"\\{char}", 2
        if char in _SIMPLE_ESCAPES:
            return f"\\{char}", 2
        if char == "x" and (match := _HEX.match(self._pattern, self._at + 2)):
            code = int(match[1] or match[0], 16)
            return re.escape(chr(min(code, 0x10FFFF))), 2 + len(match[0])
        if char.isascii() and not char.isalnum():
            return f"\\{char}", 2
        if char in "pP":
            raise self._error("unsupported here (Unicode classes)", f"\\{char}")
        raise self._error("invalid escape sequence", f"\\{char}")

    def _class(self) -> None:
        start = self._at
        self._at += 1
        out = ["["]
        if self._pattern[self._at : self._at + 1] == "^":
            out.append("^")
            self._at += 1
        first = True
        while True:
            char = self._pattern[self._at : self._at + 1]
            if char == "":
                raise self._error("missing closing ]", self._pattern[start:])
            if char == "]" and not first:
                break
            out.append(self._class_item(char))
            first = False
        self._at += 1
        self._parts.append("".join(out) + "]")

    def _class_item(self, char: str) -> str:
        if char == "\\":
            if self._at + 1 >= len(self._pattern):
                raise self._error("trailing backslash at end of expression", "")
            text, width = self._escaped(inside=True)
            self._at += width
            return text
        if posix := _NAMED_CLASS.match(self._pattern, self._at):
            if posix[2] not in _POSIX or posix[1]:
                raise self._error("invalid character class range", posix[0])
            self._at += len(posix[0])
            return _POSIX[posix[2]]
        self._at += 1
        return f"\\{char}" if char in "[]&~|" else char


def _flag_group(flags: str, off: str) -> str:
    kept = "".join(sorted(set(flags) & set("is")))
    dropped = "".join(sorted(set(off) & set("is")))
    return f"(?{kept}{'-' if dropped else ''}{dropped}:"
