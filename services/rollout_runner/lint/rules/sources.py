"""GL6xx: Prometheus and New Relic."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from rollout_runner.argo.conditions import assess
from rollout_runner.argo.expr import NrdbRow
from rollout_runner.argo.types import ArgoVersion, Phase
from rollout_runner.lint.finding import Severity
from rollout_runner.lint.objects import mapping, text_of
from rollout_runner.lint.rule import Hit, metrics, objects, rule, template
from rollout_runner.lint.rules.conditions import conditions_of
from rollout_runner.lint.rules.web import urlsplit_safely
from rollout_runner.lint.samples import mentioned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rollout_runner.lint.world import MetricAt, World

_OR_VALUE: Final = re.compile(
    r"\bor\s+(on\s*\([^)]*\)\s*)?(vector\s*\(\s*[0-9.]+\s*\)|[0-9.]+\b)", re.IGNORECASE
)
_FILTER: Final = re.compile(
    r"(?<![=!<>~])(==|!=|<=|>=|<|>)\s*(?!bool\b|=|~)-?[0-9.]+(e-?[0-9]+)?\s*\)?\s*$"
)
_MATCHERS: Final = re.compile(r"\{[^}]*\}|\"[^\"]*\"|'[^']*'")
_COUNTING: Final = re.compile(
    r"\b(count|sum|uniqueCount|rate|filter\s*\(\s*(count|sum))\s*\(", re.IGNORECASE
)
_SHARE: Final = re.compile(r"\bpercentage\s*\((?:[^()]|\([^()]*\))*\)", re.IGNORECASE)
_CONTROLLER_NAMESPACE: Final = "argo-rollouts"


def _of(world: World, provider: str) -> Iterator[tuple[MetricAt, dict[str, Any]]]:
    for each in world.metrics:
        block = each.block(provider)
        if block is not None:
            yield each, block


def _prometheus(query: str, condition: str = "len(result) > 0 and result[0] < 0.05") -> str:
    return f"""
    - name: error-rate
      count: 3
      interval: 30s
      successCondition: {condition}
      failureCondition: len(result) > 0 and result[0] >= 0.05
      provider:
        prometheus:
          address: https://prometheus.example
          query: {query}
    """


@rule(
    "GL601",
    Severity.ERROR,
    "query that turns no data into a number",
    why="""`or vector(0)` answers 0 where there are no series. With no traffic, a renamed metric
    or a scrape that has stopped, the error rate is 0 and the gate passes.""",
    fix="remove it, and let the condition demand data: `len(result) > 0 and …`",
    bad=metrics(_prometheus("sum(rate(errors_total[1m])) / sum(rate(all_total[1m])) or vector(0)")),
    good=metrics(_prometheus("sum(rate(errors_total[1m])) / sum(rate(all_total[1m]))")),
)
def or_vector(world: World) -> Iterator[Hit]:
    """Fallbacks in PromQL."""
    for each, block in _of(world, "prometheus"):
        found = _OR_VALUE.search(_MATCHERS.sub("", text_of(block.get("query"))))
        if found:
            yield Hit(
                item=each.owner,
                path=each.at("provider", "prometheus", "query"),
                reason=f"`{found[0]}` is what the gate reads when there is no data",
            )


@rule(
    "GL602",
    Severity.WARNING,
    "comparison inside of the query",
    why="""A comparison in PromQL does not answer true or false: it drops the series that do not
    meet it. A bad value becomes an empty vector, which the condition then sees as no data.""",
    fix="compare in the condition; `> bool` answers 0 or 1",
    bad=metrics(_prometheus("app:error_rate > 0.05", "len(result) == 1 and result[0] < 0.01")),
    good=metrics(_prometheus("app:error_rate")),
)
def filter_in_query(world: World) -> Iterator[Hit]:
    """Queries that end in a comparison with a number."""
    for each, block in _of(world, "prometheus"):
        found = _FILTER.search(_MATCHERS.sub("", text_of(block.get("query"))).strip())
        if found:
            yield Hit(
                item=each.owner,
                path=each.at("provider", "prometheus", "query"),
                reason=f"`{found[0].strip()}` drops series instead of judging them",
            )


@rule(
    "GL603",
    Severity.ERROR,
    "address that is no URL",
    why="""The Prometheus provider needs scheme and host; without an address it takes the variable
    ARGO_ROLLOUTS_PROMETHEUS_ADDRESS of the controller, which the manifest does not show.""",
    fix="write the address with its scheme: `http://prometheus.monitoring:9090`",
    bad=metrics("""
    - name: error-rate
      successCondition: len(result) > 0 and result[0] < 0.05
      provider: {prometheus: {address: "prometheus:9090", query: app:error_rate}}
    """),
    good=metrics("""
    - name: error-rate
      successCondition: len(result) > 0 and result[0] < 0.05
      provider: {prometheus: {address: "http://prometheus:9090", query: app:error_rate}}
    """),
)
def prometheus_address(world: World) -> Iterator[Hit]:
    """Addresses that the provider refuses."""
    for each, block in _of(world, "prometheus"):
        address = text_of(block.get("address"))
        url = urlsplit_safely(address)
        if not address or address == "1" or "{{" in address:
            continue
        if url is None or not url.scheme or not url.netloc:
            yield Hit(
                item=each.owner,
                path=each.at("provider", "prometheus", "address"),
                reason=f"{address!r}: prometheus address is not is url format",
            )


@rule(
    "GL604",
    Severity.ERROR,
    "negative timeout",
    why="""Prometheus refuses it when the provider is made, New Relic in each measurement
    (`timeout value needs to be a positive value`). For Prometheus 0 is a deadline that has passed
    already.""",
    fix="give the seconds, or leave it out",
    bad=metrics("""
    - name: errors
      successCondition: result.errors < 5
      provider:
        newRelic: {timeout: -1, query: SELECT average(errors) AS errors FROM Metric}
    """),
    good=metrics("""
    - name: errors
      successCondition: result.errors < 5
      provider:
        newRelic: {timeout: 10, query: SELECT average(errors) AS errors FROM Metric}
    """),
)
def negative_timeout(world: World) -> Iterator[Hit]:
    """Timeouts that end before they begin."""
    for provider, least in (("prometheus", 1), ("newRelic", 0)):
        for each, block in _of(world, provider):
            timeout = block.get("timeout")
            if isinstance(timeout, int) and timeout < least:
                yield Hit(
                    item=each.owner,
                    path=each.at("provider", provider, "timeout"),
                    reason=f"a timeout of {timeout} s makes every measurement an Error",
                )


@rule(
    "GL605",
    Severity.WARNING,
    "count that is 0 without telemetry",
    why="""`count(*)` and its kin answer 0 where nothing was reported: an agent that does not
    start, a misspelt application, an expired key. A gate on "few errors" then passes.""",
    fix="ask for a share of the traffic, and for the traffic as well: `result.total > 100 and …`",
    bad=metrics("""
    - name: errors
      successCondition: result.errors < 5
      provider:
        newRelic:
          query: SELECT count(*) AS errors FROM TransactionError SINCE 1 minute ago
    """),
    good=metrics("""
    - name: errors
      successCondition: result.total > 100 and result.errors < 5
      provider:
        newRelic:
          query: >-
            SELECT filter(count(*), WHERE error IS true) AS errors, count(*) AS total
            FROM Transaction SINCE 1 minute ago
    """),
)
def counts_nothing(world: World) -> Iterator[Hit]:
    """Rows of zeros that are Successful."""
    for each, block in _of(world, "newRelic"):
        if not _COUNTING.search(_SHARE.sub("", text_of(block.get("query")))):
            continue
        found = conditions_of(each, world)
        if not found or any(condition.problem for condition in found):
            continue
        fields = {
            str(path[0]): 0.0
            for condition in found
            for path in mentioned(condition.tree).paths
            if path
        }
        if not fields:
            continue
        phase, _ = assess(
            NrdbRow(fields),
            success_condition=each.metric.success_condition,
            failure_condition=each.metric.failure_condition,
            version=world.version,
            now=0.0,
        )
        if phase is Phase.SUCCESSFUL:
            zeros = ", ".join(f"{name} = 0" for name in fields)
            yield Hit(
                item=each.owner,
                path=each.at("provider", "newRelic", "query"),
                reason=f"with no telemetry at all it answers {zeros}, which is Successful",
            )


@rule(
    "GL606",
    Severity.WARNING,
    "New Relic Secret in a namespace that is not read",
    why="""The newRelic provider reads its Secret (`profile`, by default `newrelic`) in the
    namespace of the controller, not in that of the Rollout. A Secret beside the template is never
    found.""",
    fix="create the Secret in the namespace of the controller, by default argo-rollouts",
    bad=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: gate, namespace: shop}
    spec:
      metrics:
        - name: errors
          successCondition: result.share < 2
          provider:
            newRelic: {query: "SELECT percentage(count(*), WHERE error) AS share FROM Transaction"}
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: newrelic, namespace: shop}
    stringData: {personal-api-key: NRAK, account-id: "1"}
    """),
    good=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: gate, namespace: shop}
    spec:
      metrics:
        - name: errors
          successCondition: result.share < 2
          provider:
            newRelic: {query: "SELECT percentage(count(*), WHERE error) AS share FROM Transaction"}
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: newrelic, namespace: argo-rollouts}
    stringData: {personal-api-key: NRAK, account-id: "1"}
    """),
)
def secret_elsewhere(world: World) -> Iterator[Hit]:
    """Profiles whose Secret is among the manifests, but only elsewhere."""
    for each, block in _of(world, "newRelic"):
        profile = text_of(block.get("profile")) or "newrelic"
        named = [item for item in world.of("Secret") if item.name == profile]
        right = any(item.namespace in {None, _CONTROLLER_NAMESPACE} for item in named)
        if named and not right:
            yield Hit(
                item=each.owner,
                path=each.at("provider", "newRelic"),
                reason=f"the Secret {profile!r} is in namespace {named[0].namespace}; the provider "
                "reads the controller's namespace",
            )


@rule(
    "GL607",
    Severity.ERROR,
    "Secret without the keys of New Relic",
    why="""The provider needs `personal-api-key` and `account-id` in its Secret; otherwise every
    measurement is an Error: `account ID or personal API key not found`.""",
    fix="add the missing keys to the Secret",
    bad=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: gate, namespace: shop}
    spec:
      metrics:
        - name: errors
          successCondition: result.share < 2
          provider:
            newRelic: {query: "SELECT percentage(count(*), WHERE error) AS share FROM Transaction"}
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: newrelic, namespace: argo-rollouts}
    stringData: {api-key: NRAK, account-id: "1"}
    """),
    good=objects("""
    apiVersion: argoproj.io/v1alpha1
    kind: AnalysisTemplate
    metadata: {name: gate, namespace: shop}
    spec:
      metrics:
        - name: errors
          successCondition: result.share < 2
          provider:
            newRelic: {query: "SELECT percentage(count(*), WHERE error) AS share FROM Transaction"}
    ---
    apiVersion: v1
    kind: Secret
    metadata: {name: newrelic, namespace: argo-rollouts}
    stringData: {personal-api-key: NRAK, account-id: "1"}
    """),
)
def keys_missing(world: World) -> Iterator[Hit]:
    """Secrets of a profile with a key missing."""
    for each, block in _of(world, "newRelic"):
        profile = text_of(block.get("profile")) or "newrelic"
        for item in world.of("Secret"):
            if item.name != profile or item.namespace not in {None, _CONTROLLER_NAMESPACE}:
                continue
            held = {*(item.get("data") or {}), *(item.get("stringData") or {})}
            missing = [key for key in ("personal-api-key", "account-id") if key not in held]
            if missing:
                yield Hit(
                    item=item,
                    path=(),
                    reason=f"metric {each.name!r} needs {' and '.join(missing)} in it",
                )


@rule(
    "GL608",
    Severity.ERROR,
    "field that the release does not know",
    why="""Prometheus' `authentication.basicAuth` came with Argo Rollouts 1.10. Before, it is an
    unknown field: dropped, so that the request goes out without credentials.""",
    fix="send the Authorization header from a Secret, or use Argo Rollouts 1.10",
    bad=template("""
    args: [{name: password, valueFrom: {secretKeyRef: {name: prometheus, key: password}}}]
    metrics:
      - name: error-rate
        successCondition: len(result) > 0 and result[0] < 0.05
        provider:
          prometheus:
            address: https://prometheus.example
            query: app:error_rate
            authentication: {basicAuth: {username: gate, password: "{{args.password}}"}}
    """),
    good=template("""
    args: [{name: basic, valueFrom: {secretKeyRef: {name: prometheus, key: header}}}]
    metrics:
      - name: error-rate
        successCondition: len(result) > 0 and result[0] < 0.05
        provider:
          prometheus:
            address: https://prometheus.example
            query: app:error_rate
            headers: [{key: Authorization, value: "{{args.basic}}"}]
    """),
)
def too_new(world: World) -> Iterator[Hit]:
    """Fields of 1.10, for the releases before."""
    if world.version is ArgoVersion.V1_10:
        return
    for each, block in _of(world, "prometheus"):
        if mapping(block.get("authentication")).get("basicAuth") is not None:
            yield Hit(
                item=each.owner,
                path=each.at("provider", "prometheus", "authentication", "basicAuth"),
                reason=f"Argo {world.version} does not know basicAuth",
            )
