"""Everything that rules look at: the objects, which analysis uses which template, every metric."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.analysis import Metric
from rollout_runner.argo.conditions import dialect_of
from rollout_runner.lint.arguments import Given, declared_args, filled, given_args
from rollout_runner.lint.objects import Item, entries, mapping, text_of
from rollout_runner.lint.steps import Weight, in_force
from rollout_runner.manifests.documents import Path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.argo.expr import Dialect
    from rollout_runner.argo.types import ArgoVersion

CANARY: Final[Path] = ("spec", "strategy", "canary")
BLUE_GREEN: Final[Path] = ("spec", "strategy", "blueGreen")
TEMPLATE_KINDS: Final = ("AnalysisTemplate", "ClusterAnalysisTemplate")
_TEXTS: Final = ("name", "interval", "initialDelay", "successCondition", "failureCondition")
_NUMBERS: Final = (
    "count",
    "failureLimit",
    "inconclusiveLimit",
    "consecutiveErrorLimit",
    "consecutiveSuccessLimit",
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Use:
    """One analysis of a Rollout, with the templates that it leads to.

    `role` is `step`, `background`, `pre` or `post`; `weight` tells what a step stands under.
    """

    rollout: Item
    path: Path
    role: str
    raw: dict[str, Any]
    templates: tuple[Item, ...]
    weight: Weight | None = None

    @property
    def finite(self) -> bool:
        """Whether the rollout waits for its end."""
        return self.role != "background"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class MetricAt:
    """A metric where it stands, read with the arguments of one use (or the defaults alone)."""

    owner: Item
    path: Path
    raw: dict[str, Any]
    resolved: dict[str, Any]
    metric: Metric
    given: dict[str, Given]
    use: Use | None

    @property
    def name(self) -> str:
        """Name of the metric."""
        return self.metric.name

    def block(self, provider: str) -> dict[str, Any] | None:
        """Return the provider's block with arguments in place, or None."""
        found = mapping(self.resolved.get("provider")).get(provider)
        return found if isinstance(found, dict) else None

    def at(self, *path: str | int) -> Path:
        """Return the path of a field of the metric."""
        return (*self.path, *path)


class World:
    """The objects of one load and what connects them."""

    def __init__(self, items: tuple[Item, ...], version: ArgoVersion) -> None:
        self.items = items
        self.version = version

    @property
    def dialect(self) -> Dialect:
        """The expression library of the version."""
        return dialect_of(self.version)

    def of(self, *kinds: str) -> tuple[Item, ...]:
        """Return the objects of some kinds."""
        return tuple(each for each in self.items if each.kind in kinds and not each.refusal)

    @cached_property
    def rollouts(self) -> tuple[Item, ...]:
        """All Rollouts."""
        return self.of("Rollout")

    @cached_property
    def templates(self) -> tuple[Item, ...]:
        """All AnalysisTemplates and ClusterAnalysisTemplates."""
        return self.of(*TEMPLATE_KINDS)

    @cached_property
    def analyses(self) -> tuple[Item, ...]:
        """Everything that holds metrics."""
        return self.of(*TEMPLATE_KINDS, "AnalysisRun")

    def find(self, kind: str, name: str, near: Item) -> Item | None:
        """Return an object by name in the namespace of another."""
        return next(
            (each for each in self.of(kind) if each.name == name and each.reaches(near)), None
        )

    def template(self, ref: dict[str, Any], near: Item) -> Item | None:
        """Return the template of a reference `{templateName, clusterScope}`."""
        kind = TEMPLATE_KINDS[ref.get("clusterScope") is True]
        name = text_of(ref.get("templateName"))
        if kind == TEMPLATE_KINDS[True]:
            return next((each for each in self.of(kind) if each.name == name), None)
        return self.find(kind, name, near)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every analysis of every Rollout, in the order of the manifests."""
        return tuple(use for rollout in self.rollouts for use in self._uses(rollout))

    @cached_property
    def metrics(self) -> tuple[MetricAt, ...]:
        """Every metric, once for each use of its template; once by itself where nobody uses it."""
        return tuple(each for item in self.analyses for each in self._metrics(item))

    def uses_of(self, template: Item) -> tuple[Use, ...]:
        """Return the analyses that lead to a template."""
        return tuple(use for use in self.uses if template in use.templates)

    def _uses(self, rollout: Item) -> Iterator[Use]:
        steps = rollout.get(*CANARY, "steps")
        for index, step in entries(steps):
            if isinstance(step.get("analysis"), dict):
                path = (*CANARY, "steps", index, "analysis")
                yield self._use(rollout, path, "step", in_force(steps, index))
        for path, role in (
            ((*CANARY, "analysis"), "background"),
            ((*BLUE_GREEN, "prePromotionAnalysis"), "pre"),
            ((*BLUE_GREEN, "postPromotionAnalysis"), "post"),
        ):
            if isinstance(rollout.get(*path), dict):
                yield self._use(rollout, path, role)

    def _use(self, rollout: Item, path: Path, role: str, weight: Weight | None = None) -> Use:
        raw = rollout.get(*path)
        found: list[Item] = []
        waiting = [ref for _, ref in entries(raw.get("templates"))]
        while waiting:
            template = self.template(waiting.pop(0), rollout)
            if template is not None and template not in found:
                found.append(template)
                waiting += [ref for _, ref in entries(template.get("spec", "templates"))]
        return Use(
            rollout=rollout, path=path, role=role, raw=raw, templates=tuple(found), weight=weight
        )

    def _metrics(self, item: Item) -> Iterator[MetricAt]:
        uses = self.uses_of(item)
        for index, raw in entries(item.get("spec", "metrics")):
            path: Path = ("spec", "metrics", index)
            for use in uses or (None,):
                owners = (item,) if use is None else use.templates
                given = given_args(declared_args(owners), use.raw if use else {})
                resolved = filled(raw, given)
                yield MetricAt(
                    owner=item,
                    path=path,
                    raw=raw,
                    resolved=resolved,
                    metric=Metric.from_json(_clean(resolved)),
                    given=given,
                    use=use,
                )


def _clean(raw: dict[str, Any]) -> dict[str, Any]:
    """Leave out fields of a wrong type; the schema's rules tell of them."""
    kept: dict[str, Any] = {
        name: raw[name] for name in _TEXTS if isinstance(raw.get(name), str)
    } | {
        name: raw[name]
        for name in _NUMBERS
        if isinstance(raw.get(name), int | str) and not isinstance(raw[name], bool)
    }
    provider = mapping(raw.get("provider"))
    return kept | {
        "provider": {name: block for name, block in provider.items() if isinstance(block, dict)}
    }
