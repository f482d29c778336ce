"""A small page that leads to the reports of several runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rollout_runner.report.html import render_page
from rollout_runner.report.model import RunReport

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexEntry:
    """One run of the page.

    Attributes:
        name: what the run is called, such as its scenario.
        report: the run.
        href: where its HTML report lies, relative to the page.
        others: further files of the run, as (label, relative address).
    """

    name: str
    report: RunReport
    href: str
    others: tuple[tuple[str, str], ...] = ()


def render_index(entries: Sequence[IndexEntry], *, title: str = "Canary runs") -> str:
    """Return the page as one self-contained HTML file."""
    return render_page("index.html.j2", entries=entries, title=title)
