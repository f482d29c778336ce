"""`# gatelab: ignore CODE reason`: findings that somebody has looked at and accepts.

Behind a value it is for that line. On a line of its own it is for the next line that says
something; before the first line of an object it is for the whole object.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rollout_runner.lint.finding import Finding
    from rollout_runner.manifests.render import Source

_COMMENT: Final = re.compile(r"(?:^|\s)#\s*gatelab:\s*ignore\b[ \t]*(?P<rest>.*)$")
_CODES: Final = re.compile(
    r"(?P<codes>GL[0-9A-Za-z]*(?:\s*,\s*GL[0-9A-Za-z]*)*)(?:\s+(?P<reason>.*))?"
)
_FIRST: Final = re.compile(r"(apiVersion|kind|metadata|spec)\s*:")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """One comment. It is for the lines from `first` to `last`; `line` is where it stands."""

    file: str
    line: int
    column: int
    codes: tuple[str, ...]
    reason: str
    first: int
    last: int

    def covers(self, finding: Finding) -> bool:
        """Whether it is for a finding. Without a reason it is for none."""
        place = finding.place
        return (
            bool(self.reason)
            and finding.code in self.codes
            and place.file == self.file
            and self.first <= place.line <= self.last
        )


def read_ignores(sources: Iterable[Source]) -> tuple[Ignore, ...]:
    """Return the comments of some texts."""
    return tuple(each for source in sources for each in _of(source))


def _of(source: Source) -> Iterator[Ignore]:
    lines = source.text.splitlines()
    for number, line in enumerate(lines, start=1):
        found = _COMMENT.search(line)
        if found is None:
            continue
        said = _CODES.match(found["rest"].strip())
        alone = not line[: found.start()].strip()
        first = _next(lines, number) if alone else number
        yield Ignore(
            file=source.name,
            line=number,
            column=line.index("#", found.start()) + 1,
            codes=tuple(re.split(r"\s*,\s*", said["codes"])) if said else (),
            reason=(said["reason"] or "").strip() if said else "",
            first=first,
            last=_end(lines, first) if alone and _begins_object(lines, first) else first,
        )


def _next(lines: list[str], number: int) -> int:
    """Return the next line that says something; the comment's own where none does."""
    for at in range(number + 1, len(lines) + 1):
        text = lines[at - 1].strip()
        if text and not text.startswith("#"):
            return at
    return number


def _begins_object(lines: list[str], first: int) -> bool:
    if not _FIRST.match(lines[first - 1]):
        return False
    above = [text for text in lines[: first - 1] if text.strip() and not text.startswith("#")]
    return not above or above[-1].startswith("---")


def _end(lines: list[str], first: int) -> int:
    for at in range(first, len(lines) + 1):
        if lines[at - 1].startswith("---"):
            return at - 1
    return len(lines)
