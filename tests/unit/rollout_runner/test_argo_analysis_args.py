"""Substituting and merging arguments beyond the recorded vectors."""

from __future__ import annotations

from datetime import date

import pytest

from rollout_runner.argo.analysis import AnalysisError, Argument
from rollout_runner.argo.analysis.args import merge_args, resolve_args, resolve_metric_args


def an_arg(value: str, name: str = "x") -> Argument:
    """Return an argument with a value."""
    return Argument(name=name, value=value)


def test_unused_argument_without_value() -> None:
    """An argument without value fails the text even where nothing refers to it."""
    with pytest.raises(AnalysisError, match=r'^argument "unused" was not supplied$'):
        resolve_args("plain", [Argument(name="unused")])


def test_last_unknown_tag_is_named() -> None:
    """Of several unknown tags the last is told, as written."""
    with pytest.raises(AnalysisError, match=r"^failed to resolve \{\{ \.Values\.x \}\}$"):
        resolve_args("{{args.a}} {{ .Values.x }}", [])


def test_open_tag() -> None:
    """A tag without end is told with Go's quoting of what follows."""
    with pytest.raises(AnalysisError) as caught:
        resolve_args('a {{args.x "q"', [an_arg("1")])
    assert str(caught.value) == (
        r'Cannot find end tag="}}" in the template="a {{args.x \"q\"" '
        r'starting from "args.x \"q\""'
    )


def test_replaced_text_is_not_scanned_again() -> None:
    """A value that looks like a tag stays as it is."""
    assert resolve_args("{{args.x}}", [an_arg("{{args.x}}")]) == "{{args.x}}"


def test_unknown_tag_in_provider_wins_over_earlier_field() -> None:
    """Fields are scanned in Argo's order, not the manifest's: the provider follows conditions."""
    metric = {
        "provider": {"web": {"url": "{{args.late}}"}},
        "successCondition": "{{args.early}}",
        "name": "m",
    }
    with pytest.raises(AnalysisError, match=r"args\.late"):
        resolve_metric_args(metric, [])


@pytest.mark.parametrize(
    "value",
    [
        pytest.param('quote " and \\ slash', id="quotes"),
        pytest.param("line\nfeed\ttab", id="white-space"),
        pytest.param("<a&b>", id="html"),
        pytest.param("ä ✓ 😀", id="printable"),
        pytest.param("\u200b\u00a0\u2028", id="not-printable"),
    ],
)
def test_value_survives(value: str) -> None:
    """Text with special characters arrives in the metric unchanged."""
    metric = {"name": "m", "provider": {"web": {"body": "-{{args.x}}-"}}}
    resolved = resolve_metric_args(metric, [an_arg(value)])
    assert resolved["provider"]["web"]["body"] == f"-{value}-"


@pytest.mark.parametrize(
    ("value", "character"),
    [
        pytest.param("\x01", "x", id="control"),
        pytest.param("\a", "a", id="bell"),
        pytest.param("\v", "v", id="vertical-tab"),
        pytest.param("\U000e0001", "U", id="beyond-the-basic-plane"),
    ],
)
def test_value_that_json_cannot_read(value: str, character: str) -> None:
    """Go's quoting of control characters is not JSON, so the metric cannot be read back."""
    with pytest.raises(AnalysisError) as caught:
        resolve_metric_args({"name": "m", "interval": "{{args.x}}"}, [an_arg(value)])
    assert str(caught.value) == f"invalid character '{character}' in string escape code"


def test_numbers_stay_numbers() -> None:
    """Only text is substituted; a substituted number is text."""
    metric = {"name": "m", "count": 3, "failureLimit": "{{args.x}}"}
    resolved = resolve_metric_args(metric, [an_arg("2")])
    assert resolved == {"name": "m", "count": 3, "failureLimit": "2"}


@pytest.mark.parametrize(
    "value", [pytest.param(date(2026, 1, 1), id="date"), pytest.param(float("nan"), id="nan")]
)
def test_value_that_is_not_json(value: object) -> None:
    """What YAML can hold and JSON cannot is refused with the metric's name."""
    with pytest.raises(AnalysisError, match=r"^metric 'm' cannot be written: "):
        resolve_metric_args({"name": "m", "provider": {"web": {"jsonBody": value}}}, [])


def test_undeclared_argument_is_dropped() -> None:
    """An argument that no template declares does not reach the run."""
    assert merge_args([an_arg("1", "other")], [an_arg("2")]) == (an_arg("2"),)


def test_value_beside_declared_secret() -> None:
    """A given value leaves the template's Secret in place; both reach the run."""
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    merged = merge_args([an_arg("given")], [Argument(name="x", value_from=source)])
    assert merged == (Argument(name="x", value="given", value_from=source),)


def test_given_source_beside_declared_value() -> None:
    """A given Secret leaves the template's default in place."""
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    merged = merge_args([Argument(name="x", value_from=source)], [an_arg("default")])
    assert merged == (Argument(name="x", value="default", value_from=source),)
