"""Links between pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs_project import ROOT, blocks, pages, read, slug

_LINK = re.compile(r"\[[^]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _prose(text: str) -> str:
    """Return the page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def _anchors(path: Path) -> set[str]:
    return {slug(heading) for heading in _HEADING.findall(_prose(path.read_text(encoding="utf-8")))}


@pytest.mark.parametrize("page", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_resolve(page: Path) -> None:
    """Every relative link names a file or folder of the repository, and a heading in it."""
    for target in _LINK.findall(_prose(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.is_relative_to(ROOT), target
        assert path.exists(), target
        if anchor:
            assert anchor in _anchors(path), target


def test_a_heading_becomes_githubs_anchor() -> None:
    """Anchors drop punctuation, keep words and hyphens, and are lower-case."""
    assert slug("GET /v1/health-check") == "get-v1health-check"
    assert slug("No data is never `zero`") == "no-data-is-never-zero"


def test_every_page_of_the_docs_is_linked_from_the_index() -> None:
    """A page that the index does not lead to would not be found."""
    targets = {
        (ROOT / "docs" / target.partition("#")[0]).resolve()
        for target in _LINK.findall(read("docs/index.md"))
    }
    folders = ("docs/guides", "docs/reference")
    missing = [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.*")
        if path.resolve() not in targets
    ]
    assert missing == []


def test_code_blocks_are_closed() -> None:
    """Every fence that is opened is closed, so that the tests see all blocks."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        fences = len(re.findall(r"^ *```", text, re.MULTILINE))
        assert fences % 2 == 0, page
        assert fences == 0 or blocks(text) or "```\n" in text, page
