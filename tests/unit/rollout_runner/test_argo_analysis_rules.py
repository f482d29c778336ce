"""Rules that select metrics by Go regular expressions."""

from __future__ import annotations

import pytest

from rollout_runner.argo.analysis import AnalysisError, MeasurementRetention
from rollout_runner.argo.analysis.rules import dry_run_metrics, retention_limits

NAMES = ("rate", "error-rate", "latency")


@pytest.mark.parametrize(
    ("rule", "selected"),
    [
        pytest.param("rate", {"rate", "error-rate"}, id="unanchored"),
        pytest.param("^rate$", {"rate"}, id="anchored"),
        pytest.param(".*", set(NAMES), id="all"),
        pytest.param("", set(NAMES), id="empty"),
        pytest.param(r"^\w+$", {"rate", "latency"}, id="class"),
        pytest.param(r"(?i)LATENCY", {"latency"}, id="flag"),
    ],
)
def test_selects(rule: str, selected: set[str]) -> None:
    """A rule selects every metric in whose name it is found."""
    assert dry_run_metrics([rule], NAMES) == selected


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param("*", id="star"),
        pytest.param("(", id="open"),
        pytest.param("nothing", id="no-such-name"),
        pytest.param("rate(?!x)", id="look-ahead"),
        pytest.param("(?<=error-)rate", id="look-behind"),
        pytest.param(r"(t)e\1?", id="back-reference"),
        pytest.param("ra++te|t++", id="possessive"),
    ],
)
def test_selects_nothing(rule: str) -> None:
    """A rule that Go does not compile, or that is found nowhere, is an error with its index."""
    with pytest.raises(AnalysisError) as caught:
        dry_run_metrics(["rate", rule], NAMES)
    assert str(caught.value) == "dryRun[1]: Rule didn't match any metric name(s)"


@pytest.mark.parametrize("rule", ["[[:alpha:]]+", r"\pL", r"rate\z"])
def test_go_only_syntax(rule: str) -> None:
    """What only Go's engine understands is refused, not judged in another way."""
    with pytest.raises(AnalysisError, match=r"uses syntax that only Go's"):
        dry_run_metrics([rule], NAMES)


def test_last_retention_rule_wins() -> None:
    """Where several retention rules select a metric, the last sets the limit."""
    rules = [
        MeasurementRetention(metric_name="rate", limit=3),
        MeasurementRetention(metric_name="error", limit=7),
    ]
    assert retention_limits(rules, NAMES) == {"rate": 3, "error-rate": 7}
