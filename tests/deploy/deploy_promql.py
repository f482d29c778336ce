"""Which metrics and labels a PromQL expression uses. Reads names; promtool judges the grammar."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from deploy_manifests import ROOT

# What Prometheus itself adds to every series it scrapes, and `le` of histograms.
SCRAPED: Final = {"job", "instance", "namespace", "pod", "le"}
OWN: Final = {"up": set[str]()}
_WORDS: Final = {"by", "without", "on", "ignoring", "and", "or", "unless", "bool", "offset"}


@dataclass(frozen=True, kw_only=True)
class Usage:
    """Metric names (or patterns of names), and the labels that are matched or grouped by."""

    metrics: frozenset[str]
    labels: frozenset[str]


def exported() -> dict[str, set[str]]:
    """Return series -> labels of everything that the reference says we export."""
    series: dict[str, set[str]] = {name: set(labels) for name, labels in OWN.items()}
    text = (ROOT / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", text, re.MULTILINE):
        known = set(re.findall(r"`(\w+)`", labels))
        suffixes = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        for suffix in suffixes:
            series.setdefault(name + suffix, set()).update(known)
    return series


def usage(expression: str) -> Usage:
    """Return what an expression uses."""
    patterns = re.findall(r'__name__=~"\(([^)]*)\)(\w*)"', expression)
    named = {f"{stem}{rest}" for stems, rest in patterns for stem in stems.split("|")}
    text = re.sub(r'"[^"]*"', "", expression)
    labels = set(_labels(text))
    text = re.sub(r"\{[^}]*\}", " ", text)
    text = re.sub(r"\b(by|without|on|ignoring)\s*\([^)]*\)", " ", text)
    text = re.sub(r"\[[^\]]*\]", " ", text)
    names = re.findall(r"\b[a-zA-Z_]\w*\b(?!\s*\()", text)
    return Usage(
        metrics=frozenset(named | {each for each in names if each not in _WORDS}),
        labels=frozenset(labels - {"__name__"}),
    )


def _labels(text: str) -> Iterator[str]:
    for matchers in re.findall(r"\{([^}]*)\}", text):
        yield from re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)
    for names in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", text):
        yield from re.findall(r"\w+", names)


def complaints(expression: str) -> list[str]:
    """Return what an expression uses that nobody exports."""
    known = exported()
    found = usage(expression)
    missing = [f"no metric {name}" for name in sorted(found.metrics - known.keys())]
    labels = SCRAPED.union(*(known.get(name, set()) for name in found.metrics))
    missing += [f"no label {name}" for name in sorted(found.labels - labels)]
    return missing if found.metrics else ["no metric at all"]
