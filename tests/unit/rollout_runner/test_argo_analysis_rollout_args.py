"""Arguments that a Rollout hands to its analysis runs."""

from __future__ import annotations

from typing import Any

import pytest

from rollout_runner.argo.analysis import AnalysisError, Argument, build_rollout_args
from rollout_runner.argo.analysis.rollout_args import extract_value

ROLLOUT: dict[str, Any] = {
    "metadata": {"name": "shop", "namespace": "qa", "labels": {"app": "shop"}},
    "spec": {
        "replicas": 5,
        "paused": False,
        "template": {"spec": {"containers": [{"image": "shop:1"}]}},
    },
}


def build(**fields: Any) -> str | None:
    """Return the value that one argument is built to."""
    (built,) = build_rollout_args(
        [Argument(name="x", **fields)], stable_hash="old", latest_hash="new", rollout=ROLLOUT
    )
    assert built.value_from is None
    return built.value


def field_ref(path: str) -> dict[str, Any]:
    """Return the source of an argument that reads a field."""
    return {"fieldRef": {"fieldPath": path}}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        pytest.param({"podTemplateHashValue": "Stable"}, "old", id="stable"),
        pytest.param({"podTemplateHashValue": "Latest"}, "new", id="latest"),
        pytest.param(field_ref("metadata.name"), "shop", id="name"),
        pytest.param(field_ref("metadata.namespace"), "qa", id="namespace"),
        pytest.param(field_ref("metadata.uid"), "", id="unset-uid"),
        pytest.param(field_ref("metadata.labels['app']"), "shop", id="label"),
        pytest.param(field_ref("metadata.annotations['app']"), "", id="no-annotation"),
        pytest.param(field_ref("spec.template.spec.containers[0].image"), "shop:1", id="path"),
        pytest.param({}, "", id="empty-source"),
    ],
)
def test_source(source: dict[str, Any], value: str) -> None:
    """Every kind of source becomes plain text."""
    assert build(value_from=source) == value


def test_no_value_is_empty_text() -> None:
    """An argument without anything is built to empty text, which overrides a default."""
    assert build() == ""


@pytest.mark.parametrize(
    ("source", "message"),
    [
        pytest.param(
            {"podTemplateHashValue": "Newest"},
            "args.x.valueFrom.podTemplateHashValue must be Stable or Latest, got 'Newest'",
            id="hash",
        ),
        pytest.param(
            field_ref("metadata.finalizers"),
            "unsupported fieldPath: metadata.finalizers",
            id="metadata",
        ),
        pytest.param(
            field_ref("metadata.name['x']"),
            """fieldPath "metadata.name['x']" does not support subscript""",
            id="subscript",
        ),
        pytest.param(
            field_ref("spec.missing.deeper"),
            "invalid path spec.missing.deeper in rollout",
            id="missing",
        ),
        pytest.param(
            field_ref("spec.template.spec.containers[x]"), "invalid index 'x'", id="index"
        ),
        pytest.param(
            field_ref("spec.template.spec.containers[-1]"), "index -1 out of range", id="negative"
        ),
    ],
)
def test_source_that_leads_nowhere(source: dict[str, Any], message: str) -> None:
    """A source that cannot be read is an error, never a silently empty value."""
    with pytest.raises(AnalysisError) as caught:
        build(value_from=source)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        pytest.param(5, "5", id="small"),
        pytest.param(100000, "100000", id="six-digits"),
        pytest.param(1000000, "1e+06", id="million"),
        pytest.param(1234567, "1.234567e+06", id="digits"),
        pytest.param(0, "0", id="zero"),
        pytest.param(0.5, "0.5", id="fraction"),
        pytest.param(0.00001, "1e-05", id="tiny"),
        pytest.param(-2.5, "-2.5", id="negative"),
        pytest.param(True, "true", id="true"),
        pytest.param("text", "text", id="text"),
    ],
)
def test_printed_as_go_does(value: object, printed: str) -> None:
    """Numbers pass through a Go float, flags are lower case."""
    assert extract_value({"a": value}, "a") == printed
