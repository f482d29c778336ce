"""What the tests of the documentation look at: pages, their code blocks, and the file tree."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
# Vectors are data that was observed elsewhere.
_NOT_OURS = {".git", ".venv", ".gatelab", ".hypothesis", "dist", "build", "vectors"}
_LEFT_BY_TOOLS = ("_cache", "__pycache__", ".egg-info", ".setup-stamp")
_BLOCK = re.compile(
    r"(?:^<!-- file: (?P<file>\S+) -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


class Block(NamedTuple):
    """A fenced block; `file` is the name under which the reader is told to save it."""

    file: str
    language: str
    text: str


def read(name: str) -> str:
    """Return the text of a file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def files() -> list[Path]:
    """Return the files of the repository, without what tools have put there."""
    found = []
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        foreign = any(part in _NOT_OURS or part.endswith(_LEFT_BY_TOOLS) for part in parts)
        if path.is_file() and not foreign:
            found.append(path)
    return found


def pages() -> list[Path]:
    """Return every Markdown page."""
    return [path for path in files() if path.suffix == ".md"]


def blocks(text: str, *languages: str) -> list[Block]:
    """Return the fenced blocks of a page, of these languages only when some are given."""
    found = [
        Block(each["file"] or "", each["language"], each["text"]) for each in _BLOCK.finditer(text)
    ]
    return [each for each in found if not languages or each.language in languages]


def commands(text: str) -> list[str]:
    """Return the commands that a page shows after a `$`, continued lines joined."""
    found = []
    for block in blocks(text, "console"):
        joined = re.sub(r"\\\n\s*", "", block.text)
        found += [line[2:] for line in joined.splitlines() if line.startswith("$ ")]
    return found


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives to a heading."""
    plain = re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
