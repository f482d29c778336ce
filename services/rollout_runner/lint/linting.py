"""Texts in, findings out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rollout_runner.argo.types import ArgoVersion
from rollout_runner.lint.finding import Finding, Place
from rollout_runner.lint.ignores import read_ignores
from rollout_runner.lint.objects import read_items
from rollout_runner.lint.registry import RULES
from rollout_runner.lint.rules.comments import comment_findings
from rollout_runner.lint.world import World
from rollout_runner.manifests.model import dotted

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from rollout_runner.lint.rule import Hit, Rule
    from rollout_runner.manifests.origins import Origins
    from rollout_runner.manifests.render import Source


def lint(
    sources: Sequence[Source],
    *,
    version: ArgoVersion,
    codes: Collection[str] = tuple(RULES),
    origins: Origins | None = None,
) -> tuple[Finding, ...]:
    """Return what the rules find, in the order of the text.

    Args:
        sources: manifests that belong together, as `kubectl apply` would get them.
        version: release line of Argo Rollouts that will run them.
        codes: the rules to apply.
        origins: for rendered manifests, where their fields were written.

    Raises:
        InvalidInput: a text is not YAML.
    """
    items = read_items(sources)
    found = _found(World(items, version), codes, origins)
    ignores = read_ignores(sources if origins is None else origins.sources)
    used = {each for each in ignores for finding in found if each.covers(finding)}
    if len(used) < len(ignores):
        # What another release line would be told of is no comment for nothing.
        for other in set(ArgoVersion) - {version}:
            others = _found(World(items, other), codes, origins)
            used |= {each for each in ignores for finding in others if each.covers(finding)}
    kept = [each for each in found if not any(ignore.covers(each) for ignore in ignores)]
    kept += [
        each for each in comment_findings(ignores, used, RULES, applied=codes) if each.code in codes
    ]
    return tuple(sorted(kept, key=lambda each: each.order))


def _found(world: World, codes: Collection[str], origins: Origins | None) -> dict[Finding, None]:
    """Return the findings, each once, in the order of the rules."""
    return {
        _finding(rule, hit, origins): None
        for rule in RULES.values()
        if rule.code in codes
        for hit in rule.check(world)
    }


def _finding(rule: Rule, hit: Hit, origins: Origins | None) -> Finding:
    item = hit.item
    place = None
    if origins is not None:
        path, value = item.nearest(hit.path)
        place = origins.find(item.kind, item.name, path, value, hit.text_line)
    file, line, column = place or (
        item.document.source,
        *item.document.position(hit.path, hit.text_line),
    )
    return Finding(
        code=rule.code,
        severity=rule.severity,
        title=rule.title,
        place=Place(
            file=file,
            line=line,
            column=column,
            kind=item.kind,
            name=item.name,
            path=dotted(hit.path),
        ),
        reason=hit.reason,
        fix=hit.fix or rule.fix,
    )
