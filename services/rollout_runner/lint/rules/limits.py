"""GL3xx: count, limits and times of a metric, and the rules that select metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rollout_runner.argo.analysis import AnalysisError, MeasurementRetention, Metric
from rollout_runner.argo.analysis.rules import dry_run_metrics, retention_limits
from rollout_runner.argo.analysis.validation import (
    count_problem,
    limit_problem,
    provider_problem,
    time_problem,
)
from rollout_runner.lint.arguments import Given, Origin, filled, tags_in
from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import Item, entries, text_of
from rollout_runner.lint.rule import Hit, canary, metrics, rule, template
from rollout_runner.manifests.documents import Path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rollout_runner.lint.world import MetricAt, World

_METRICS: Final[Path] = ("spec", "metrics")
_PATIENT_ERROR_LIMIT: Final = 10
_ERROR_RETRY_SECONDS: Final = 10
_DUMMY: Final = Given(value="dummy-value", origin=Origin.NOWHERE)
_WEB: Final = "provider: {web: {url: https://analyzer.example/v1/analysis}}"


def _metric(lines: str) -> str:
    return f"""
    - name: verdict
      {lines}
      successCondition: result.verdict == "pass"
      {_WEB}
    """


@rule(
    "GL301",
    Severity.ERROR,
    "no metrics",
    why="""A run without metrics ends in Error: `no metrics specified`. A template may be empty
    only if it includes others with `templates`.""",
    fix="add a metric, or include another template",
    bad=template("metrics: []"),
    good=metrics(_metric("count: 1")),
)
def no_metrics(world: World) -> Iterator[Hit]:
    """Templates with nothing in them."""
    for item in world.analyses:
        spec = item.get("spec")
        if isinstance(spec, dict) and not spec.get("metrics") and not spec.get("templates"):
            yield Hit(item=item, path=("spec", "metrics"), reason="no metrics specified")


@rule(
    "GL302",
    Severity.ERROR,
    "two metrics of one name",
    why="""Inside of a template the run ends in Error (`duplicate name`); over several templates
    of one analysis the Rollout is InvalidSpec (`two metrics have the same name`).""",
    fix="rename one of them",
    bad=metrics(f"""
    - name: verdict
      successCondition: result.verdict == "pass"
      {_WEB}
    - name: verdict
      successCondition: result.verdict == "sure"
      {_WEB}
    """),
    good=metrics(f"""
    - name: verdict
      successCondition: result.verdict == "pass"
      {_WEB}
    - name: enough
      successCondition: result.count > 100
      {_WEB}
    """),
)
def twin_metrics(world: World) -> Iterator[Hit]:
    """Metrics that share a name, in one object or in one analysis."""
    for item in world.analyses:
        seen: set[str] = set()
        for index, metric in entries(item.get(*_METRICS)):
            name = text_of(metric.get("name"))
            if name in seen:
                yield Hit(
                    item=item, path=(*_METRICS, index, "name"), reason=f"duplicate name {name!r}"
                )
            seen.add(name)
    for use in world.uses:
        owners: dict[str, Item] = {}
        for each in use.templates:
            for _, metric in entries(each.get(*_METRICS)):
                name = text_of(metric.get("name"))
                earlier = owners.setdefault(name, each)
                if earlier is not each:
                    yield Hit(
                        item=use.rollout,
                        path=(*use.path, "templates"),
                        reason=f"two metrics have the same name {name!r}: "
                        f"in {earlier.name} and in {each.name}",
                    )


@rule(
    "GL303",
    Severity.ERROR,
    "limit out of range",
    why="""Argo checks limits when the run begins, in the middle of a rollout, and ends it in
    Error: negative limits are invalid, except failureLimit -1, which needs a
    consecutiveSuccessLimit.""",
    fix="give a limit of 0 or more",
    bad=metrics(_metric("count: 3\n      interval: 30s\n      failureLimit: -1")),
    good=metrics(_metric("count: 3\n      interval: 30s\n      failureLimit: 1")),
)
def limit_range(world: World) -> Iterator[Hit]:
    """Argo's checks of each limit by itself."""
    yield from _by_engine(world, limit_problem, _limit_field)


def _limit_field(problem: str) -> str:
    return problem.partition(" ")[0]


@rule(
    "GL304",
    Severity.ERROR,
    "count smaller than its limits",
    why="""Argo ends the run in Error when the limits could not be reached within `count`
    measurements.""",
    fix="raise count, or lower the limit",
    bad=metrics(_metric("count: 3\n      interval: 30s\n      failureLimit: 4")),
    good=metrics(_metric("count: 5\n      interval: 30s\n      failureLimit: 4")),
)
def count_too_small(world: World) -> Iterator[Hit]:
    """Argo's checks of count against the limits."""

    def problem(metric: Metric) -> str:
        return count_problem(metric) if metric.count > 0 else ""

    yield from _by_engine(world, problem, lambda _: "count")


@rule(
    "GL305",
    Severity.ERROR,
    "interval or delay that Argo cannot use",
    why="""Durations are Go's: `30s`, `5m`, `1h30m`. `30`, `1d` and `5 min` are none. More than
    one measurement needs an interval. The run ends in Error when it begins.""",
    fix="write a Go duration such as 30s",
    bad=metrics(_metric("count: 3\n      interval: 1d")),
    good=metrics(_metric("count: 3\n      interval: 24h")),
)
def bad_times(world: World) -> Iterator[Hit]:
    """Argo's checks of interval and initialDelay."""

    def field(problem: str) -> str:
        return "initialDelay" if "startDelay" in problem else "interval"

    yield from _by_engine(world, time_problem, field)


@rule(
    "GL306",
    Severity.ERROR,
    "not exactly one provider",
    why="A metric has one source. With none or with several the run ends in Error when it begins.",
    fix="keep one provider; make two metrics of two",
    bad=metrics("""
    - name: verdict
      successCondition: len(result) > 0
      provider:
        web: {url: https://analyzer.example/v1/analysis}
        prometheus: {address: https://prometheus.example, query: up}
    """),
    good=metrics(_metric("count: 1")),
)
def one_provider(world: World) -> Iterator[Hit]:
    """Argo's check of the provider."""
    yield from _by_engine(world, provider_problem, lambda _: "provider")


def _by_engine(
    world: World, check: Callable[[Metric], str], field: Callable[[str], str]
) -> Iterator[Hit]:
    for each in world.metrics:
        problem = check(each.metric)
        if problem:
            yield _hit(each, field(problem), problem)


def _hit(each: MetricAt, field: str, reason: str, fix: str = "") -> Hit:
    path = each.at(field) if field in each.raw else each.path
    return Hit(
        item=each.owner,
        path=path,
        reason=f"metric {each.name!r}: {reason}",
        fix=fix,
    )


@rule(
    "GL307",
    Severity.ERROR,
    "text where a number is meant",
    why="""`count` and the limits may be text, for an argument to fill. Text that is no whole
    number counts as 0, without a word: `"50%"` is 0, and a count of 0 with an interval has no
    end.""",
    fix="give a whole number",
    bad=metrics(_metric('count: 4\n      interval: 30s\n      failureLimit: "50%"')),
    good=metrics(_metric("count: 4\n      interval: 30s\n      failureLimit: 2")),
)
def text_as_zero(world: World) -> Iterator[Hit]:
    """Texts that Argo reads as 0."""
    for each in world.metrics:
        for field in (
            "count",
            "failureLimit",
            "inconclusiveLimit",
            "consecutiveErrorLimit",
            "consecutiveSuccessLimit",
        ):
            value = each.resolved.get(field)
            unknown = any(
                each.given.get(tag.removeprefix("args."), _DUMMY).origin is not Origin.VALUE
                for tag in tags_in(text_of(each.raw.get(field)))
            )
            if isinstance(value, str) and not unknown and not _is_integer(value):
                yield _hit(each, field, f"{field} {value!r} is no whole number and counts as 0")


def _is_integer(text: str) -> bool:
    return text.removeprefix("-").removeprefix("+").isdecimal() and text.isascii()


@rule(
    "GL308",
    Severity.ERROR,
    "failureLimit that is never exceeded",
    why="""A metric fails when more than failureLimit measurements have failed. With a limit of
    `count` that cannot happen: all of them may fail, and the metric is Successful.""",
    fix="lower failureLimit: 0 fails at the first failure, 1 tolerates one",
    bad=metrics(_metric("count: 3\n      interval: 30s\n      failureLimit: 3")),
    good=metrics(_metric("count: 3\n      interval: 30s\n      failureLimit: 1")),
)
def never_fails(world: World) -> Iterator[Hit]:
    """Counts that are reached before the limit is exceeded."""
    for each in world.metrics:
        metric = each.metric
        count = metric.effective_count
        if count is None or count <= 0 or metric.consecutive_success_limit > 0:
            continue
        if metric.failure_limit >= count and (count > 1 or metric.failure_limit == 1):
            if count_problem(metric):
                continue
            yield _hit(
                each,
                "failureLimit",
                f"{count} of {count} measurements may fail and it is Successful: it fails at more "
                f"than {metric.failure_limit} failures, and there are {count} measurements",
            )


@rule(
    "GL309",
    Severity.ERROR,
    "inconclusiveLimit that is never exceeded",
    why="""A metric is inconclusive when more than inconclusiveLimit measurements were. With a
    limit of `count` that cannot happen: a source that never knows the answer ends Successful.""",
    fix="lower inconclusiveLimit, or set consecutiveSuccessLimit so that a pass is demanded",
    bad=metrics("""
    - name: verdict
      count: 4
      interval: 30s
      inconclusiveLimit: 4
      successCondition: result.verdict == "pass"
      failureCondition: result.verdict == "fail"
      provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
    good=metrics("""
    - name: verdict
      count: 4
      interval: 30s
      inconclusiveLimit: 4
      consecutiveSuccessLimit: 1
      successCondition: result.verdict == "pass"
      failureCondition: result.verdict == "fail"
      provider: {web: {url: https://analyzer.example/v1/analysis}}
    """),
)
def never_inconclusive(world: World) -> Iterator[Hit]:
    """Counts that are reached before the limit of inconclusive measurements is exceeded."""
    for each in world.metrics:
        metric = each.metric
        count = metric.effective_count
        both = bool(metric.success_condition and metric.failure_condition)
        if count is None or count <= 0 or not both or metric.consecutive_success_limit > 0:
            continue
        if metric.inconclusive_limit >= count and not count_problem(metric):
            yield _hit(
                each,
                "inconclusiveLimit",
                f"{count} of {count} measurements may be inconclusive and it is Successful",
            )


@rule(
    "GL310",
    Severity.WARNING,
    "consecutiveErrorLimit so high that an outage is waited out",
    why="""An Error is retried after 10 s, whatever the interval. Each unit of the limit is 10 s
    more in which the canary takes traffic and nobody can tell how it is doing.""",
    fix="leave it at 4, which rides out 40 s",
    bad=metrics(_metric("count: 3\n      interval: 30s\n      consecutiveErrorLimit: 60")),
    good=metrics(_metric("count: 3\n      interval: 30s\n      consecutiveErrorLimit: 4")),
)
def patient_with_errors(world: World) -> Iterator[Hit]:
    """High limits of consecutive errors."""
    for each in world.metrics:
        limit = each.metric.consecutive_error_limit
        if limit > _PATIENT_ERROR_LIMIT:
            minutes = limit * _ERROR_RETRY_SECONDS / 60
            yield _hit(
                each,
                "consecutiveErrorLimit",
                f"the source may be silent for {minutes:.0f} min before the run ends in Error",
            )


@rule(
    "GL311",
    Severity.ERROR,
    "analysis without an end where the rollout waits for one",
    why="""A metric with an interval and no count never ends by itself. In a step, or before or
    after a promotion, Argo refuses the Rollout. Arguments without a default count as
    `dummy-value` in this check, which is 0: so `count: "{{args.n}}"` is refused even if the
    Rollout gives n.""",
    fix="set count; give an argument that fills it a numeric default in the template",
    bad=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    steps:
      - setWeight: 20
      - pause: {duration: 2m}
      - analysis:
          templates: [{templateName: counted}]
          args: [{name: looks, value: "5"}]
    """,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: counted}
    spec:
      args: [{name: looks}]
      metrics:
        - name: verdict
          count: "{{args.looks}}"
          interval: 30s
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
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
          templates: [{templateName: counted}]
          args: [{name: looks, value: "5"}]
    """,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: counted}
    spec:
      args: [{name: looks, value: "3"}]
      metrics:
        - name: verdict
          count: "{{args.looks}}"
          interval: 30s
          successCondition: result.verdict == "pass"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
)
def endless(world: World) -> Iterator[Hit]:
    """Indefinite metrics in analyses that a rollout waits for."""
    for each in world.metrics:
        if each.use is None or not each.use.finite:
            continue
        checked = Metric.from_json(_with_defaults_alone(each))
        if checked.effective_count is None:
            shown = each.raw.get("count", "not set")
            supplied = each.metric.effective_count is not None
            yield _hit(
                each,
                "count",
                f"runs indefinitely; count is {shown}"
                + (": the Rollout's value does not help, give the argument a default" * supplied),
            )


def _with_defaults_alone(each: MetricAt) -> dict[str, object]:
    """Return the metric as Argo's check of the Rollout sees it."""
    defaults = {
        name: given if _has_default(each.owner, name) else _DUMMY
        for name, given in each.given.items()
    }
    kept = {"name": each.name, "interval": each.metric.interval}
    count = filled(each.raw.get("count"), defaults)
    return kept | ({"count": count} if isinstance(count, int | str) else {})


def _has_default(template: Item, name: str) -> bool:
    return any(
        arg.get("name") == name and isinstance(arg.get("value"), str)
        for _, arg in entries(template.get("spec", "args"))
    )


@rule(
    "GL312",
    Severity.WARNING,
    "negative count",
    why="Argo takes it, and it is reached after the first measurement.",
    fix="set count to the number of measurements",
    bad=metrics(_metric("count: -1\n      interval: 30s")),
    good=metrics(_metric("count: 3\n      interval: 30s")),
)
def negative_count(world: World) -> Iterator[Hit]:
    """Counts below 0."""
    for each in world.metrics:
        if each.metric.count < 0:
            yield _hit(each, "count", f"count {each.metric.count} is reached by one measurement")


_TWO: Final = """
      - name: error-rate
        count: 3
        interval: 30s
        successCondition: result.errorRate < 2
        provider: {web: {url: "https://apm.example/v1/metrics?hash=a&metric=errorRate"}}
      - name: http-error-rate
        count: 3
        interval: 30s
        successCondition: result.httpErrorRate < 2
        provider: {web: {url: "https://apm.example/v1/metrics?hash=a&metric=httpErrorRate"}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pattern:
    """A rule that selects metrics: on a template, a run or an analysis of a Rollout."""

    item: Item
    path: Path
    field: str
    text: str
    names: list[str]


def _patterns(world: World) -> Iterator[_Pattern]:
    places: list[tuple[Item, Path, list[str]]] = [
        (item, ("spec",), _names_with(world, item)) for item in world.analyses
    ]
    places += [(use.rollout, use.path, _names_of(use.templates)) for use in world.uses]
    for item, base, names in places:
        for field in ("dryRun", "measurementRetention"):
            for index, entry in entries(item.get(*base, field)):
                text = text_of(entry.get("metricName"))
                if text and not tags_in(text) and names:
                    path = (*base, field, index, "metricName")
                    yield _Pattern(item=item, path=path, field=field, text=text, names=names)


def _selected(field: str, pattern: str, names: list[str]) -> list[str] | str:
    """Return the metrics that a rule selects, or what the engine says."""
    try:
        if field == "dryRun":
            return sorted(dry_run_metrics((pattern,), names))
        rule_of_one = MeasurementRetention(metric_name=pattern)
        return sorted(retention_limits((rule_of_one,), names))
    except AnalysisError as error:
        return str(error).partition(": ")[2]


def _names_with(world: World, item: Item) -> list[str]:
    """Return the metrics that stand beside the object's own in some analysis."""
    return _names_of([item, *(each for use in world.uses_of(item) for each in use.templates)])


def _names_of(owners: Iterable[Item]) -> list[str]:
    found = [
        text_of(metric.get("name")) for each in owners for _, metric in entries(each.get(*_METRICS))
    ]
    return list(dict.fromkeys(found))


@rule(
    "GL313",
    Severity.ERROR,
    "dryRun or measurementRetention rule that matches no metric",
    why="""`metricName` is a Go regular expression. One that matches no metric ends the run in
    Error. `*` is no regular expression, though the field's own description promises a wildcard.""",
    fix="name a metric; `.*` stands for all",
    bad=template(f"""
    dryRun:
      - metricName: "*"
    metrics:{_TWO}
    """),
    good=template(f"""
    dryRun:
      - metricName: ^http-error-rate$
    metrics:{_TWO}
    """),
)
def matches_nothing(world: World) -> Iterator[Hit]:
    """Rules that select no metric."""
    for each in _patterns(world):
        found = _selected(each.field, each.text, each.names)
        if isinstance(found, str):
            yield Hit(
                item=each.item,
                path=each.path,
                reason=f"{each.text!r}: {found}; metrics: {', '.join(each.names)}",
            )


@rule(
    "GL314",
    Severity.WARNING,
    "dryRun or measurementRetention rule that matches more than it names",
    why="""The regular expression is not anchored: `error-rate` selects `http-error-rate` as well.
    A metric that is dry-run by accident fails nothing.""",
    fix="anchor it: `^error-rate$`",
    bad=template(f"""
    dryRun:
      - metricName: error-rate
    metrics:{_TWO}
      - name: verdict
        successCondition: result.verdict == "pass"
        {_WEB}
    """),
    good=template(f"""
    dryRun:
      - metricName: ^error-rate$
    metrics:{_TWO}
      - name: verdict
        successCondition: result.verdict == "pass"
        {_WEB}
    """),
)
def matches_too_much(world: World) -> Iterator[Hit]:
    """Rules that are the name of one metric and part of the name of another."""
    for each in _patterns(world):
        found = _selected(each.field, each.text, each.names)
        others = [name for name in found if name != each.text]
        if isinstance(found, list) and each.text in found and others:
            yield Hit(
                item=each.item,
                path=each.path,
                reason=f"{each.text!r} also selects {', '.join(others)}",
                fix=f"write ^{each.text}$",
            )


@rule(
    "GL315",
    Severity.WARNING,
    "every metric is a dry run",
    why="""A metric in dry run never makes the run bad. Where all of them are, the gate cannot
    fail: it is a report, and the rollout goes on whatever it says.""",
    fix="take the metrics that are to gate out of dryRun",
    bad=template(f"""
    dryRun:
      - metricName: .*
    metrics:{_TWO}
    """),
    good=template(f"""
    dryRun:
      - metricName: ^http-error-rate$
    metrics:{_TWO}
    """),
)
def all_dry(world: World) -> Iterator[Hit]:
    """Templates, and analyses, without a metric that counts."""
    places: list[tuple[Item, Path, list[str]]] = [
        (item, ("spec", "dryRun"), _names_with(world, item)) for item in world.analyses
    ]
    places += [(use.rollout, (*use.path, "dryRun"), _names_of(use.templates)) for use in world.uses]
    for item, path, names in places:
        dry: set[str] = set()
        for _, entry in entries(item.get(*path)):
            found = _selected("dryRun", text_of(entry.get("metricName")), names)
            dry.update(found if isinstance(found, list) else ())
        if names and dry.issuperset(names):
            yield Hit(
                item=item,
                path=path,
                reason=f"nothing counts: {', '.join(names)} are measured for show",
            )


@rule(
    "GL316",
    Severity.WARNING,
    "background analysis that stops watching",
    why="""A background metric with a count is done after count measurements. The rollout goes on,
    and what happens at its higher weights is watched by nobody.""",
    fix="leave count out: the metric then runs as long as the rollout does",
    bad=canary("""
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    analysis: {startingStep: 1, templates: [{templateName: gate}]}
    steps:
      - setWeight: 20
      - pause: {duration: 10m}
      - setWeight: 60
      - pause: {duration: 10m}
    """),
    good=canary(
        """
    canaryService: vote-canary
    stableService: vote
    trafficRouting: {nginx: {stableIngress: vote}}
    analysis: {startingStep: 1, templates: [{templateName: watch}]}
    steps:
      - setWeight: 20
      - pause: {duration: 10m}
      - setWeight: 60
      - pause: {duration: 10m}
    """,
        """
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: watch}
    spec:
      metrics:
        - name: verdict
          interval: 30s
          successCondition: result.verdict == "pass"
          failureCondition: result.verdict == "fail"
          provider: {web: {url: https://analyzer.example/v1/analysis}}
    """,
    ),
)
def stops_watching(world: World) -> Iterator[Hit]:
    """Background metrics that end by themselves."""
    for each in world.metrics:
        count = each.metric.effective_count
        if each.use is not None and each.use.role == "background" and count is not None:
            yield Hit(
                item=each.use.rollout,
                path=each.use.path,
                reason=f"metric {each.name!r} of {each.owner.name} ends after {count} "
                f"measurement{'s' * (count != 1)}; from then on nobody watches",
            )
