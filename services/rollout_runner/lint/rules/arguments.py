"""GL2xx: arguments and the tags that they fill."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rollout_runner.argo.analysis import AnalysisError, Argument, build_rollout_args
from rollout_runner.lint.arguments import declared_args, tags_in
from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import entries, mapping, text_of, texts
from rollout_runner.lint.rule import Hit, canary, rule, template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.objects import Item
    from rollout_runner.lint.world import Use, World
    from rollout_runner.manifests.documents import Path

_ARGS: Final[Path] = ("spec", "args")
_PREFIX: Final = "args."
_LATENCY: Final = """
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: latency}
spec:
  args:
    - name: app
  metrics:
    - name: latency
      count: 3
      interval: 30s
      successCondition: result.p99 < 300
      provider: {web: {url: "https://apm.example/v1/latency?app={{args.app}}"}}
"""


@rule(
    "GL201",
    Severity.ERROR,
    "argument not resolved",
    why="""An argument without a value makes the Rollout InvalidSpec (`args.x was not resolved`),
    even where no metric uses it. Nothing progresses until it is mended.""",
    fix="give the argument in the Rollout, or a default in the template",
    bad=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis: {templates: [{templateName: latency}, {templateName: gate}]}
    """,
        _LATENCY,
    ),
    good=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: latency}, {templateName: gate}]
          args: [{name: app, value: vote}]
    """,
        _LATENCY,
    ),
)
def unresolved(world: World) -> Iterator[Hit]:
    """Declared arguments that nobody gives."""
    for use in world.uses:
        handed = {text_of(arg.get("name")) for _, arg in entries(use.raw.get("args"))}
        for name, arg in declared_args(use.templates).items():
            if name not in handed and not _has_source(arg):
                owner = _declaring(use, name)
                yield Hit(
                    item=use.rollout,
                    path=use.path,
                    reason=f"args.{name} was not resolved: {owner} declares it without a value, "
                    "and this analysis gives none",
                    fix=f"add `- {{name: {name}, value: …}}` to the args of this analysis",
                )
    for run in world.of("AnalysisRun"):
        for index, arg in entries(run.get(*_ARGS)):
            if not _has_source(arg):
                yield Hit(
                    item=run,
                    path=(*_ARGS, index),
                    reason=f"args.{arg.get('name')} was not resolved",
                    fix="give it a value",
                )


def _has_source(arg: dict[str, object]) -> bool:
    return arg.get("value") is not None or bool(mapping(arg.get("valueFrom")))


def _declaring(use: Use, name: str) -> str:
    for each in use.templates:
        if any(arg.get("name") == name for _, arg in entries(each.get(*_ARGS))):
            return f"{each.kind}/{each.name}"
    return "the template"


@rule(
    "GL202",
    Severity.WARNING,
    "argument that no template declares",
    why="""Argo drops it without a word. Mostly it is a misspelt name, and the template goes on
    with its default: a threshold that nobody asked for.""",
    fix="correct the name, or declare the argument in the template",
    bad=canary("""
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: gate}]
          args: [{name: treshold, value: "2"}]
    """),
    good=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: latency}]
          args: [{name: app, value: vote}]
    """,
        _LATENCY,
    ),
)
def undeclared(world: World) -> Iterator[Hit]:
    """Arguments that a Rollout hands to templates that do not know them."""
    for use in world.uses:
        declared = declared_args(use.templates)
        if len(use.templates) < len(list(entries(use.raw.get("templates")))):
            continue  # a template is missing: who knows what it declares
        for index, arg in entries(use.raw.get("args")):
            name = text_of(arg.get("name"))
            if name and name not in declared:
                known = ", ".join(sorted(declared)) or "none"
                yield Hit(
                    item=use.rollout,
                    path=(*use.path, "args", index),
                    reason=f"no template of this analysis declares {name!r}; declared: {known}",
                )


@rule(
    "GL203",
    Severity.ERROR,
    "argument with both value and valueFrom",
    why="Argo refuses the Rollout: `arg 'x' has both Value and ValueFrom fields`.",
    fix="keep one of the two",
    bad=template("""
    args:
      - name: key
        value: none
        valueFrom: {secretKeyRef: {name: apm, key: key}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: https://apm.example/v1/latency
            headers: [{key: Api-Key, value: "{{args.key}}"}]
    """),
    good=template("""
    args:
      - name: key
        valueFrom: {secretKeyRef: {name: apm, key: key}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider:
          web:
            url: https://apm.example/v1/latency
            headers: [{key: Api-Key, value: "{{args.key}}"}]
    """),
)
def both_sources(world: World) -> Iterator[Hit]:
    """Arguments with two sources."""
    lists = [(item, _ARGS) for item in world.analyses]
    lists += [(use.rollout, (*use.path, "args")) for use in world.uses]
    for item, path in lists:
        for index, arg in entries(item.get(*path)):
            if arg.get("value") is not None and arg.get("valueFrom") is not None:
                yield Hit(
                    item=item,
                    path=(*path, index),
                    reason=f"arg {arg.get('name')!r} has both value and valueFrom",
                )


@rule(
    "GL204",
    Severity.ERROR,
    "tag that nothing fills",
    why="""Only `{{args.NAME}}` of a declared argument is replaced. Any other double brace (a Helm
    leftover, a Go template, a misspelt name) ends the run in Error before it measures.""",
    fix="declare the argument, correct its name, or render the template of the other tool first",
    bad=template("""
    args:
      - {name: threshold, value: "300"}
    metrics:
      - name: latency
        successCondition: result.p99 < {{ .Values.threshold }}
        provider: {web: {url: "https://apm.example/v1/latency?max={{args.threshold}}"}}
    """),
    good=template("""
    args:
      - {name: threshold, value: "300"}
    metrics:
      - name: latency
        successCondition: result.p99 < {{args.threshold}}
        provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def unknown_tag(world: World) -> Iterator[Hit]:
    """Tags in metrics that no argument fills."""
    for item in world.analyses:
        # A template may rely on the arguments of those that are used together with it.
        together = [item, *(each for use in world.uses_of(item) for each in use.templates)]
        known = {_PREFIX + name for name in declared_args(together)}
        for path, text in _metric_texts(item):
            for tag in dict.fromkeys(tags_in(text)):
                if tag not in known:
                    yield Hit(
                        item=item,
                        path=path,
                        reason=f"failed to resolve {{{{{tag}}}}}: {_why_unknown(tag, known)}",
                        text_line=_line_of(text, tag),
                    )


def _why_unknown(tag: str, known: set[str]) -> str:
    if tag.startswith("."):
        return "this is Helm's or Go's template language, which nobody renders here"
    if not tag.startswith(_PREFIX):
        return "only `args.NAME` is known"
    return f"no such argument is declared; declared: {', '.join(sorted(known)) or 'none'}"


def _line_of(text: str, part: str) -> int:
    for number, line in enumerate(text.splitlines(), start=1):
        if part in line:
            return number
    return 0


def _metric_texts(item: Item) -> Iterator[tuple[Path, str]]:
    yield from texts(item.get("spec", "metrics"), ("spec", "metrics"))


@rule(
    "GL205",
    Severity.ERROR,
    "tag that is not closed",
    why="""An opening `{{` without `}}` ends the run in Error: `Cannot find end tag="}}"`.""",
    fix="close the tag with `}}`",
    bad=template("""
    args:
      - {name: threshold, value: "300"}
    metrics:
      - name: latency
        successCondition: result.p99 < {{args.threshold}}
        provider: {web: {url: "https://apm.example/v1/latency?max={{args.threshold}"}}
    """),
    good=template("""
    args:
      - {name: threshold, value: "300"}
    metrics:
      - name: latency
        successCondition: result.p99 < {{args.threshold}}
        provider: {web: {url: "https://apm.example/v1/latency?max={{args.threshold}}"}}
    """),
)
def open_tag(world: World) -> Iterator[Hit]:
    """Opening braces without closing ones behind them."""
    for item in world.analyses:
        for path, text in _metric_texts(item):
            _, opened, rest = text.rpartition("{{")
            if opened and "}}" not in rest:
                yield Hit(item=item, path=path, reason=f'`{{{{{rest[:30]}` has no "}}}}" behind it')


@rule(
    "GL206",
    Severity.ERROR,
    "fieldRef in a template",
    why="""The analysis controller ignores `fieldRef`: only a Rollout resolves it, for arguments
    that it hands over. In a template the argument stays without a value and the run ends in
    Error.""",
    fix="declare the argument without a source and give `valueFrom.fieldRef` in the Rollout",
    bad=template("""
    args:
      - name: env
        valueFrom: {fieldRef: {fieldPath: "metadata.labels['env']"}}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider: {web: {url: "https://apm.example/v1/latency?env={{args.env}}"}}
    """),
    good=template("""
    args:
      - name: env
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider: {web: {url: "https://apm.example/v1/latency?env={{args.env}}"}}
    """),
)
def field_ref(world: World) -> Iterator[Hit]:
    """Arguments of templates and runs with a fieldRef, where no Rollout gives a value."""
    for item in world.analyses:
        uses = world.uses_of(item)
        for index, arg in entries(item.get(*_ARGS)):
            name = arg.get("name")
            handed = bool(uses) and all(
                any(each.get("name") == name for _, each in entries(use.raw.get("args")))
                for use in uses
            )
            if "fieldRef" in mapping(arg.get("valueFrom")) and not handed:
                yield Hit(
                    item=item,
                    path=(*_ARGS, index, "valueFrom"),
                    reason=f"the argument {name!r} stays without a value: "
                    f"a fieldRef on {item.kind} is ignored",
                )


@rule(
    "GL207",
    Severity.ERROR,
    "argument with several defaults",
    why="""Templates used together share their arguments. Two different defaults are an error even
    if the Rollout gives a value of its own (`specified multiple times with different values`).""",
    fix="give the argument one default, in one of the templates",
    bad=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis: {templates: [{templateName: latency}, {templateName: slowest}]}
    """,
        _LATENCY.replace("name: app", "{name: app, value: vote}")
        + "---"
        + _LATENCY.replace("latency\n", "slowest\n")
        .replace("name: latency}", "name: slowest}")
        .replace("name: app", "{name: app, value: voting}"),
    ),
    good=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis: {templates: [{templateName: latency}, {templateName: slowest}]}
    """,
        _LATENCY.replace("name: app", "{name: app, value: vote}")
        + "---"
        + _LATENCY.replace("latency\n", "slowest\n").replace("name: latency}", "name: slowest}"),
    ),
)
def clashing_defaults(world: World) -> Iterator[Hit]:
    """Arguments whose defaults differ between the templates of one analysis."""
    for use in world.uses:
        defaults: dict[str, dict[str, Item]] = {}
        for each in use.templates:
            for _, arg in entries(each.get(*_ARGS)):
                if isinstance(arg.get("value"), str):
                    defaults.setdefault(str(arg.get("name")), {}).setdefault(arg["value"], each)
        for name, values in defaults.items():
            if len(values) > 1:
                said = ", ".join(f"{value!r} ({item.name})" for value, item in values.items())
                yield Hit(
                    item=use.rollout,
                    path=(*use.path, "templates"),
                    reason=f"the templates give `{name}` different defaults: {said}",
                )


@rule(
    "GL208",
    Severity.WARNING,
    "value for an argument that a Secret fills",
    why="""Where a template takes an argument from a Secret and the Rollout gives a value, both
    end up in the run, and the Secret wins when it measures: the value given is never used.""",
    fix="remove the value from the Rollout, or the secretKeyRef from the template",
    bad=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: latency}]
          args: [{name: app, value: vote}]
    """,
        _LATENCY.replace(
            "name: app", "name: app\n      valueFrom: {secretKeyRef: {name: apm, key: app}}"
        )
        + """
---
apiVersion: v1
kind: Secret
metadata: {name: apm}
stringData: {app: voting}
""",
    ),
    good=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: latency}]
          args: [{name: app, value: vote}]
    """,
        _LATENCY,
    ),
)
def secret_wins(world: World) -> Iterator[Hit]:
    """Values that a Secret overrides."""
    for use in world.uses:
        declared = declared_args(use.templates)
        for index, arg in entries(use.raw.get("args")):
            source = mapping(declared.get(text_of(arg.get("name")), {}).get("valueFrom"))
            if "secretKeyRef" in source:
                yield Hit(
                    item=use.rollout,
                    path=(*use.path, "args", index),
                    reason=f"the template takes {arg.get('name')!r} from a Secret, which wins",
                )


@rule(
    "GL209",
    Severity.NOTE,
    "argument that no metric uses",
    why="""It has no effect, but it is still demanded: without a value the run does not start.
    Mostly it is what was left of a metric that has changed.""",
    fix="remove the argument, or use it",
    bad=template("""
    args:
      - {name: threshold, value: "300"}
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=template("""
    args:
      - {name: threshold, value: "300"}
    metrics:
      - name: latency
        successCondition: result.p99 < {{args.threshold}}
        provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def unused(world: World) -> Iterator[Hit]:
    """Declared arguments that occur in no metric of the template, nor of those it includes."""
    for item in world.analyses:
        together = [item, *(each for use in world.uses_of(item) for each in use.templates)]
        used = {
            tag for each in together for _, text in _metric_texts(each) for tag in tags_in(text)
        }
        if item.get("spec", "templates"):
            continue  # the arguments may be for the templates that it includes
        for index, arg in entries(item.get(*_ARGS)):
            if f"{_PREFIX}{arg.get('name')}" not in used:
                yield Hit(
                    item=item,
                    path=(*_ARGS, index),
                    reason=f"{arg.get('name')!r} is declared and used nowhere",
                )


@rule(
    "GL210",
    Severity.ERROR,
    "tag outside of a metric",
    why="""Arguments are replaced inside of metrics alone. In `dryRun`, `measurementRetention` and
    in the Rollout the braces stay as they are: a rule matches no metric, and the run ends in
    Error.""",
    fix="write the value itself",
    bad=template("""
    args:
      - {name: which, value: latency}
    dryRun:
      - metricName: "{{args.which}}"
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider: {web: {url: "https://apm.example/v1/latency?of={{args.which}}"}}
      - name: verdict
        successCondition: result.verdict == "pass"
        provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
    good=template("""
    args:
      - {name: which, value: latency}
    dryRun:
      - metricName: ^latency$
    metrics:
      - name: latency
        successCondition: result.p99 < 300
        provider: {web: {url: "https://apm.example/v1/latency?of={{args.which}}"}}
      - name: verdict
        successCondition: result.verdict == "pass"
        provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
)
def tag_elsewhere(world: World) -> Iterator[Hit]:
    """Tags in rules, in defaults of arguments and in analyses of a Rollout."""
    places: list[tuple[Item, Path]] = [
        (item, ("spec", field))
        for item in world.analyses
        for field in ("args", "dryRun", "measurementRetention", "templates")
    ]
    places += [(use.rollout, use.path) for use in world.uses]
    for item, path in places:
        for where, text in texts(item.get(*path), path):
            for tag in tags_in(text):
                yield Hit(item=item, path=where, reason=f"{{{{{tag}}}}} is not replaced here")


@rule(
    "GL211",
    Severity.ERROR,
    "argument from a place that the Rollout cannot read",
    why="""`fieldPath` must lead to one value in the Rollout itself; `podTemplateHashValue` is
    `Stable` or `Latest`. Anything else makes the Rollout InvalidSpec.""",
    fix="correct the path, or give a value",
    bad=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: latency}]
          args: [{name: app, valueFrom: {podTemplateHashValue: Canary}}]
    """,
        _LATENCY,
    ),
    good=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: latency}]
          args: [{name: app, valueFrom: {podTemplateHashValue: Latest}}]
    """,
        _LATENCY,
    ),
)
def unreadable_source(world: World) -> Iterator[Hit]:
    """Sources of a Rollout's arguments that lead nowhere."""
    for use in world.uses:
        for index, arg in entries(use.raw.get("args")):
            source = mapping(arg.get("valueFrom"))
            path = (*use.path, "args", index, "valueFrom")
            chosen = source.get("podTemplateHashValue")
            if isinstance(chosen, str) and chosen not in {"Stable", "Latest"}:
                yield Hit(
                    item=use.rollout,
                    path=(*path, "podTemplateHashValue"),
                    reason=f"podTemplateHashValue is Stable or Latest, not {chosen!r}",
                )
            field = text_of(mapping(source.get("fieldRef")).get("fieldPath"))
            problem = _field_problem(use, field) if field else ""
            if problem:
                yield Hit(item=use.rollout, path=(*path, "fieldRef", "fieldPath"), reason=problem)


def _field_problem(use: Use, field: str) -> str:
    if field.startswith("status"):
        return ""  # what a cluster writes there is not known here
    argument = Argument(name="x", value_from={"fieldRef": {"fieldPath": field}})
    defaults = {"namespace": "default", "uid": "uid", "labels": {}, "annotations": {}}
    manifest = use.rollout.value | {
        "metadata": defaults | mapping(use.rollout.get("metadata")) | {"name": use.rollout.name}
    }
    try:
        build_rollout_args(
            (argument,), stable_hash="stable", latest_hash="latest", rollout=manifest
        )
    except AnalysisError as error:
        return str(error)
    return ""
