"""GL00x: is it an object that the API server would take at all?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import entries, mapping
from rollout_runner.lint.rule import Hit, metrics, objects, rule, template
from rollout_runner.manifests.analysis import (
    AnalysisRun,
    AnalysisTemplate,
    ClusterAnalysisTemplate,
)
from rollout_runner.manifests.core import ConfigMap, Ingress, Secret, Service
from rollout_runner.manifests.model import KubeObject, dotted
from rollout_runner.manifests.rollout import Rollout
from rollout_runner.manifests.schema import Problem, ProblemKind, schema_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.objects import Item
    from rollout_runner.lint.world import World
    from rollout_runner.manifests.documents import Path

_MODELS: Final[dict[str, type[KubeObject]]] = {
    model.__name__: model
    for model in (
        Rollout,
        AnalysisTemplate,
        ClusterAnalysisTemplate,
        AnalysisRun,
        Service,
        Ingress,
        ConfigMap,
        Secret,
    )
}
# Fields that exist, but on another object than the one they were written on.
_ELSEWHERE: Final = {
    "ttlStrategy": "it is a field of AnalysisRun, and runs that a Rollout makes never have one",
    "terminate": "it is a field of AnalysisRun",
    "templates": "a run has its templates flattened into it before it is made",
    "startingStep": "only the background analysis (`strategy.canary.analysis`) starts at a step",
    "successCondition": "it is a field of the metric, beside `provider`",
    "failureCondition": "it is a field of the metric, beside `provider`",
    "interval": "it is a field of the metric, beside `provider`",
    "count": "it is a field of the metric, beside `provider`",
    "failureLimit": "it is a field of the metric, beside `provider`",
    "consecutiveErrorLimit": "it is a field of the metric, beside `provider`",
    "inconclusiveLimit": "it is a field of the metric, beside `provider`",
    "setWeight": "it is a step, an entry of `steps` of its own",
    "pause": "it is a step, an entry of `steps` of its own",
    "secretKeyRef": "only an AnalysisTemplate may name a Secret; declare the argument there",
    "configMapKeyRef": "an argument cannot read a ConfigMap; give the value itself",
}


def _problems(world: World) -> Iterator[tuple[Item, Problem]]:
    for item in world.items:
        model = _MODELS.get(item.kind)
        if model is not None and not item.refusal:
            for problem in schema_problems(item.document, model):
                yield item, problem


def _is_argument_value(problem: Problem) -> bool:
    """Tell whether text is expected where a bare number or boolean tends to be written."""
    return problem.kind is ProblemKind.TYPE and problem.message.startswith("expected text, got ")


def _is_bare(problem: Problem) -> bool:
    return _is_argument_value(problem) and problem.hint.startswith("put it in quotes")


@rule(
    "GL001",
    Severity.ERROR,
    "unknown field",
    why="""The API server drops a field that it does not know, or refuses the object: what was
    meant by it does not happen.""",
    fix="correct the name, or remove the field",
    bad=metrics("""
    - name: verdict
      count: 3
      intervall: 30s
      interval: 30s
      successCondition: result.verdict == "pass"
      provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
    good=metrics("""
    - name: verdict
      count: 3
      interval: 30s
      successCondition: result.verdict == "pass"
      provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
)
def unknown_field(world: World) -> Iterator[Hit]:
    """Fields that no schema has, and that are not known from elsewhere."""
    for item, problem in _problems(world):
        if problem.kind is ProblemKind.UNKNOWN and problem.path[-1] not in _ELSEWHERE:
            yield Hit(
                item=item,
                path=problem.path,
                reason=f"{dotted(problem.path)} is no field of {item.kind}",
                fix=problem.hint,
            )


@rule(
    "GL002",
    Severity.ERROR,
    "field in the wrong place",
    why="""The field exists, but not here: a `ttlStrategy` on a template, a condition inside of
    the provider, a Secret named by the Rollout. It has no effect, or the object is refused.""",
    fix="move the field to where it belongs",
    bad=template("""
    ttlStrategy: {secondsAfterCompletion: 600}
    metrics:
      - name: verdict
        successCondition: result.verdict == "pass"
        provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
    good=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisRun
    metadata: {generateName: by-hand-}
    spec:
      ttlStrategy: {secondsAfterCompletion: 600}
      metrics:
        - name: verdict
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
)
def misplaced_field(world: World) -> Iterator[Hit]:
    """Fields that the schema has elsewhere."""
    for item, problem in _problems(world):
        field = problem.path[-1]
        if problem.kind is ProblemKind.UNKNOWN and field in _ELSEWHERE:
            yield Hit(
                item=item,
                path=problem.path,
                reason=f"{dotted(problem.path)} is no field of {item.kind}: "
                f"{_ELSEWHERE[str(field)]}",
            )


@rule(
    "GL003",
    Severity.ERROR,
    "required field missing",
    why="The API server refuses the object, so the old one stays in force.",
    fix="add the field",
    bad=metrics("""
    - name: verdict
      successCondition: result.verdict == "pass"
      provider: {web: {jsonPath: "{$}"}}
    """),
    good=metrics("""
    - name: verdict
      successCondition: result.verdict == "pass"
      provider: {web: {url: https://analyzer.example/v1/analysis, jsonPath: "{$}"}}
    """),
)
def missing_field(world: World) -> Iterator[Hit]:
    """Fields that must be there."""
    for item, problem in _problems(world):
        if problem.kind is ProblemKind.MISSING:
            yield Hit(
                item=item,
                path=problem.path,
                reason=f"{dotted(problem.path)} is required",
                fix=problem.hint,
            )


@rule(
    "GL004",
    Severity.ERROR,
    "number or boolean where text is needed",
    why="""Arguments, header values and conditions are text. A bare `2` or `true` is a number or a
    boolean to YAML, and the custom resource definition refuses it.""",
    fix="put the value in quotes",
    bad=template("""
    args:
      - name: error-threshold
        value: 2
    metrics:
      - name: error-rate
        successCondition: result.errorRate < {{args.error-threshold}}
        provider: {web: {url: "https://apm.example/v1/metrics?hash=a&metric=errorRate"}}
    """),
    good=template("""
    args:
      - name: error-threshold
        value: "2"
    metrics:
      - name: error-rate
        successCondition: result.errorRate < {{args.error-threshold}}
        provider: {web: {url: "https://apm.example/v1/metrics?hash=a&metric=errorRate"}}
    """),
)
def bare_value(world: World) -> Iterator[Hit]:
    """Scalars without quotes in fields of text."""
    for item, problem in _problems(world):
        if _is_bare(problem):
            yield Hit(
                item=item,
                path=problem.path,
                reason=f"{dotted(problem.path)}: {problem.message}",
                fix=problem.hint,
            )


@rule(
    "GL005",
    Severity.ERROR,
    "value of the wrong type",
    why="The custom resource definition refuses it, or the controller reads it as something else.",
    fix="give a value of the type that is expected",
    bad=metrics("""
    - name: verdict
      successCondition: result.verdict == "pass"
      provider: {web: {url: https://analyzer.example/v1/analysis, timeoutSeconds: 30s}}
    """),
    good=metrics("""
    - name: verdict
      successCondition: result.verdict == "pass"
      provider: {web: {url: https://analyzer.example/v1/analysis, timeoutSeconds: 30}}
    """),
)
def wrong_type(world: World) -> Iterator[Hit]:
    """Everything else that the schema refuses."""
    for item, problem in _problems(world):
        other = problem.kind in {ProblemKind.OTHER, ProblemKind.NULL}
        if other or (problem.kind is ProblemKind.TYPE and not _is_bare(problem)):
            yield Hit(
                item=item,
                path=problem.path,
                reason=f"{dotted(problem.path)}: {problem.message}",
                fix=problem.hint,
            )


@rule(
    "GL006",
    Severity.ERROR,
    "not a Kubernetes object",
    why="""Without a kind that exists, in an API version that is served, nothing is created. A
    misspelt kind is easily overlooked among many objects.""",
    fix="begin a manifest with apiVersion, kind and metadata",
    bad=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplates
    metadata: {name: gate}
    """),
    good=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: gate}
    spec:
      metrics:
        - name: verdict
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
)
def not_an_object(world: World) -> Iterator[Hit]:
    """Documents without a kind that exists."""
    for item in world.items:
        if item.refusal:
            field = "kind" if "kind" in item.refusal else "apiVersion"
            yield Hit(item=item, path=(field,), reason=item.refusal, fix=item.hint)


@rule(
    "GL007",
    Severity.ERROR,
    "object there twice",
    why="Two objects of one kind and name: the one applied last wins, and nobody sees which.",
    fix="remove or rename one of them",
    bad=objects("""
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data: {THRESHOLD: "2"}
    ---
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data: {THRESHOLD: "5"}
    """),
    good=objects("""
    apiVersion: v1
    kind: ConfigMap
    metadata: {name: settings}
    data: {THRESHOLD: "2"}
    """),
)
def twin(world: World) -> Iterator[Hit]:
    """The second and every further object of a name."""
    seen: dict[tuple[str, str, str, str | None], Item] = {}
    for item in world.items:
        if item.refusal or not item.name or "name" not in mapping(item.get("metadata")):
            continue
        group = item.api_version.rpartition("/")[0]
        earlier = seen.setdefault((group, item.kind, item.name, item.namespace), item)
        if earlier is not item:
            yield Hit(
                item=item,
                path=("metadata", "name"),
                reason=f"{item.kind}/{item.name} is already at {earlier.document.place()}",
            )


@rule(
    "GL008",
    Severity.ERROR,
    "list entry there twice",
    why="""Metrics, arguments and headers are told apart by their name. The API server refuses two
    entries of one name, or the last one silently wins.""",
    fix="remove or rename one of the entries",
    bad=template("""
    args:
      - {name: threshold, value: "2"}
      - {name: threshold, value: "5"}
    metrics:
      - name: latency
        successCondition: result.p99 < {{args.threshold}}
        provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=template("""
    args:
      - {name: threshold, value: "2"}
    metrics:
      - name: latency
        successCondition: result.p99 < {{args.threshold}}
        provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def twin_entry(world: World) -> Iterator[Hit]:
    """Arguments of one name, on templates and on the analyses of a Rollout."""
    lists: list[tuple[Item, Path]] = [(item, ("spec", "args")) for item in world.analyses]
    lists += [(use.rollout, (*use.path, "args")) for use in world.uses]
    for item, path in lists:
        seen: set[str] = set()
        for index, arg in entries(item.get(*path)):
            name = str(arg.get("name"))
            if name in seen:
                yield Hit(
                    item=item,
                    path=(*path, index, "name"),
                    reason=f"the argument {name!r} is there twice",
                )
            seen.add(name)
