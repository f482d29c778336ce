from __future__ import annotations

import pytest

from rollout_runner.report.readings import Comparison, comparison_of, read_value


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param("result.errorRate < 2", Comparison(("errorRate",), "<", 2.0), id="plain"),
        pytest.param("2 > result.errorRate", Comparison(("errorRate",), "<", 2.0), id="reversed"),
        pytest.param("result < 0.5", Comparison((), "<", 0.5), id="whole-result"),
        pytest.param("result[0] >= 0.95", Comparison((0,), ">=", 0.95), id="first-element"),
        pytest.param("asFloat(result.rate) <= 1e1", Comparison(("rate",), "<=", 10.0), id="cast"),
        pytest.param("result['a.b'].c < 2", Comparison(("a.b", "c"), "<", 2.0), id="quoted-key"),
        pytest.param('result == "healthy"', Comparison((), "==", "healthy"), id="string"),
        pytest.param("result.passed == true", Comparison(("passed",), "==", True), id="boolean"),
        pytest.param("result.a < 2 && result.b > 100", None, id="conjunction"),
        pytest.param("!(result.errorRate >= 2)", None, id="negation"),
        pytest.param("all(result, {# < 2})", None, id="predicate"),
        pytest.param("result.a < result.b", None, id="two-operands"),
        pytest.param("", None, id="empty"),
    ],
)
def test_comparison_of(condition: str, expected: Comparison | None) -> None:
    """Only a comparison of the result with a literal is one; anything else is left alone."""
    assert comparison_of(condition) == expected


@pytest.mark.parametrize(
    ("condition", "limit"),
    [
        pytest.param("result.errorRate < 2", 2.0, id="percent"),
        pytest.param("result.httpErrorRate <= 1.5", 1.5, id="other-rate"),
        pytest.param("result.error_ratio < 0.02", 2.0, id="ratio"),
        pytest.param("result.p95 < 300", None, id="latency"),
        pytest.param('result.errorRate == "2"', None, id="equality"),
        pytest.param("result < 2", None, id="unnamed"),
    ],
)
def test_error_rate_limit(condition: str, limit: float | None) -> None:
    """Only a named error rate has a place on the error-rate chart, in percent."""
    comparison = comparison_of(condition)
    assert comparison is not None
    assert comparison.error_rate_limit == limit


@pytest.mark.parametrize(
    ("condition", "value", "reading"),
    [
        pytest.param("result.errorRate < 2", '{"errorRate":5.2}', 5.2, id="number"),
        pytest.param("result[1] < 2", "[1,7]", 7.0, id="element"),
        pytest.param('result == "healthy"', '"healthy"', "healthy", id="string"),
        pytest.param("result.passed == true", '{"passed":false}', "false", id="boolean"),
        pytest.param("result.errorRate < 2", '{"error":"no_data"}', None, id="missing-key"),
        pytest.param("result.errorRate < 2", '{"errorRate":null}', None, id="null"),
        pytest.param("result.errorRate < 2", '{"errorRate":NaN}', None, id="nan"),
        pytest.param("result < 2", "1" + "0" * 400, None, id="beyond-float"),
        pytest.param("result.errorRate < 2", "<html>", None, id="not-json"),
        pytest.param("result[3] < 2", "[1]", None, id="beyond-end"),
        pytest.param("result.errorRate < 2", "", None, id="empty"),
    ],
)
def test_read_value(condition: str, value: str, reading: float | str | None) -> None:
    """The reading is what the path leads to; what is not there is None, never zero."""
    comparison = comparison_of(condition)
    assert comparison is not None
    assert read_value(comparison, value) == reading
