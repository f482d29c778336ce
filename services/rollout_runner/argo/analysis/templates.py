"""Analysis templates: reading them, following references, and flattening them into one run spec."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rollout_runner.argo.analysis.args import merge_args
from rollout_runner.argo.analysis.errors import AnalysisError
from rollout_runner.argo.analysis.spec import AnalysisRunSpec, Argument, items, mapping, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rollout_runner.argo.analysis.spec import MeasurementRetention

_KINDS = ("AnalysisTemplate", "ClusterAnalysisTemplate")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateRef:
    """A reference to a template by name; cluster templates have names of their own."""

    template_name: str
    cluster_scope: bool = False

    @classmethod
    def from_json(cls, raw: object, where: str) -> TemplateRef:
        """Read `{templateName, clusterScope}`; AnalysisError names `where` otherwise."""
        fields = mapping(raw, where)
        return cls(
            template_name=text(fields.get("templateName"), f"{where}.templateName"),
            cluster_scope=fields.get("clusterScope") is True,
        )

    @property
    def kind(self) -> str:
        """Kind of the template that is meant."""
        return _KINDS[self.cluster_scope]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisTemplate:
    """An AnalysisTemplate or ClusterAnalysisTemplate; `spec.args` hold the defaults."""

    name: str
    cluster_scope: bool = False
    spec: AnalysisRunSpec
    templates: tuple[TemplateRef, ...] = ()

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> AnalysisTemplate:
        """Read a manifest.

        Raises:
            AnalysisError: a field has the wrong shape; the detail names the template and the path.
        """
        kind = manifest.get("kind")
        if kind not in _KINDS:
            raise AnalysisError(f"kind must be {' or '.join(_KINDS)}, got {kind!r}")
        metadata = mapping(manifest.get("metadata"), f"{kind}: metadata")
        name = text(metadata.get("name"), f"{kind}: metadata.name")
        where = f"{kind} '{name}': spec"
        raw = mapping(manifest.get("spec"), where)
        return cls(
            name=name,
            cluster_scope=kind == _KINDS[True],
            spec=AnalysisRunSpec.from_json(
                {field: value for field, value in raw.items() if field != "terminate"}, where
            ),
            templates=tuple(
                TemplateRef.from_json(each, f"{where}.templates[{index}]")
                for index, each in enumerate(items(raw.get("templates"), f"{where}.templates"))
            ),
        )


def collect_templates(
    refs: Iterable[TemplateRef], known: Iterable[AnalysisTemplate]
) -> tuple[AnalysisTemplate, ...]:
    """Return the templates that the references name, with the ones those name in turn.

    References are followed depth first and a template is taken once. Namespaced templates come
    first, then cluster templates, as Argo merges them.

    Raises:
        AnalysisError: a template is unknown, or templates name each other in a circle (which
            Argo's controller would follow without end).
    """
    by_ref = {
        TemplateRef(template_name=each.name, cluster_scope=each.cluster_scope): each
        for each in known
    }
    found: dict[TemplateRef, AnalysisTemplate] = {}
    _follow(tuple(refs), by_ref, found, ())
    return tuple(sorted(found.values(), key=lambda each: each.cluster_scope))


def _follow(
    refs: Sequence[TemplateRef],
    by_ref: Mapping[TemplateRef, AnalysisTemplate],
    found: dict[TemplateRef, AnalysisTemplate],
    path: tuple[TemplateRef, ...],
) -> None:
    for ref in refs:
        if ref in path:
            circle = " -> ".join(each.template_name for each in (*path, ref))
            raise AnalysisError(f"templates name each other in a circle: {circle}")
        if ref in found:
            continue
        template = by_ref.get(ref)
        if template is None:
            raise AnalysisError(f"{ref.kind} '{ref.template_name}' not found")
        found[ref] = template
        _follow(template.templates, by_ref, found, (*path, ref))


def flatten_templates(templates: Iterable[AnalysisTemplate]) -> AnalysisRunSpec:
    """Return one spec with everything in the templates, arguments not yet resolved.

    Raises:
        AnalysisError: two metrics or two rules share a name, or an argument has two defaults.
    """
    specs = [each.spec for each in sorted(templates, key=lambda each: each.cluster_scope)]
    metrics = tuple(metric for spec in specs for metric in spec.metrics)
    _refuse_twins((metric["name"] for metric in metrics), "metrics")
    return AnalysisRunSpec(
        metrics=metrics,
        dry_run=_joined_dry_run(spec.dry_run for spec in specs),
        measurement_retention=_joined_retention(spec.measurement_retention for spec in specs),
        args=_joined_args(arg for spec in specs for arg in spec.args),
    )


def build_run_spec(
    templates: Iterable[AnalysisTemplate],
    args: Iterable[Argument],
    *,
    dry_run: tuple[str, ...] = (),
    measurement_retention: tuple[MeasurementRetention, ...] = (),
) -> AnalysisRunSpec:
    """Return the spec of the run that a Rollout creates from templates.

    Args:
        templates: what `collect_templates` returned.
        args: the Rollout's arguments as values (`build_rollout_args`).
        dry_run: rules of the Rollout's analysis reference; they precede the templates' rules.
        measurement_retention: likewise.

    Raises:
        AnalysisError: with Argo's message, such as `args.service-name was not resolved`.
    """
    flat = flatten_templates(templates)
    return AnalysisRunSpec(
        metrics=flat.metrics,
        args=merge_args(args, flat.args),
        dry_run=_joined_dry_run((dry_run, flat.dry_run)),
        measurement_retention=_joined_retention(
            (measurement_retention, flat.measurement_retention)
        ),
    )


def _joined_dry_run(groups: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    rules = tuple(rule for group in groups for rule in group)
    _refuse_twins(rules, "Dry-Run metric rules")
    return rules


def _joined_retention(
    groups: Iterable[tuple[MeasurementRetention, ...]],
) -> tuple[MeasurementRetention, ...]:
    rules = tuple(rule for group in groups for rule in group)
    _refuse_twins((rule.metric_name for rule in rules), "Measurement Retention metric rules")
    return rules


def _joined_args(args: Iterable[Argument]) -> tuple[Argument, ...]:
    """Keep the first of each name, unless it has no default and a later one may have."""
    joined: dict[str, Argument] = {}
    for arg in args:
        earlier = joined.get(arg.name)
        if earlier is None or earlier.value is None:
            joined[arg.name] = arg
        elif arg.value is not None and arg.value != earlier.value:
            raise AnalysisError(
                f"Argument `{arg.name}` specified multiple times with different values: "
                f"'{earlier.value}', '{arg.value}'"
            )
    return tuple(joined.values())


def _refuse_twins(names: Iterable[str], what: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise AnalysisError(f"two {what} have the same name '{name}'")
        seen.add(name)
