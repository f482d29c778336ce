"""GL4xx: conditions: do they compile, can they fail, and what do they say of no data?"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.conditions import assess
from rollout_runner.argo.expr import (
    ConditionError,
    Dialect,
    Floats,
    compile_condition,
    nodes,
    type_of,
)
from rollout_runner.argo.expr.checker import check
from rollout_runner.argo.expr.gotypes import is_bool, is_unknown
from rollout_runner.argo.expr.parser import parse
from rollout_runner.argo.types import Phase
from rollout_runner.lint.finding import Severity
from rollout_runner.lint.rule import Hit, metrics, rule
from rollout_runner.lint.samples import (
    Mentioned,
    Shapes,
    documents,
    mentioned,
    shapes_of,
    walk,
    without_data,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.world import MetricAt, World

_SUCCESS: Final = "successCondition"
_FAILURE: Final = "failureCondition"
_ENOUGH: Final = 4
_NUMERIC_TEXT: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?|true|false")
_NOT_EVALUATED: Final = ("job", "kayenta")


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a metric, parsed; `problem` says why where it cannot be."""

    field: str
    text: str
    tree: nodes.Node
    problem: str = ""


@lru_cache(maxsize=4096)
def _parsed(text: str, dialect: Dialect) -> tuple[nodes.Node, str]:
    try:
        return parse(text, dialect), ""
    except ConditionError as error:
        return nodes.Nil(), str(error)
    except RecursionError:
        return nodes.Nil(), "it is nested too deeply"


def conditions_of(each: MetricAt, world: World) -> list[Condition]:
    """Return the conditions of a metric that has a provider which evaluates them."""
    if any(each.block(name) is not None for name in _NOT_EVALUATED):
        return []
    found = []
    for field, text in (
        (_SUCCESS, each.metric.success_condition),
        (_FAILURE, each.metric.failure_condition),
    ):
        if text and "{{" not in text:
            tree, problem = _parsed(text, world.dialect)
            found.append(Condition(field=field, text=text, tree=tree, problem=problem))
    return found


def _hit(each: MetricAt, field: str, reason: str, fix: str = "") -> Hit:
    path = each.at(field) if field in each.raw else each.path
    return Hit(item=each.owner, path=path, reason=reason, fix=fix)


def _compiles(text: str, value: Any, dialect: Dialect) -> str:
    """Return the compiler's objection to a condition for results like a value; empty for none."""
    try:
        compile_condition(text, type_of(value), dialect)
    except ConditionError as error:
        return str(error)
    return ""


def _usable(each: MetricAt, world: World) -> tuple[list[Condition], Shapes] | None:
    """Return conditions that parse and fit some result; None if one does not."""
    shapes = shapes_of(each)
    found = conditions_of(each, world)
    if shapes is None or not found or any(condition.problem for condition in found):
        return None
    for condition in found:
        if all(_compiles(condition.text, value, world.dialect) for value in shapes.typical):
            return None
    return found, shapes


@rule(
    "GL401",
    Severity.ERROR,
    "condition that does not parse",
    why="""Conditions are not looked at before the first measurement. One that does not parse
    makes each measurement an Error; the fifth aborts the rollout.""",
    fix="correct the expression (expr-lang: `==`, `&&` or `and`, `nil`)",
    bad=metrics("""
    - name: latency
      successCondition: result.p99 =< 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result.p99 <= 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def unparsable(world: World) -> Iterator[Hit]:
    """Syntax errors, by the parser of the selected version."""
    for each in world.metrics:
        for condition in conditions_of(each, world):
            if condition.problem:
                modern = world.dialect is Dialect.V1_17
                other = Dialect.V1_15 if modern else Dialect.V1_17
                elsewhere = not _parsed(condition.text, other)[1]
                note = f" (Argo {'1.9' if modern else '1.10'} would take it)" if elsewhere else ""
                first = condition.problem.splitlines()[0]
                fix = ""
                if "EOF" in first:
                    fix = "was it cut off? In YAML ` #` begins a comment: put it in quotes"
                yield _hit(each, condition.field, f"{condition.text!r}: {first}{note}", fix)


@rule(
    "GL402",
    Severity.ERROR,
    "condition that cannot compile for what the provider gives",
    why="""A condition is compiled against the type of the actual result: Prometheus gives a list
    of floats, New Relic a row, a web provider what its jsonPath selects. `result < 0.05` on a
    list is no false, it is an Error, in every measurement.""",
    fix="take the value out of the result first: `result[0]`, `result.field`",
    bad=metrics("""
    - name: error-rate
      interval: 30s
      count: 3
      successCondition: result < 0.05
      provider: {prometheus: {address: https://prometheus.example, query: app:error_rate}}
    """),
    good=metrics("""
    - name: error-rate
      interval: 30s
      count: 3
      successCondition: len(result) > 0 and result[0] < 0.05
      provider: {prometheus: {address: https://prometheus.example, query: app:error_rate}}
    """),
)
def uncompilable(world: World) -> Iterator[Hit]:
    """Type errors that strike whatever the source answers."""
    for each in world.metrics:
        shapes = shapes_of(each)
        if shapes is None:
            continue
        for condition in conditions_of(each, world):
            if condition.problem:
                continue
            problems = [_compiles(condition.text, value, world.dialect) for value in shapes.typical]
            if all(problems):
                first = problems[0].splitlines()[0]
                fix = ""
                if "unknown name" in first and "-" in condition.text:
                    fix = "a field with a dash is written result['some-field']"
                yield _hit(each, condition.field, f"{condition.text!r}: {first}", fix)


@rule(
    "GL403",
    Severity.ERROR,
    "condition whose value is no boolean",
    why="""A condition must be true or false. A number or a text is an Error in every measurement:
    `expected bool, but got float64`.""",
    fix="compare the value with something",
    bad=metrics("""
    - name: latency
      successCondition: max(result.p50, result.p99)
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: max(result.p50, result.p99) < 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def not_boolean(world: World) -> Iterator[Hit]:
    """Conditions with another static type, or with another value on every result tried."""
    for each in world.metrics:
        usable = _usable(each, world)
        if usable is None:
            continue
        found, shapes = usable
        for condition in found:
            kind = _kind_of(condition, shapes, world.dialect)
            if kind:
                yield _hit(each, condition.field, f"{condition.text!r} is {kind}, no bool")


def _kind_of(condition: Condition, shapes: Shapes, dialect: Dialect) -> str:
    """Return what a condition gives instead of a bool; empty if it may give one."""
    kinds = set()
    for value in shapes.typical:
        try:
            kind = check(condition.tree, type_of(value), dialect)[condition.tree]
        except (ConditionError, RecursionError):
            continue
        if is_bool(kind) or is_unknown(kind):
            return _numeric_builtin(condition.tree)
        kinds.add(kind.name)
    return " or ".join(sorted(kinds))


def _numeric_builtin(tree: nodes.Node) -> str:
    """Name the type of arithmetic over unknown values, which is never a boolean."""
    arithmetic = isinstance(tree, nodes.Binary) and tree.operator in {"+", "-", "*", "/", "%", "**"}
    aggregate = isinstance(tree, nodes.Builtin) and tree.name in {
        "max",
        "min",
        "sum",
        "mean",
        "median",
        "len",
        "count",
        "abs",
        "round",
        "floor",
        "ceil",
    }
    return "a number" if arithmetic or aggregate else ""


@rule(
    "GL404",
    Severity.ERROR,
    "metric without a condition",
    why="""Without successCondition and failureCondition every measurement is Successful, whatever
    the source answers. (Argo's documentation says Inconclusive; the code does not.)""",
    fix="add a successCondition",
    bad=metrics("""
    - name: latency
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result.p99 < 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def no_condition(world: World) -> Iterator[Hit]:
    """Metrics that nothing is demanded of."""
    for each in world.metrics:
        metric = each.metric
        if len(metric.provider_names) != 1 or metric.provider_names[0] in _NOT_EVALUATED:
            continue
        if not metric.success_condition and not metric.failure_condition:
            yield _hit(each, "name", f"metric {each.name!r} is Successful whatever is measured")


@rule(
    "GL405",
    Severity.ERROR,
    "condition that is always the same",
    why="""A successCondition that nothing makes false lets everything pass; one that nothing
    makes true aborts every rollout. The condition was tried on many results of the type that the
    provider gives, around each number and text that it compares with.""",
    fix="compare the measured value with a limit that it can break",
    bad=metrics("""
    - name: latency
      successCondition: result.p99 >= 300 or result.p99 < 400
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result.p99 >= 0 and result.p99 < 400
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def constant(world: World) -> Iterator[Hit]:
    """Conditions that gave one answer for everything they were tried on."""
    for each in world.metrics:
        usable = _usable(each, world)
        if usable is None:
            continue
        found, shapes = usable
        for condition in found:
            answer = _only_answer(condition, shapes, world)
            if answer is not None:
                yield _hit(
                    each,
                    condition.field,
                    f"{condition.text!r} is {str(answer).lower()} whatever is measured",
                )


def _only_answer(condition: Condition, shapes: Shapes, world: World) -> bool | None:
    """Return the one answer that a condition has; None if there are two, or if it is unclear."""
    about = mentioned(condition.tree)
    if "result" not in about.names and not about.functions & {"isNil", "default", "now"}:
        answers = set(_answers(condition.text, shapes.typical, world.dialect))
        return answers.pop() if len(answers) == 1 else None
    answers_to = list(_answers(condition.text, documents(about, shapes), world.dialect))
    if len(answers_to) < _ENOUGH or len(set(answers_to)) > 1:
        return None
    answer = answers_to[0]
    # A pattern, a predicate or a computed value may be met by results that were not tried.
    unclear = about.has_pattern or about.has_predicate or about.functions
    return None if unclear and not answer else answer


def _answers(text: str, results: Any, dialect: Dialect) -> Iterator[bool]:
    for value in results:
        try:
            yield compile_condition(text, type_of(value), dialect).run(value, now=0.0)
        except (ConditionError, TypeError):
            continue


@rule(
    "GL406",
    Severity.WARNING,
    "success and failure both hold",
    why="""Where both conditions are true, failure wins. Results in the overlap that were meant to
    pass abort the rollout.""",
    fix="let the two leave a gap (Inconclusive), or drop failureCondition",
    bad=metrics("""
    - name: latency
      successCondition: result.p99 < 400
      failureCondition: result.p99 > 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result.p99 < 300
      failureCondition: result.p99 > 400
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def overlap(world: World) -> Iterator[Hit]:
    """Results for which both conditions are true."""
    for each in world.metrics:
        usable = _usable(each, world)
        if usable is None or len(usable[0]) < 2:
            continue
        (success, failure), shapes = usable
        about = _both(success, failure)
        for value in documents(about, shapes):
            answers = [
                list(_answers(condition.text, [value], world.dialect))
                for condition in (success, failure)
            ]
            if answers == [[True], [True]]:
                yield _hit(
                    each,
                    _FAILURE,
                    f"for {_shown(value)} both conditions hold, and it counts as Failed",
                )
                break


def _both(one: Condition, other: Condition) -> Mentioned:
    first, second = mentioned(one.tree), mentioned(other.tree)
    return Mentioned(
        paths=list(dict.fromkeys([*first.paths, *second.paths])),
        literals=[*first.literals, *second.literals],
        functions=first.functions | second.functions,
        names=first.names | second.names,
        has_predicate=first.has_predicate or second.has_predicate,
        has_pattern=first.has_pattern or second.has_pattern,
    )


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{key}: {_shown(each)}" for key, each in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_shown(each) for each in value)}]"
    if value is None:
        return "null"
    if isinstance(value, float):
        return f"{value:g}"
    return repr(value)


@rule(
    "GL407",
    Severity.ERROR,
    "isNil() or default() of a field",
    why="""Both ignore their argument and look at the whole result: `isNil(result.p99)` is false
    as soon as any object came back, and `default(result.p99, 0)` gives the object, which no
    number can be compared with.""",
    fix="write `result.p99 == nil` or `result.p99 ?? 0`",
    bad=metrics("""
    - name: latency
      successCondition: not isNil(result.p99) and result.p99 < 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result.p99 != nil and result.p99 < 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
)
def ignored_argument(world: World) -> Iterator[Hit]:
    """Calls of the two functions with anything but the whole result."""
    for each in world.metrics:
        for condition in conditions_of(each, world):
            for node in walk(condition.tree):
                name = _called(node)
                if name in {"isNil", "default"}:
                    argument = _first_argument(node)
                    whole = isinstance(argument, nodes.Identifier) and argument.name == "result"
                    if not whole:
                        yield _hit(
                            each,
                            condition.field,
                            f"{name}() ignores its argument and looks at the whole result",
                        )


def _called(node: nodes.Node) -> str:
    if isinstance(node, nodes.Call) and isinstance(node.callee, nodes.Identifier):
        return node.callee.name
    return ""


def _first_argument(node: nodes.Node) -> nodes.Node | None:
    return node.arguments[0] if isinstance(node, nodes.Call) and node.arguments else None


def _open_answers(each: MetricAt, world: World) -> Iterator[tuple[str, Any, Mentioned]]:
    """Yield what passes although there is no data."""
    usable = _usable(each, world)
    if usable is None:
        return
    found, shapes = usable
    about = _both(found[0], found[-1])
    if any(_only_answer(condition, shapes, world) is not None for condition in found):
        return  # told by another rule
    for words, value in without_data(about, shapes):
        phase, _ = assess(
            value,
            success_condition=each.metric.success_condition,
            failure_condition=each.metric.failure_condition,
            version=world.version,
            now=0.0,
        )
        if phase is Phase.SUCCESSFUL:
            yield words, value, about


@rule(
    "GL408",
    Severity.ERROR,
    "all() passes on an empty list",
    why="""`all([], …)` is true. When the source has no data it answers an empty list, and the
    measurement is Successful.""",
    fix="demand data as well: `len(result) > 0 and all(result, …)`",
    bad=metrics("""
    - name: success-rate
      successCondition: 'all(result, # >= 0.95)'
      provider: {prometheus: {address: https://prometheus.example, query: app:success_rate}}
    """),
    good=metrics("""
    - name: success-rate
      successCondition: 'len(result) > 0 and all(result, # >= 0.95)'
      provider: {prometheus: {address: https://prometheus.example, query: app:success_rate}}
    """),
)
def all_of_nothing(world: World) -> Iterator[Hit]:
    """Empty lists that pass by way of all() or none()."""
    for each in world.metrics:
        for words, value, about in _open_answers(each, world):
            if about.functions & {"all", "none"} and not value:
                yield _hit(each, _open_field(each), f"{words} passes: all() of nothing is true")


def _open_field(each: MetricAt) -> str:
    return _SUCCESS if each.metric.success_condition else _FAILURE


@rule(
    "GL409",
    Severity.ERROR,
    "no data passes",
    why="""The condition is met by an answer that holds no measurement: a missing field, a null,
    an empty list. A source that has nothing to say then reads as a healthy canary.""",
    fix="demand the value: a successCondition that a missing field makes false or an Error",
    bad=metrics("""
    - name: error-rate
      successCondition: (result.errorRate ?? 0) < 2
      provider: {web: {url: "https://apm.example/v1/metrics?hash=a&metric=errorRate"}}
    """),
    good=metrics("""
    - name: error-rate
      successCondition: result.errorRate < 2
      provider: {web: {url: "https://apm.example/v1/metrics?hash=a&metric=errorRate"}}
    """),
)
def passes_without_data(world: World) -> Iterator[Hit]:
    """Answers without data that are Successful."""
    for each in world.metrics:
        told = {
            words: None
            for words, value, about in _open_answers(each, world)
            if not _is_nan(value) and not (about.functions & {"all", "none"} and not value)
        }
        if told:
            yield _hit(each, _open_field(each), f"Successful on {', '.join(told)}")


def _is_nan(value: Any) -> bool:
    number = value[0] if isinstance(value, Floats) and value else value
    return isinstance(number, float) and number != number  # noqa: PLR0124 - what NaN is


@rule(
    "GL410",
    Severity.ERROR,
    "NaN passes",
    why="""A ratio without traffic is 0/0, which is NaN. Every comparison with NaN is false, so a
    failureCondition alone passes it, and so does `!=`.""",
    fix="use a successCondition, which NaN makes false; or test isNaN()",
    bad=metrics("""
    - name: error-rate
      failureCondition: result[0] > 0.05
      provider: {prometheus: {address: https://prometheus.example, query: app:error_rate}}
    """),
    good=metrics("""
    - name: error-rate
      successCondition: result[0] <= 0.05
      provider: {prometheus: {address: https://prometheus.example, query: app:error_rate}}
    """),
)
def nan_passes(world: World) -> Iterator[Hit]:
    """NaN that is Successful."""
    for each in world.metrics:
        for words, value, _ in _open_answers(each, world):
            if _is_nan(value):
                yield _hit(each, _open_field(each), f"Successful on {words}")


@rule(
    "GL411",
    Severity.WARNING,
    "number compared as text",
    why="""Equality across types is false, not an Error: `result.count == "12"` never holds for
    the JSON number 12, and `!=` always does.""",
    fix="write the number or the boolean without quotes",
    bad=metrics("""
    - name: replicas
      successCondition: result.count == "12"
      provider: {web: {url: https://apm.example/v1/count}}
    """),
    good=metrics("""
    - name: replicas
      successCondition: result.count == 12
      provider: {web: {url: https://apm.example/v1/count}}
    """),
)
def number_as_text(world: World) -> Iterator[Hit]:
    """Equality with a quoted number or boolean."""
    for each in world.metrics:
        for condition in conditions_of(each, world):
            for node in walk(condition.tree):
                if not isinstance(node, nodes.Binary) or node.operator not in {"==", "!="}:
                    continue
                for side in (node.left, node.right):
                    if (
                        isinstance(side, nodes.Literal)
                        and isinstance(side.value, str)
                        and _NUMERIC_TEXT.fullmatch(side.value)
                    ):
                        always = "false" if node.operator == "==" else "true"
                        yield _hit(
                            each,
                            condition.field,
                            f"{node.operator} {side.value!r} is {always} for the JSON value "
                            f"{side.value}; it only fits a text",
                        )


@rule(
    "GL412",
    Severity.WARNING,
    "condition that a job does not have",
    why="""A job passes or fails by its exit code. Its conditions are never evaluated: they read
    like a gate, and are none.""",
    fix="remove the condition and let the job exit with another code than 0, or use a web provider",
    bad=metrics("""
    - name: check
      successCondition: result == "healthy"
      provider:
        job:
          spec:
            backoffLimit: 0
            activeDeadlineSeconds: 60
            template:
              spec:
                restartPolicy: Never
                containers:
                  - {name: check, image: "registry.example/check:1.2", command: [/check]}
    """),
    good=metrics("""
    - name: check
      provider:
        job:
          spec:
            backoffLimit: 0
            activeDeadlineSeconds: 60
            template:
              spec:
                restartPolicy: Never
                containers:
                  - {name: check, image: "registry.example/check:1.2", command: [/check]}
    """),
)
def dead_in_a_job(world: World) -> Iterator[Hit]:
    """Conditions of job metrics."""
    for each in world.metrics:
        if each.block("job") is None:
            continue
        for field, text in (
            (_SUCCESS, each.metric.success_condition),
            (_FAILURE, each.metric.failure_condition),
        ):
            if text:
                yield _hit(each, field, f"{text!r} is never evaluated: only the exit code counts")


@rule(
    "GL413",
    Severity.WARNING,
    "condition compares a whole JSON document",
    why="""Without a jsonPath the result is the whole document. A number or a text to compare it
    with fits only an answer that is nothing but that value; an object is an Error.""",
    fix="select the value with jsonPath, or name its field: `result.field`",
    bad=metrics("""
    - name: latency
      successCondition: result < 300
      provider: {web: {url: https://apm.example/v1/latency}}
    """),
    good=metrics("""
    - name: latency
      successCondition: result < 300
      provider: {web: {url: https://apm.example/v1/latency, jsonPath: "{$.p99}"}}
    """),
)
def whole_document(world: World) -> Iterator[Hit]:
    """Conditions on whole documents that fit no object and no list."""
    for each in world.metrics:
        usable = _usable(each, world)
        if usable is None or not usable[1].whole:
            continue
        for condition in usable[0]:
            if mentioned(condition.tree).functions & {"isNil", "default"}:
                continue
            containers: tuple[Any, ...] = ({}, [])
            if all(_compiles(condition.text, value, world.dialect) for value in containers):
                yield _hit(
                    each,
                    condition.field,
                    f"{condition.text!r} is an Error for every answer that is an object or a list",
                )


@rule(
    "GL414",
    Severity.NOTE,
    "no data ends in an opaque Error",
    why="""`result[0]` of an empty vector is `index out of range`. That is closed: after five of
    them the run ends in Error and the rollout aborts. But nobody reads "no data" in it.""",
    fix="say what is meant: `len(result) > 0 and result[0] < …` fails, with a reason to be seen",
    bad=metrics("""
    - name: error-rate
      successCondition: result[0] < 0.05
      failureCondition: result[0] >= 0.05
      provider: {prometheus: {address: https://prometheus.example, query: app:error_rate}}
    """),
    good=metrics("""
    - name: error-rate
      successCondition: len(result) > 0 and result[0] < 0.05
      failureCondition: len(result) > 0 and result[0] >= 0.05
      provider: {prometheus: {address: https://prometheus.example, query: app:error_rate}}
    """),
)
def opaque_error(world: World) -> Iterator[Hit]:
    """Indices into a vector that may be empty, where a person is to decide (both conditions)."""
    for each in world.metrics:
        usable = _usable(each, world)
        if usable is None or usable[1].provider != "prometheus" or len(usable[0]) < 2:
            continue
        if not any(isinstance(value, Floats) for value in usable[1].typical):
            continue
        phase, message = assess(
            Floats([]),
            success_condition=each.metric.success_condition,
            failure_condition=each.metric.failure_condition,
            version=world.version,
        )
        if phase is Phase.ERROR:
            first = message.splitlines()[0]
            yield _hit(each, _SUCCESS, f"an empty vector is an Error: {first}")


@rule(
    "GL415",
    Severity.NOTE,
    "no traffic is judged as a bad release",
    why="""A ratio without traffic is 0/0, which is NaN, and NaN fails a successCondition that
    stands alone. That is closed, but it aborts a good release in a quiet hour: nothing tells
    "bad" from "no data".""",
    fix="add a failureCondition: NaN then meets neither, and is Inconclusive",
    bad=metrics("""
    - name: error-rate
      successCondition: len(result) > 0 and result[0] < 0.05
      provider:
        prometheus:
          address: https://prometheus.example
          query: sum(rate(errors_total[1m])) / sum(rate(all_total[1m]))
    """),
    good=metrics("""
    - name: error-rate
      successCondition: len(result) > 0 and result[0] < 0.05
      failureCondition: len(result) > 0 and result[0] >= 0.05
      provider:
        prometheus:
          address: https://prometheus.example
          query: sum(rate(errors_total[1m])) / sum(rate(all_total[1m]))
    """),
)
def nan_fails(world: World) -> Iterator[Hit]:
    """Ratios whose NaN is Failed, where only a successCondition is given."""
    for each in world.metrics:
        usable = _usable(each, world)
        block = each.block("prometheus")
        if usable is None or block is None or each.metric.failure_condition:
            continue
        if "/" not in str(block.get("query") or ""):
            continue
        for _, value in without_data(Mentioned(), usable[1]):
            if not _is_nan(value):
                continue
            phase, _ = assess(
                value,
                success_condition=each.metric.success_condition,
                failure_condition="",
                version=world.version,
                now=0.0,
            )
            if phase is Phase.FAILED:
                yield _hit(each, _SUCCESS, "0/0 is NaN, which is Failed like a bad value")
