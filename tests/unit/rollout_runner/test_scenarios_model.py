"""What the fields of a scenario take, and what they say about everything else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rollout_runner.scenarios.model import Behaviour, Scenario, TimelineEntry


def scenario(**fields: Any) -> Scenario:
    """Return a scenario."""
    return Scenario.model_validate({"name": "x"} | fields)


def refusal(**fields: Any) -> tuple[str, str]:
    """Return the field that is wrong and what is said about it."""
    with pytest.raises(ValidationError) as caught:
        scenario(**fields)
    (error,) = caught.value.errors()
    return ".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, ")


@pytest.mark.parametrize(
    ("value", "ratio"),
    [
        ("5.2%", 0.052),
        ("5.2 %", 0.052),
        ("0%", 0.0),
        ("100%", 1.0),
        ("0.05%", 0.0005),
        (".5%", 0.005),
        ("5.%", 0.05),
        (5.2, 0.052),
        (100, 1.0),
        (0, 0.0),
    ],
)
def test_percentages(value: object, ratio: float) -> None:
    """A share of requests, exactly as it is written: 5.2 % is 0.052."""
    assert scenario(canary={"errors": value}).canary.errors == ratio


@pytest.mark.parametrize(
    "value",
    [
        "101%",
        "-1%",
        "5.2%%",
        "five",
        "",
        "%",
        True,
        "nan",
        "inf",
        "1e9999999",
        "5_0%",
        "\u0665%",
        [5],
        1e300,
    ],
)
def test_what_is_no_percentage(value: object) -> None:
    """Refused with the range and an example."""
    field, message = refusal(canary={"errors": value})
    assert field == "canary.errors"
    assert message.endswith("is not a percentage from 0% to 100%, such as 5.2%")


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        ("50/s", 50.0),
        ("300/m", 5.0),
        ("0/s", 0.0),
        ("0.3", 0.3),
        (50, 50.0),
        (2.5, 2.5),
        (" 50/s ", 50.0),
    ],
)
def test_rates(value: object, rate: float) -> None:
    """Requests per virtual second."""
    assert scenario(traffic={"rate": value}).traffic.rate == rate


@pytest.mark.parametrize(
    "value", ["50/h", "-1/s", "50 per second", "", "max", True, "1e9", "/s", "9" * 400, None]
)
def test_what_is_no_rate(value: object) -> None:
    """Refused with an example."""
    assert refusal(traffic={"rate": value}) == (
        "traffic.rate",
        f"{value!r} is not a rate such as 50/s",
    )


@pytest.mark.parametrize(
    ("value", "seconds"), [("9m", 540.0), ("1h30m", 5400.0), ("0s", 0.0), ("1.5s", 1.5), ("0", 0.0)]
)
def test_times(value: str, seconds: float) -> None:
    """Go durations, in virtual seconds."""
    entry = TimelineEntry.model_validate({"at": value, "clear": "all"})
    assert entry.at == seconds


@pytest.mark.parametrize("value", ["90", 9.5, "1d", "", "-5s", "soon", None, True])
def test_what_is_no_time(value: object) -> None:
    """Refused; a number needs a unit, as in Go."""
    with pytest.raises(ValidationError) as caught:
        TimelineEntry.model_validate({"at": value, "clear": "all"})
    assert "at" in str(caught.value)


def test_a_time_without_unit_says_so() -> None:
    """The message is Go's, with an example of what is meant."""
    field, message = refusal(timeline=[{"at": 90, "clear": "all"}])
    assert field == "timeline.0.at"
    assert message.startswith('time: missing unit in duration "90"')
    assert "expected a Go duration such as 30s" in message


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        pytest.param({"clear": "all"}, "exactly one of `at: 9m` and `on:", id="no-time"),
        pytest.param(
            {"at": "1m", "on": {"step": 1}, "clear": "all"}, "exactly one of `at", id="two-times"
        ),
        pytest.param({"at": "1m"}, "exactly one action of canary, baseline", id="no-action"),
        pytest.param(
            {"at": "1m", "clear": "all", "do": "abort"}, "exactly one action", id="two-actions"
        ),
    ],
)
def test_an_entry_has_one_time_and_one_action(entry: dict[str, Any], message: str) -> None:
    """Anything else is refused, and the entry is named."""
    field, told = refusal(timeline=[{"at": "0s", "clear": "all"}, entry])
    assert field == "timeline.1"
    assert message in told


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"canary": {"status": 200}}, "canary.status"),
        ({"canary": {"status": 600}}, "canary.status"),
        ({"canary": {"latency": {"add": "-1s"}}}, "canary.latency.add"),
        ({"canary": {"hang": "long"}}, "canary.hang"),
        ({"traffic": {"arrivals": "bursts"}}, "traffic.arrivals"),
        ({"timeline": [{"on": {"step": -1}, "clear": "all"}]}, "timeline.0.on.step"),
        ({"timeline": [{"at": "1m", "do": "restart"}]}, "timeline.0.do"),
        ({"timeline": [{"at": "1m", "stop": "redis"}]}, "timeline.0.stop"),
        ({"timeline": [{"at": "1m", "clear": "some"}]}, "timeline.0.clear"),
        ({"timeline": {"at": "1m"}}, "timeline"),
        ({"timeline": [{"at": "1m", "inject": {"set": float("nan")}}]}, "timeline.0.inject"),
        ({"timeline": [{"at": "1m", "inject": []}]}, "timeline.0.inject"),
        ({"expect": {"outcome": "good"}}, "expect.outcome"),
        ({"expect": {}}, "expect.outcome"),
        ({"mode": "dry"}, "mode"),
        ({"seed": "x"}, "seed"),
        ({"name": "../x"}, "name"),
        ({"name": ""}, "name"),
        ({"versions": {"old": "v1"}}, "versions.old"),
    ],
)
def test_a_wrong_field_is_named(fields: dict[str, Any], field: str) -> None:
    """By its path from the top of the file."""
    assert refusal(**fields)[0] == field


@pytest.mark.parametrize(
    ("fields", "faults", "told"),
    [
        pytest.param({}, {}, "healthy", id="healthy"),
        pytest.param({"errors": "5.2%"}, {"error_ratio": 0.052}, "5.2% errors", id="errors"),
        pytest.param({"errors": "0%"}, {}, "0% errors", id="no-errors"),
        pytest.param({"status": 503}, {"status": 503}, "HTTP 503 to everything", id="status"),
        pytest.param({"hang": "30s"}, {"hang": "30s"}, "hangs 30s", id="hang"),
        pytest.param(
            {"latency": {"add": "200ms"}},
            {"latency": {"add": "200ms", "jitter": "0s"}},
            "200ms ± 0s added latency",
            id="latency",
        ),
        pytest.param({"p50": "20ms", "p99": "120ms"}, {}, "healthy", id="simulated-only"),
        pytest.param(
            {"errors": "1%", "hang": "1s"},
            {"error_ratio": 0.01, "hang": "1s"},
            "1% errors, hangs 1s",
            id="both",
        ),
    ],
)
def test_behaviours(fields: dict[str, Any], faults: dict[str, Any], told: str) -> None:
    """As a version is told to behave, and in words."""
    behaviour = Behaviour.model_validate(fields)
    assert behaviour.faults() == faults
    assert behaviour.describe() == told


def test_defaults() -> None:
    """A name is enough: fifty votes a second, both versions healthy, nothing expected."""
    found = scenario()
    assert (found.traffic.rate, found.traffic.arrivals) == (50.0, "poisson")
    assert (found.seed, found.mode, found.timeline, found.expect) == (1, "live", (), None)
    assert (found.versions.stable, found.versions.canary) == ("v16", "v17")
    assert found.canary.faults() == found.baseline.faults() == {}
