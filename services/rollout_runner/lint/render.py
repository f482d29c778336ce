"""Findings as text, Markdown and JSON."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rollout_runner.lint.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.lint.rule import Rule


def counted(findings: Sequence[Finding]) -> dict[str, int]:
    """Return how many findings there are of each severity, none left out."""
    counts = Counter(each.severity for each in findings)
    return {severity.value: counts[severity] for severity in Severity}


def summary(findings: Sequence[Finding]) -> str:
    """Return one line: `2 errors, 1 warning`, or `clean`."""
    counts = counted(findings)
    shown = [f"{count} {word}{'s' * (count != 1)}" for word, count in counts.items() if count]
    return ", ".join(shown) or "clean"


def render_text(findings: Sequence[Finding]) -> str:
    """Return two or three lines for each finding."""
    blocks = []
    for each in findings:
        place = each.place
        where = f"  {place.kind}/{place.name}: {place.path}\n" if place.kind else ""
        blocks.append(
            f"{place}: {each.severity} {each.code}: {each.title}\n{where}"
            f"  {each.reason}\n  fix: {each.fix}\n"
        )
    return "\n".join(blocks)


def render_json(findings: Sequence[Finding], *, version: ArgoVersion) -> str:
    """Return the findings and their number as JSON."""
    document: dict[str, Any] = {
        "argoVersion": str(version),
        "summary": counted(findings),
        "findings": [_plain(each) for each in findings],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _plain(finding: Finding) -> dict[str, Any]:
    fields = asdict(finding)
    place = fields.pop("place")
    return {**fields, **place}


def render_markdown(findings: Sequence[Finding]) -> str:
    """Return a table for a pull request or a job summary."""
    lines = [f"### gatelab lint: {summary(findings)}", ""]
    if findings:
        lines += ["| Severity | Code | Where | What | Fix |", "| --- | --- | --- | --- | --- |"]
    for each in findings:
        place = each.place
        where = f"`{place.file}:{place.line}`"
        if place.kind:
            where += f"<br>{place.kind}/{place.name}"
        cells = (
            each.severity.value,
            each.code,
            where,
            f"**{_cell(each.title)}**<br>{_cell(each.reason)}",
            _cell(each.fix),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Keep a text inside of one cell, and from being taken for markup."""
    escaped = text.replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;").replace("\n", " ")


def render_rules(rules: Mapping[str, Rule]) -> str:
    """Return one line for each rule."""
    return "".join(
        f"{each.code}  {each.severity.value:<8} {each.title}\n" for each in rules.values()
    )


def explain(found: Rule) -> str:
    """Return everything that there is to say of a rule."""
    return (
        f"{found.code} ({found.severity}): {found.title}\n\n{found.why}\n\nfix: {found.fix}\n\n"
        f"finds it in ({found.bad.around}):\n\n{_indented(found.bad.shown)}\n"
        f"and not in:\n\n{_indented(found.good.shown)}"
    )


def _indented(text: str) -> str:
    return "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
