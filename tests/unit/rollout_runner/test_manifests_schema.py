from __future__ import annotations

import textwrap
from typing import Any

import pytest

from rollout_runner.manifests.load import Manifests, read_manifests
from rollout_runner.manifests.model import dotted
from rollout_runner.manifests.render import Source
from svckit.errors import InvalidInput

ROLLOUT = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {{name: vote}}
spec:
  selector: {{matchLabels: {{app: vote}}}}
  template: {{metadata: {{labels: {{app: vote}}}}}}
  strategy:
    canary:
      steps:
        - setWeight: 20
        - {step}
"""
REFUSED = "the API server would refuse it too"
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {{name: t}}
spec:
  args:
    - {arg}
  metrics:
    - name: m
      {metric}
"""
PROVIDER = "provider: {web: {url: http://x/}}"


def load(text: str) -> Manifests:
    """Read a text called `f.yaml`."""
    return read_manifests([Source(name="f.yaml", text=textwrap.dedent(text))])


def refusal(text: str) -> InvalidInput:
    """Return the error that reading a text ends in."""
    with pytest.raises(InvalidInput) as caught:
        load(text)
    return caught.value


def rollout(step: str) -> str:
    """Return a Rollout with one more step."""
    return ROLLOUT.format(step=step)


def template(metric: str = PROVIDER, arg: str = "name: a") -> str:
    """Return a template with one metric and one argument."""
    return TEMPLATE.format(metric=metric, arg=arg)


STEP = "spec.strategy.canary.steps[1]"


@pytest.mark.parametrize(
    ("step", "said", "hint"),
    [
        pytest.param(
            "pause: {durations: 2m}",
            f"{STEP}.pause.durations: unknown field",
            "did you mean `duration`?",
            id="misspelt",
        ),
        pytest.param(
            "setweight: 50",
            f"{STEP}.setweight: unknown field",
            "did you mean `setWeight`?",
            id="wrong-case",
        ),
        pytest.param(
            "wibble: 50",
            f"{STEP}.wibble: unknown field",
            "known fields: analysis, experiment, pause, plugin, setCanaryScale, setHeaderRoute, "
            "setMirrorRoute, setWeight",
            id="nothing-close",
        ),
        pytest.param(
            'setWeight: "50"',
            f"{STEP}.setWeight: expected a whole number, got the text '50'",
            REFUSED,
            id="text-for-number",
        ),
        pytest.param(
            "setWeight: 12.5",
            f"{STEP}.setWeight: expected a whole number, got the number 12.5",
            REFUSED,
            id="fraction",
        ),
        pytest.param(
            "setWeight: true",
            f"{STEP}.setWeight: expected a whole number, got true",
            REFUSED,
            id="boolean-for-number",
        ),
        pytest.param(
            "setWeight: 3000000000",
            f"{STEP}.setWeight: Input should be less than or equal to 2147483647",
            REFUSED,
            id="too-large",
        ),
        pytest.param(
            "pause: {duration: [1]}",
            f"{STEP}.pause.duration: expected a whole number or text, got a list",
            REFUSED,
            id="list-for-duration",
        ),
        pytest.param(
            "pause: {duration: off}",
            f"{STEP}.pause.duration: expected a whole number or text, got false",
            REFUSED,
            id="boolean-for-duration",
        ),
        pytest.param(
            "pause:",
            f"{STEP}.pause: expected a value, got null",
            "leave the field out, or give it a value (`{}` for an empty mapping)",
            id="null",
        ),
        pytest.param(
            "pause: 30s",
            f"{STEP}.pause: expected a mapping, got the text '30s'",
            REFUSED,
            id="text-for-mapping",
        ),
        pytest.param(
            "analysis: {templates: {templateName: t}}",
            f"{STEP}.analysis.templates: expected a list, got a mapping",
            REFUSED,
            id="mapping-for-list",
        ),
        pytest.param(
            "analysis: {args: [{name: error-threshold, value: 2}]}",
            f"{STEP}.analysis.args[0].value: expected text, got the number 2",
            'put it in quotes: "2"',
            id="unquoted-number",
        ),
        pytest.param(
            "analysis: {args: [{name: flag, value: yes}]}",
            f"{STEP}.analysis.args[0].value: expected text, got true",
            'put it in quotes: "yes"',
            id="unquoted-boolean",
        ),
        pytest.param(
            "analysis: {args: [{value: x}]}",
            f"{STEP}.analysis.args[0].name: required field is missing",
            "add `name` to spec.strategy.canary.steps[1].analysis.args[0]",
            id="missing",
        ),
        pytest.param(
            "analysis: {args: [{name: k, valueFrom: {secretKeyRef: {name: s, key: k}}}]}",
            f"{STEP}.analysis.args[0].valueFrom.secretKeyRef: unknown field",
            "known fields: fieldRef, podTemplateHashValue",
            id="secret-in-rollout",
        ),
        pytest.param(
            "setMirrorRoute: {name: r, match: [{headers: {x: {exakt: a}}}]}",
            f"{STEP}.setMirrorRoute.match[0].headers.x.exakt: unknown field",
            "did you mean `exact`?",
            id="inside-a-map",
        ),
    ],
)
def test_wrong_field_of_a_rollout(step: str, said: str, hint: str) -> None:
    """The error names file and line, object, field and what was expected; the hint, the remedy."""
    error = refusal(rollout(step))
    assert error.detail == f"f.yaml:11: Rollout/vote: {said}"
    assert error.hint == hint


@pytest.mark.parametrize(
    ("metric", "arg", "said"),
    [
        pytest.param("count: 1", "name: a", "spec.metrics[0].provider: required", id="provider"),
        pytest.param(
            "provider: {web: {jsonPath: x}}",
            "name: a",
            "spec.metrics[0].provider.web.url: required field is missing",
            id="url",
        ),
        pytest.param(
            "provider: {web: {url: u, timeoutSeconds: 30s}}",
            "name: a",
            "spec.metrics[0].provider.web.timeoutSeconds: expected a whole number",
            id="timeout",
        ),
        pytest.param(
            "provider: {web: {url: u, header: []}}",
            "name: a",
            "spec.metrics[0].provider.web.header: unknown field",
            id="header",
        ),
        pytest.param(
            "provider: {webb: {url: u}}",
            "name: a",
            "spec.metrics[0].provider.webb: unknown field",
            id="unknown-provider",
        ),
        pytest.param(
            "provider: {job: {spec: {}}}",
            "name: a",
            "spec.metrics[0].provider.job.spec.template: required field is missing",
            id="job",
        ),
        pytest.param(
            PROVIDER, "{name: a, value: 2}", "spec.args[0].value: expected text", id="number"
        ),
        pytest.param(
            PROVIDER, "{name: a, value: }", "spec.args[0].value: expected a value", id="null"
        ),
        pytest.param(
            PROVIDER,
            "{name: a, valueFrom: {configMapKeyRef: {name: c, key: k}}}",
            "spec.args[0].valueFrom.configMapKeyRef: unknown field",
            id="config-map",
        ),
    ],
)
def test_wrong_field_of_a_template(metric: str, arg: str, said: str) -> None:
    """Templates are held to their schema as Rollouts are."""
    assert f"AnalysisTemplate/t: {said}" in refusal(template(metric, arg)).detail


def test_ttl_strategy_of_a_template_is_refused() -> None:
    """It is a field of AnalysisRun alone."""
    text = template() + "  ttlStrategy: {secondsAfterCompletion: 60}\n"
    assert "spec.ttlStrategy: unknown field" in refusal(text).detail


def test_all_problems_are_in_errors() -> None:
    """The detail tells the first one and how many there are; `errors` has them all."""
    error = refusal(rollout("{setWeight: x, pause: {durations: 1}}"))
    assert error.detail.endswith("(and 1 more)")
    assert {each["loc"] for each in error.errors} == {
        f"{STEP}.setWeight",
        f"{STEP}.pause.durations",
    }


@pytest.mark.parametrize(
    "provider",
    [
        "prometheus: {address: http://p, query: up, timeout: 3, rangeQuery: {start: a}}",
        "newRelic: {query: SELECT 1, profile: p, timeout: 5}",
        "job: {metadata: {labels: {a: b}}, spec: {backoffLimit: 0, template: {spec: {x: 1}}}}",
        "kayenta: {address: a, anything: [1]}",
        "datadog: {query: q}",
        "wavefront: {query: q}",
        "cloudWatch: {metricDataQueries: []}",
        "graphite: {query: q}",
        "influxdb: {query: q}",
        "skywalking: {query: q}",
        "plugin: {any/thing: {x: 1}}",
        "web: {url: u, method: POST, jsonBody: {a: [null]}, authentication: {oauth2: {}}}",
    ],
    ids=lambda text: text.partition(":")[0],
)
def test_every_provider_loads(provider: str) -> None:
    """What can be run is decided elsewhere; what is valid is read."""
    (found,) = load(template(f"provider: {{{provider}}}")).analysis_templates
    assert list(found.raw["spec"]["metrics"][0]["provider"]) == [provider.partition(":")[0]]


@pytest.mark.parametrize(
    "step",
    [
        "pause: {}",
        "pause: {duration: 30}",
        'pause: {duration: "30"}',
        "setCanaryScale: {matchTrafficWeight: true}",
        "setHeaderRoute: {name: r, match: [{headerName: h, headerValue: {exact: v}}]}",
        "setMirrorRoute: {name: r, percentage: 5, match: [{method: {exact: GET}}]}",
        "plugin: {name: org/x, config: {a: 1}}",
        "experiment: {templates: [{name: b, specRef: stable}], analyses: []}",
        "analysis: {templates: [{templateName: t, clusterScope: true}], dryRun: [{metricName: m}]}",
        "analysis: {measurementRetention: [{metricName: m, limit: 5}]}",
    ],
    ids=lambda text: text[:30],
)
def test_every_step_loads(step: str) -> None:
    """All of Argo's steps are valid."""
    (found,) = load(rollout(step)).rollouts
    assert found.canary is not None
    assert len(found.canary.steps) == 2


def test_raw_is_the_manifest_as_written() -> None:
    """Code that works on plain data sees camelCase keys and nothing filled in."""
    (found,) = load(template(arg="{name: a, value: x}")).analysis_templates
    assert found.raw == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": {"name": "t"},
        "spec": {
            "args": [{"name": "a", "value": "x"}],
            "metrics": [{"name": "m", "provider": {"web": {"url": "http://x/"}}}],
        },
    }


def test_what_a_cluster_adds_is_let_through() -> None:
    """An object as `kubectl get -o yaml` prints it loads."""
    text = rollout("pause: {}").replace(
        "{name: vote}",
        "{name: vote, creationTimestamp: null, uid: u, generation: 3, managedFields: [{}]}",
    )
    (found,) = load(text + "status: {phase: Healthy, anything: null}\n").rollouts
    assert found.name == "vote"


def test_errors_of_a_secret_never_show_its_values() -> None:
    """Neither a wrong type nor wrong base64 puts the value into the message."""
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n"
    for body in ("stringData: {key: 90210}", "data: {key: pa55-word!}", "type: [90210]"):
        error = refusal(head + body)
        told = error.detail + error.hint + repr(error.errors)
        assert "Secret/s" in told
        assert "90210" not in told
        assert "pa55" not in told


def test_secret_that_is_not_base64_is_told_apart() -> None:
    """Plain text under `data` is the usual mistake; the error says where it belongs."""
    text = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata: {api-key: test-key}\n"
    assert refusal(text).detail == (
        "f.yaml:4: Secret/s: data: the value of 'api-key' is not base64; "
        "plain text goes under stringData"
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        pytest.param((), "", id="empty"),
        pytest.param(("spec", "steps", 1, "pause"), "spec.steps[1].pause", id="index"),
        pytest.param(("data", "api-key"), "data.api-key", id="dash"),
        pytest.param(
            ("metadata", "labels", "app.kubernetes.io/name"),
            "metadata.labels['app.kubernetes.io/name']",
            id="label",
        ),
    ],
)
def test_path_is_written_as_kubernetes_does(path: tuple[Any, ...], text: str) -> None:
    """Dots, brackets for indices, quotes where a dot would mislead."""
    assert dotted(path) == text
