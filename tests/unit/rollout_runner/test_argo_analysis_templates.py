"""Reading templates, following references, and building a run's spec from them."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo.analysis import (
    AnalysisError,
    AnalysisRunSpec,
    AnalysisTemplate,
    Argument,
    MeasurementRetention,
    TemplateRef,
    build_run_spec,
    collect_templates,
)


def a_manifest(name: str, *, cluster: bool = False, **spec: Any) -> dict[str, Any]:
    """Return the manifest of a template."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ClusterAnalysisTemplate" if cluster else "AnalysisTemplate",
        "metadata": {"name": name},
        "spec": spec,
    }


def a_template(name: str, *, cluster: bool = False, **spec: Any) -> AnalysisTemplate:
    """Return a template."""
    return AnalysisTemplate.from_manifest(a_manifest(name, cluster=cluster, **spec))


def a_metric(name: str) -> dict[str, Any]:
    """Return a raw metric."""
    return {"name": name, "provider": {"web": {"url": "http://x"}}}


def refs_to(*names: str, cluster: bool = False) -> list[dict[str, Any]]:
    """Return `templates` entries."""
    return [{"templateName": name, "clusterScope": cluster} for name in names]


def collected(first: str, *known: AnalysisTemplate) -> list[str]:
    """Return the names that a reference to the first template leads to."""
    return [each.name for each in collect_templates([TemplateRef(template_name=first)], known)]


def test_manifest() -> None:
    """A manifest's metrics, arguments, rules and references are read."""
    template = a_template(
        "t",
        cluster=True,
        metrics=[a_metric("m")],
        args=[{"name": "x", "value": "1"}],
        dryRun=[{"metricName": "m"}],
        measurementRetention=[{"metricName": "m", "limit": 3}],
        templates=refs_to("other"),
    )
    assert template == AnalysisTemplate(
        name="t",
        cluster_scope=True,
        spec=AnalysisRunSpec(
            metrics=(a_metric("m"),),
            args=(Argument(name="x", value="1"),),
            dry_run=("m",),
            measurement_retention=(MeasurementRetention(metric_name="m", limit=3),),
        ),
        templates=(TemplateRef(template_name="other"),),
    )


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param(
            {"metrics": {}}, "AnalysisTemplate 't': spec.metrics must be a list, got {}", id="list"
        ),
        pytest.param(
            {"metrics": [{"name": "m", "interval": 10}]},
            "AnalysisTemplate 't': spec.metrics[0].interval must be text, got 10",
            id="interval",
        ),
        pytest.param(
            {"metrics": [{"interval": "10s"}]},
            "AnalysisTemplate 't': spec.metrics[0].name is missing: it must be text",
            id="name",
        ),
        pytest.param(
            {"metrics": [{"name": "m", "count": True}]},
            "AnalysisTemplate 't': spec.metrics[0].count must be a whole number or text, got True",
            id="flag-as-count",
        ),
        pytest.param(
            {"metrics": [{"name": "m", "failureLimit": 1.5}]},
            "AnalysisTemplate 't': spec.metrics[0].failureLimit must be a whole number or text, "
            "got 1.5",
            id="fraction",
        ),
        pytest.param(
            {"metrics": [{"name": "m", "provider": {"web": "http://x"}}]},
            "AnalysisTemplate 't': spec.metrics[0].provider.web must be a mapping, got 'http://x'",
            id="provider",
        ),
        pytest.param(
            {"args": [{"name": "x", "value": 3}]},
            "AnalysisTemplate 't': spec.args[0].value must be text, got 3",
            id="argument",
        ),
        pytest.param(
            {"args": [{"name": "x", "valueFrom": {"secretKeyRef": {"name": "s"}}}]},
            "AnalysisTemplate 't': spec.args[0].valueFrom.secretKeyRef.key is missing: "
            "it must be text",
            id="secret",
        ),
        pytest.param(
            {"measurementRetention": [{"metricName": "m", "limit": "3"}]},
            "AnalysisTemplate 't': spec.measurementRetention[0].limit must be a whole number, "
            "got '3'",
            id="retention",
        ),
        pytest.param(
            {"dryRun": ["m"]},
            "AnalysisTemplate 't': spec.dryRun[0] must be a mapping, got 'm'",
            id="dry-run",
        ),
        pytest.param(
            {"templates": [{}]},
            "AnalysisTemplate 't': spec.templates[0].templateName is missing: it must be text",
            id="reference",
        ),
    ],
)
def test_wrong_shape(spec: dict[str, Any], message: str) -> None:
    """A field of the wrong type is refused with its path and what was expected."""
    with pytest.raises(AnalysisError) as caught:
        a_template("t", **spec)
    assert str(caught.value) == message


def test_wrong_kind() -> None:
    """Another kind of object is refused."""
    with pytest.raises(AnalysisError, match=r"kind must be AnalysisTemplate or"):
        AnalysisTemplate.from_manifest({"kind": "Rollout"})


def test_depth_first() -> None:
    """References are followed depth first, each template once, cluster templates at the end."""
    names = collected(
        "a",
        a_template("a", templates=[*refs_to("c", cluster=True), *refs_to("b", "d")]),
        a_template("b", templates=refs_to("d")),
        a_template("c", cluster=True, templates=refs_to("e")),
        a_template("d"),
        a_template("e"),
    )
    assert names == ["a", "e", "b", "d", "c"]


def test_same_name_in_both_scopes() -> None:
    """A cluster template is another one than the namespaced template of the same name."""
    names = collected(
        "a", a_template("a", templates=refs_to("a", cluster=True)), a_template("a", cluster=True)
    )
    assert names == ["a", "a"]


def test_unknown_reference() -> None:
    """A reference to nothing is told with the kind and name."""
    with pytest.raises(AnalysisError, match=r"^ClusterAnalysisTemplate 'b' not found$"):
        collected("a", a_template("a", templates=refs_to("b", cluster=True)), a_template("b"))


def test_circle() -> None:
    """Templates that name each other are refused instead of followed without end."""
    with pytest.raises(AnalysisError, match=r"circle: a -> b -> a$"):
        collected(
            "a",
            a_template("a", templates=refs_to("b")),
            a_template("b", templates=refs_to("a")),
        )


def test_default_beats_declaration() -> None:
    """A default in one template fills an argument that another only declares."""
    templates = [
        a_template("a", args=[{"name": "x"}]),
        a_template("b", args=[{"name": "x", "value": "1"}]),
        a_template("c", args=[{"name": "x"}]),
    ]
    assert build_run_spec(templates, []).args == (Argument(name="x", value="1"),)


def test_unresolved_argument() -> None:
    """An argument that nobody gives a value stops the run's creation."""
    with pytest.raises(AnalysisError, match=r"^args.service-name was not resolved$"):
        build_run_spec([a_template("a", args=[{"name": "service-name"}])], [])


def test_rules_of_the_reference_come_first() -> None:
    """The Rollout's rules precede the templates'."""
    template = a_template(
        "a",
        metrics=[a_metric("m"), a_metric("n")],
        dryRun=[{"metricName": "m"}],
        measurementRetention=[{"metricName": "m", "limit": 1}],
    )
    spec = build_run_spec(
        [template],
        [],
        dry_run=("n",),
        measurement_retention=(MeasurementRetention(metric_name="n", limit=2),),
    )
    assert spec.dry_run == ("n", "m")
    assert [rule.metric_name for rule in spec.measurement_retention] == ["n", "m"]


def test_rule_in_reference_and_template() -> None:
    """The same rule in the Rollout and a template is refused, as in Argo."""
    template = a_template("a", metrics=[a_metric("m")], dryRun=[{"metricName": "m"}])
    with pytest.raises(AnalysisError, match=r"^two Dry-Run metric rules have the same name 'm'$"):
        build_run_spec([template], [], dry_run=("m",))
