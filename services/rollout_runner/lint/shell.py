"""Reading the script of a job: enough of a shell to see what it makes of no data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.lint.objects import entries
from rollout_runner.manifests.documents import Path

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHELLS: Final = frozenset({"sh", "bash", "ash", "dash", "ksh", "zsh"})
_COMMENT: Final = re.compile(r"(^|\s)#.*$")
_CONTINUED: Final = ("\\", "|", "&&")
_SET: Final = re.compile(r"(?:^|[;\n])\s*set\s+([^\n;#]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script of a container: where it stands, its text, and how the shell is started."""

    path: Path
    text: str
    options: str = ""

    @property
    def lines(self) -> list[str]:
        """Lines without comments; their index is the line of the text, from 0."""
        return [_COMMENT.sub("", line) if "#" in line else line for line in self.text.splitlines()]

    def finds(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, re.Match[str]]]:
        """Yield what a pattern finds with the line, from 1."""
        for number, line in enumerate(self.lines, start=1):
            found = pattern.search(line)
            if found:
                yield number, found

    @property
    def flags(self) -> str:
        """Everything that `set` and the command line turn on."""
        return " ".join(
            [self.options, *(match[1] for match in _SET.finditer("\n".join(self.lines)))]
        )

    @property
    def stops_on_error(self) -> bool:
        """Whether the shell leaves at the first command that fails."""
        return re.search(r"(^|\s)-[a-zA-Z]*e|errexit", self.flags) is not None

    @property
    def sees_pipes(self) -> bool:
        """Whether a failing command inside of a pipe counts."""
        return "pipefail" in self.flags

    @property
    def commands(self) -> list[tuple[int, str]]:
        """Lines that say something with their number, from 1; continued ones joined."""
        found: list[tuple[int, str]] = []
        open_ = False
        for number, line in enumerate(self.lines, start=1):
            text = line.strip()
            if not text:
                continue
            if open_:
                first, before = found.pop()
                found.append((first, f"{before} {text}"))
            else:
                found.append((number, text))
            open_ = text.endswith(_CONTINUED)
            if text.endswith("\\"):
                first, before = found.pop()
                found.append((first, before[:-1].rstrip()))
        return found


def scripts_of(pod: Any, path: Path) -> Iterator[Script]:
    """Yield the scripts of a pod's containers. `path` is where the pod's spec stands."""
    if not isinstance(pod, dict):
        return
    for field in ("initContainers", "containers"):
        for index, container in entries(pod.get(field)):
            yield from _scripts(container, (*path, field, index))


def _scripts(container: dict[str, Any], path: Path) -> Iterator[Script]:
    words: list[tuple[Path, str]] = []
    for field in ("command", "args"):
        value = container.get(field)
        if isinstance(value, list):
            words += [((*path, field, at), str(each)) for at, each in enumerate(value)]
    if not words or words[0][1].rpartition("/")[2] not in _SHELLS:
        return
    options: list[str] = []
    for where, word in words[1:]:
        argument_of_o = bool(options) and re.fullmatch(r"[-+][a-zA-Z]*o", options[-1])
        if word.startswith(("-", "+")) or argument_of_o:
            options.append(word)
            continue
        if any(re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", each) for each in options):
            yield Script(path=where, text=word, options=" ".join(options))
        return  # a file is run, which nobody sees here
