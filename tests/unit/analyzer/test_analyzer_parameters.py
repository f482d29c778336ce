"""Query parameters: what is refused, and that the refusal names the parameter."""

from __future__ import annotations

from fractions import Fraction

import pytest

from analyzer.schemas.parameters import read_analysis_query, read_health_query
from svckit.errors import InvalidInput

GOOD = {"app": "voting01-vote-qa", "canary": "7cd75c6d7c", "stable": "54bc444575"}


def test_defaults() -> None:
    """Five minutes, no start, the policy's threshold, the first source."""
    query = read_analysis_query(GOOD.items())
    assert (query.window_seconds, query.since) == (300, None)
    assert (query.error_threshold, query.source) == (None, None)


def test_everything_given() -> None:
    """Texts become values; the threshold stays exact."""
    given = {
        "window": "1m30s",
        "since": "2026-02-04T02:00:00Z",
        "error_threshold": "0.1",
        "source": "newrelic",
    }
    query = read_analysis_query((GOOD | given).items())
    assert (query.window_seconds, query.since) == (90, 1_770_170_400)
    assert (query.error_threshold, query.source) == (Fraction(1, 10), "newrelic")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("app", "", id="app-empty"),
        pytest.param("app", 'voting01";rm', id="app-quote"),
        pytest.param("app", "{{args.app-name}}", id="app-unresolved"),
        pytest.param("app", "a" * 201, id="app-too-long"),
        pytest.param("app", "voting01-vote-qa ", id="app-trailing-space"),
        pytest.param("canary", "", id="canary-empty"),
        pytest.param("canary", "7cd7 5c6d7c", id="canary-space"),
        pytest.param("canary", "<script>", id="canary-markup"),
        pytest.param("stable", "7cd75c6d7c", id="stable-is-canary"),
        pytest.param("window", "5x", id="window-unit"),
        pytest.param("window", "0m", id="window-zero"),
        pytest.param("window", "-5m", id="window-negative"),
        pytest.param("window", "999d", id="window-days"),
        pytest.param("window", "25h", id="window-too-long"),
        pytest.param("window", "1500ms", id="window-fraction"),
        pytest.param("window", "5 m", id="window-space"),
        pytest.param("since", "yesterday", id="since-text"),
        pytest.param("since", "2026-02-04T02:00:00", id="since-without-zone"),
        pytest.param("since", "9999-99-99T99:99:99Z", id="since-impossible"),
        pytest.param("error_threshold", "2%", id="threshold-percent"),
        pytest.param("error_threshold", "2,0", id="threshold-comma"),
        pytest.param("error_threshold", "abc", id="threshold-text"),
        pytest.param("error_threshold", "", id="threshold-empty"),
        pytest.param("error_threshold", "-1", id="threshold-negative"),
        pytest.param("error_threshold", "1e1", id="threshold-exponent"),
        pytest.param("error_threshold", "NaN", id="threshold-nan"),
        pytest.param("error_threshold", "٢", id="threshold-other-digits"),
        pytest.param("error_threshold", "2\n", id="threshold-newline"),
        pytest.param("error_threshold", "101", id="threshold-above-100"),
        pytest.param("threshold", "2", id="unknown"),
        pytest.param("Window", "5m", id="unknown-by-case"),
        pytest.param("run", "a/b", id="run-slash"),
        pytest.param("run", "x" * 256, id="run-too-long"),
        pytest.param("weight", "20", id="weight-without-run"),
        pytest.param("horizon", "11m", id="horizon-without-run"),
        pytest.param("interval", "1.5s", id="interval-fraction"),
        pytest.param("weight", "120", id="weight-above-100"),
        pytest.param("run", "", id="run-empty"),
        pytest.param("config", "", id="config-empty"),
    ],
)
def test_a_bad_parameter_is_named(name: str, value: str) -> None:
    """The error says which parameter, and nothing is judged."""
    with pytest.raises(InvalidInput) as caught:
        read_analysis_query((GOOD | {name: value}).items())
    assert caught.value.status == 422
    assert caught.value.detail.startswith(f"{name}: ")
    assert caught.value.errors[0]["loc"] == f"query.{name}"


def test_a_run_has_its_plan() -> None:
    """Horizon, interval and weight are read with a run; the weight becomes a share."""
    plan = {"run": "vote 7cd:1@qa", "horizon": "11m", "interval": "30s", "weight": "12.5"}
    query = read_analysis_query((GOOD | plan).items())
    assert (query.run, query.horizon_seconds, query.interval_seconds) == ("vote 7cd:1@qa", 660, 30)
    assert query.weight == 0.125


@pytest.mark.parametrize("name", list(GOOD))
def test_a_missing_parameter_is_named(name: str) -> None:
    """Both arms and the application are needed."""
    with pytest.raises(InvalidInput, match=f"{name}: missing"):
        read_analysis_query((key, value) for key, value in GOOD.items() if key != name)


def test_a_doubled_parameter_is_refused() -> None:
    """Neither the first nor the last wins."""
    with pytest.raises(InvalidInput, match="window: given more than once"):
        read_analysis_query([*GOOD.items(), ("window", "5m"), ("window", "5m")])


def test_a_strange_parameter_name_is_not_repeated() -> None:
    """Foreign text does not come back in the error."""
    with pytest.raises(InvalidInput) as caught:
        read_analysis_query((GOOD | {"<script>": "1"}).items())
    assert "script" not in caught.value.detail


def test_the_health_check_defaults_to_the_root() -> None:
    """Without a path it is /."""
    values = read_health_query([("service", "vote"), ("namespace", "qa")])
    assert values == {"service": "vote", "namespace": "qa", "path": "/"}


def test_the_health_check_takes_no_other_parameter() -> None:
    """A port or URL cannot be slipped in."""
    with pytest.raises(InvalidInput, match="port: unknown parameter"):
        read_health_query([("service", "vote"), ("namespace", "qa"), ("port", "22")])
