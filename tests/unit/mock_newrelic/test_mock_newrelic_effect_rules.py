"""Effects and the choice among injections."""

from __future__ import annotations

import pytest

from mock_newrelic.domain.effects.base import DataEffect, Moment, ValueEffect
from mock_newrelic.domain.effects.registry import EFFECTS, effect_as_json, parse_effect
from mock_newrelic.domain.injections import Injection, Strike, winner
from mock_newrelic.domain.model import NOTHING, Counts, Reading, Terms
from svckit.errors import InvalidInput
from svckit.randomness import stream

MOMENT = Moment(
    since=0.0,
    query=1,
    rng=stream(1, "test"),
    app="a",
    weight=lambda: None,
    lookup=lambda *_: None,
)
CANARY: Terms = frozenset({("role", "canary")})


def _injection(number: int, effect: dict[str, object], **more: object) -> Injection:
    defaults = {
        "app": "*", "scope": frozenset(), "metric": None, "created_at": 0.0, "starts_at": 0.0,
        "expires_at": 60.0,
    }  # fmt: skip
    return Injection(number=number, effect=parse_effect(effect, None), **{**defaults, **more})  # type: ignore[arg-type]


WIRES: list[dict[str, object]] = [
    {"set": 5.2, "unit": "percent"},
    {"add": -3, "unit": "percent"},
    {"scale": 1.5, "unit": "percent"},
    {"clamp": {"min": 1, "max": 2}, "unit": "percent"},
    {"noise": 0.5, "unit": "percent"},
    {"flap": {"a": 0.5, "b": 8, "period": "1m"}, "unit": "percent"},
    {"ramp": {"from": 0.5, "to": 8, "over": "5m", "curve": "smooth"}, "unit": "percent"},
    {"step": {"to": 8, "at": "2m"}, "unit": "percent"},
    {"sawtooth": {"to": 8, "period": "1m"}, "unit": "percent"},
    {"spike": {"to": 50, "every": "1m", "for": "5s"}, "unit": "percent"},
    {"replay": {"values": [0.5, None, 5.1], "every": "10s"}, "unit": "percent"},
    {"copy": {"role": "stable"}, "unit": "percent"},
    {"error_ratio": 0.05},
    {"latency": {"add": "300ms", "jitter": "50ms"}},
    {"throughput_scale": 0.1},
    {"drop": 0.3},
    {"duplicate": 0.1},
    {"sampling": 100},
    {"no_data": True},
    {"stale": True},
    {"delay_ingest": "45s"},
    {"gap": {"every": "1m", "for": "20s"}},
    {"label_loss": True},
    {"cardinality_bomb": 5000},
    {"payload": {"clock_skew": "-90s"}},
    {"status": {"code": 429, "retry_after": "date"}},
    {"agent": {"report_period_ms": 60000, "collect_span_events": False}},
    {"rate_limit": {"rps": 5}},
    {"auth_flap": {"period": "30s"}},
    {"quota": {"requests": 100, "per": "1h"}},
    {"hang": "60s"},
    {"transport": "reset"},
]


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: next(iter(wire)))
def test_effects_are_written_as_they_are_read(wire: dict[str, object]) -> None:
    """The wire form survives reading and writing."""
    assert effect_as_json(parse_effect(wire, None)) == wire


def test_every_effect_is_tested_above() -> None:
    """A new effect needs its line in the table above."""
    assert set(EFFECTS) == {next(iter(wire)) for wire in WIRES}


def test_unknown_effects_are_told_the_known_ones() -> None:
    """The hint lists every name."""
    with pytest.raises(InvalidInput) as caught:
        parse_effect({"sett": 1}, None)
    assert all(name in caught.value.hint for name in EFFECTS)


@pytest.mark.parametrize(
    ("metric", "value", "asked", "expected"),
    [
        pytest.param(None, 5.0, "errorRate", 5.0, id="default"),
        pytest.param(None, 5.0, "errorRatio", 0.05, id="as-ratio"),
        pytest.param(None, 5.0, "successRate", 95.0, id="as-success"),
        pytest.param("errorRatio", 0.05, "errorRate", 5.0, id="from-ratio"),
        pytest.param("successRate", 95.0, "errorRate", 5.0, id="from-success"),
        pytest.param(None, 5.0, "httpErrorRate", None, id="another-metric"),
        pytest.param("p95", 750.0, "p95", 750.0, id="latency"),
        pytest.param("p95", 750.0, "errorRate", None, id="latency-only"),
    ],
)
def test_set_speaks_for_its_metric(
    metric: str | None, value: float, asked: str, expected: float | None
) -> None:
    """The error rate is one quantity in three units; everything else is itself."""
    effect = parse_effect({"set": value}, metric)
    assert isinstance(effect, ValueEffect)
    assert effect.concerns(asked) == (expected is not None)
    if expected is not None:
        assert effect.value_of(asked, None, MOMENT) == pytest.approx(expected)


def test_error_ratio_keeps_durations_and_count() -> None:
    """Only kinds change: errors and 5xx rise, 4xx fall, nothing is lost."""
    effect = parse_effect({"error_ratio": 0.5}, None)
    assert isinstance(effect, DataEffect)
    reading = Reading(Counts(100, 10, 8, 20, 100, 12_345), {3: 100})
    assert effect.observe(reading) == Reading(Counts(100, 55, 54, 10, 100, 12_345), {3: 100})


def test_no_data_leaves_nothing() -> None:
    """Neither counts nor latency."""
    effect = parse_effect({"no_data": True}, None)
    assert isinstance(effect, DataEffect)
    assert effect.observe(Reading(Counts(100), {3: 100})) == NOTHING


def test_an_injection_is_active_from_start_to_end() -> None:
    """Start included, end excluded."""
    one = _injection(1, {"set": 1}, starts_at=10.0, expires_at=20.0)
    assert [one.active(now) for now in (9.9, 10.0, 19.9, 20.0)] == [False, True, True, False]


def test_the_winner_is_the_highest_priority_then_the_newest() -> None:
    """Other layers and foreign scopes do not take part."""
    strikes = [
        Strike(one, 0)
        for one in (
            _injection(1, {"set": 1}, priority=2),
            _injection(2, {"set": 2}, priority=2),
            _injection(3, {"set": 3}, priority=1),
            _injection(4, {"no_data": True}, priority=9),
            _injection(5, {"set": 5}, priority=9, scope=CANARY),
        )
    ]
    hit = winner(strikes, ValueEffect, frozenset())
    assert hit is not None
    assert hit[0].injection.number == 2
    hit = winner(strikes, ValueEffect, CANARY | {("hash", "x")})
    assert hit is not None
    assert hit[0].injection.number == 5
    assert winner([], ValueEffect, frozenset()) is None


def test_a_probability_strikes_by_seed_and_number() -> None:
    """The same query number is struck or not for ever."""
    one = _injection(1, {"set": 1}, probability=0.5, seed=3)
    struck = [one.strikes(hit) for hit in range(1000)]
    assert struck == [one.strikes(hit) for hit in range(1000)]
    assert 430 < sum(struck) < 570
    assert all(_injection(1, {"set": 1}).strikes(hit) for hit in range(10))
