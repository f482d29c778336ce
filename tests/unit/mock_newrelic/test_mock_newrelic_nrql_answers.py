"""What queries answer: the rules of NULL, the shapes of rows, rings and rows alike."""

# ruff: noqa: S608 - the language looks like SQL, and there is no database
from __future__ import annotations

from statistics import pstdev
from typing import Any

import pytest

from mock_newrelic.domain.nrql.errors import NrqlError
from nrql_data import ask, event, only, rows

EVENTS: list[dict[str, Any]] = [
    event(
        age,
        status=500 if age % 10 == 0 else 404 if age % 10 == 1 else 200,
        duration=0.1 + 0.01 * (age % 20),
        role="canary" if age % 4 == 0 else "stable",
        host=f"shop-7cd75c6d7c-{'abcde' if age % 4 == 0 else 'fghij'}",
        name=f"WebTransaction/{'cart' if age % 3 else 'pay'}",
    )
    for age in range(100)
]


def test_counts_and_rates() -> None:
    """The numbers that gates ask for."""
    assert only("SELECT count(*) FROM Transaction", EVENTS) == 100
    assert only("SELECT percentage(count(*), WHERE error IS true) FROM Transaction", EVENTS) == 10.0
    assert only(
        "SELECT rate(count(*), 1 minute) FROM Transaction SINCE 50 seconds ago", EVENTS
    ) == (51 * 60 / 50)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM Transaction",
        "SELECT count(duration) FROM Transaction WHERE role = 'canary'",
        "SELECT sum(duration), average(duration) FROM Transaction WHERE host LIKE 'shop-%-fghij'",
        "SELECT percentage(count(*), WHERE error IS true) FROM Transaction FACET role",
        "SELECT filter(count(*), WHERE httpResponseCode >= 500) AS x FROM Transaction FACET host",
        (
            "SELECT count(*) FROM Transaction "
            "WHERE http.statusCode >= 500 OR response.status LIKE '5%'"
        ),
        "SELECT count(*) FROM Transaction WHERE httpResponseCode >= 400 AND httpResponseCode < 500",
        "SELECT count(*) FROM Transaction WHERE NOT error",
        "SELECT count(*) FROM Transaction WHERE error IS NOT FALSE FACET role",
        "SELECT uniqueCount(host) FROM Transaction",
        "SELECT count(*) FROM Transaction SINCE 60 seconds ago TIMESERIES 20 seconds",
        "SELECT count(*) FROM Transaction FACET CASES (WHERE role = 'canary' AS 'new')",
        "SELECT count(*) FROM Transaction WHERE error AND role = 'canary' FACET role",
        "SELECT count(*) FROM Transaction WHERE tags.role = 'canary' AND appName IN ('shop')",
    ],
)
def test_rings_and_rows_agree(query: str) -> None:
    """Where both can answer, both say the same; the answer tells which was used."""
    from_rings, from_rows = ask(query, EVENTS), ask(query, EVENTS, rings=False)
    assert "exactly" in from_rings.messages[0]
    if "role" in query or "host" in query:
        assert "raw" in from_rows.messages[0]
    for one, other in zip(from_rings.rows, from_rows.rows, strict=True):
        assert one == pytest.approx(other)
    assert from_rings.inspected == from_rows.inspected


def test_quantiles_of_rings_are_within_their_error() -> None:
    """The histogram's 1.1 %, against the exact values of the rows."""
    query = "SELECT percentile(duration, 50, 95) FROM Transaction WHERE role = 'stable'"
    from_rings, from_rows = only(query, EVENTS), only(query, EVENTS, rings=False)
    assert from_rings == pytest.approx(from_rows, rel=0.011)
    assert list(from_rows) == ["50", "95"]


@pytest.mark.parametrize(
    ("selected", "row"),
    [
        ("count(*)", {"count": 0}),
        ("average(duration)", {"average.duration": None}),
        ("max(duration), min(duration)", {"max.duration": None, "min.duration": None}),
        ("percentile(duration, 95)", {"percentile.duration": {"95": None}}),
        ("percentage(count(*), WHERE error IS true)", {"percentage": None}),
        ("apdex(duration, t: 0.5)", {"apdex": None, "s": 0, "t": 0, "f": 0, "count": 0}),
        ("rate(count(*), 1 minute)", {"rate.count": 0.0}),
        ("filter(average(duration), WHERE error IS true) OR -1.0 AS x", {"x": -1.0}),
        ("latest(duration)", {"latest.duration": None}),
        ("sum(duration)", {"sum.duration": None}),
        ("uniqueCount(host)", {"uniqueCount.host": 0}),
    ],
)
def test_no_data_is_never_zero(selected: str, row: dict[str, Any]) -> None:
    """Only counts are 0; everything that would need samples is NULL."""
    for rings in (True, False):
        query = f"SELECT {selected} FROM Transaction WHERE appName = 'nobody' AND role = 'x'"
        assert rows(query, EVENTS, rings=rings) == [row]


def test_no_data_has_no_facet() -> None:
    """An empty list, which Argo takes for an error."""
    assert rows("SELECT count(*) FROM Transaction WHERE appName = 'nobody' FACET host", []) == []


@pytest.mark.parametrize(
    ("condition", "count"),
    [
        ("colour = 'red'", 1),
        ("colour != 'red'", 1),
        ("NOT colour = 'red'", 3),
        ("colour IS NULL", 2),
        ("colour IS NOT NULL", 2),
        ("colour IN ('red', 'blue')", 2),
        ("colour NOT IN ('red')", 1),
        ("colour LIKE 'R%'", 1),
        ("colour NOT LIKE 'R%'", 1),
        ("colour RLIKE 'r.d'", 1),
        ("colour RLIKE 'r'", 0),
        ("size > 5", 1),
        ("size = '7'", 1),
        ("flag IS TRUE", 1),
        ("flag IS NOT FALSE", 4),
        ("flag", 1),
        ("size / 0 = 1", 0),
        ("size / 0 IS NULL", 4),
        ("(size OR 0) < 1", 3),
        ("lower(colour) = 'red'", 1),
        ("if(size > 5, 'big', 'small') = 'big'", 1),
        ("aparse(path, '/shop/*/cart') = '42'", 1),
        ("capture(path, r'/shop/(?P<id>\\d+)/.*') = '42'", 1),
        ("substring(colour, 0, 2) = 're'", 1),
        ("round(2.567, 2) = 2.57", 4),
        ("numeric('12') = 12", 4),
        ("clamp_max(size, 5) = 5", 1),
        ("concat(colour, '-', size) = 'red-7'", 1),
    ],
)
def test_conditions(condition: str, count: int) -> None:
    """Missing is NULL, a comparison with NULL is false, what cannot be computed is NULL."""
    events = [
        event(colour="red", size=7, path="/shop/42/cart"),
        event(colour="blue"),
        event(flag=True),
        event(),
    ]
    assert only(f"SELECT count(*) FROM Transaction WHERE {condition}", events, rings=False) == count


def test_names_of_columns() -> None:
    """An alias as it is written, else function and attribute, else `result`."""
    query = (
        "SELECT count(*), average(duration), max(duration) AS 'Slowest One', "
        "filter(sum(duration), WHERE error), count(*) / 2 FROM Transaction"
    )
    (row,) = rows(query, EVENTS)
    assert list(row) == ["count", "average.duration", "Slowest One", "sum.duration", "result"]


def test_facets_are_ranked_and_limited() -> None:
    """By the first value, the largest first; what is not shown is in otherResult."""
    result = ask("SELECT count(*) FROM Transaction FACET role, host LIMIT 1", EVENTS)
    assert result.rows == [
        {
            "facet": ["stable", "shop-7cd75c6d7c-fghij"],
            "role": "stable",
            "host": "shop-7cd75c6d7c-fghij",
            "count": 75,
        }
    ]
    assert (result.total, result.other) == ({"count": 100}, {"count": 25})
    ascending = "SELECT count(*) AS n FROM Transaction FACET role ORDER BY n ASC"
    assert [row["facet"] for row in rows(ascending, EVENTS)] == ["canary", "stable"]


def test_rows_as_they_are() -> None:
    """The newest first, at most 100, times in milliseconds."""
    found = rows("SELECT role, duration * 1000 AS ms FROM Transaction LIMIT 2", EVENTS)
    assert [row["role"] for row in found] == ["canary", "stable"]
    assert found[0] == {"timestamp": 1_770_170_400_500, "role": "canary", "ms": 100.0}
    assert len(rows("SELECT * FROM Transaction", [*EVENTS, *EVENTS])) == 100


def test_a_comparison_with_an_earlier_window() -> None:
    """Rows of both, each with its name."""
    query = "SELECT count(*) FROM Transaction SINCE 20 seconds ago COMPARE WITH 60 seconds ago"
    result = ask(query, EVENTS)
    assert [row["comparison"] for row in result.rows] == ["current", "previous"]
    assert [row["count"] for row in result.rows] == [21, 21]


def test_weights_count() -> None:
    """A row that stands for seven counts seven times, also in quantiles."""
    events = [event(duration=0.1, weight=7), event(duration=0.9, weight=1)]
    query = "SELECT count(*), average(duration), percentile(duration, 50) FROM Transaction"
    (row,) = rows(query + " WHERE duration > 0", events)
    assert row["count"] == 8
    assert row["average.duration"] == pytest.approx(0.2)
    assert row["percentile.duration"] == {"50": 0.1}


def test_subqueries_read_the_same_window() -> None:
    """In FROM, in IN and as one value."""
    window = "SINCE 30 seconds ago"
    peak = (
        f"SELECT max(n) FROM (SELECT count(*) AS n FROM Transaction TIMESERIES 10 seconds) {window}"
    )
    assert only(peak, EVENTS) == 11
    slow = (
        "SELECT count(*) FROM Transaction WHERE duration > "
        f"(SELECT average(duration) FROM Transaction) {window}"
    )
    assert 0 < only(slow, EVENTS) < 31
    frequent = (
        "SELECT count(*) FROM Transaction WHERE name IN (SELECT name FROM (SELECT count(*) "
        f"FROM Transaction FACET name LIMIT 1)) {window}"
    )
    assert only(frequent, EVENTS) == 20


_SPLIT = """
select average(abs(`canary` - `stable`) / (`stdev` + 0.3)) as `deviation`,
    average(`canary`) as `canary`, average(`stable`) as `stable`
from (
    select (filter(average(`apm.service.transaction.duration`),
                   where host like 'shop-7cd75c6d7c-f%') or -1.0) as `stable`,
           (filter(average(`apm.service.transaction.duration`),
                   where host like 'shop-7cd75c6d7c-a%') or -1.0) as `canary`,
           filter(stddev(`apm.service.transaction.duration`),
                  where host like 'shop-7cd75c6d7c-f%') as `stdev`
    from Metric
    where appName = 'shop' and transactionName in (
        select transactionName from (
            FROM Metric SELECT count(`apm.service.transaction.duration`) FACET transactionName
            WHERE appName = 'shop' LIMIT 16))
    FACET transactionName
) FACET transactionName since 70 seconds ago
"""


def test_canary_and_stable_by_transaction() -> None:
    """Three nested queries over metrics made from transactions; -1 where one arm is idle."""
    found = rows(_SPLIT, EVENTS)
    assert {row["facet"] for row in found} == {"WebTransaction/cart", "WebTransaction/pay"}
    for row in found:
        assert row["deviation"] == pytest.approx(
            abs(row["canary"] - row["stable"]) / (_spread(row) + 0.3)
        )
    idle = rows(_SPLIT, [one for one in EVENTS if one["role"] == "stable"])
    assert {row["canary"] for row in idle} == {-1.0}


def _spread(row: dict[str, Any]) -> float:
    return pstdev(
        float(one["duration"])
        for one in EVENTS[:71]
        if one["role"] == "stable" and one["name"] == row["facet"]
    )


def test_error_rate_from_metrics() -> None:
    """`apm.service.error.count` over `apm.service.transaction.duration`, and as timeslices."""
    modern = (
        "SELECT (count(apm.service.error.count) / count(apm.service.transaction.duration)) * 100 "
        "AS rate FROM Metric WHERE appName = 'shop'"
    )
    assert only(modern, EVENTS) == 10.0
    sliced = (
        "SELECT count(newrelic.timeslice.value) FROM Metric WHERE appName = 'shop' AND "
        "metricTimesliceName = '{}'"
    )
    assert only(sliced.format("HttpDispatcher"), EVENTS) == 100
    assert only(sliced.format("Errors/all"), EVENTS) == 10


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*), role FROM Transaction",
        "SELECT count(*), count(*) FROM Transaction",
        "SELECT average(count(*)) FROM Transaction",
        "SELECT role FROM Transaction FACET host",
        "SELECT count(*) FROM Transaction TIMESERIES 1 second SINCE 1 hour ago",
        "SELECT count(*) FROM Transaction WHERE count(*) > 1",
        "SELECT count(*) FROM Transaction SINCE now UNTIL 5 minutes ago",
        "SELECT count(*) FROM Transaction SINCE 3 days ago",
        "SELECT count(*) FROM Transaction WHERE a RLIKE '('",
        "SELECT percentile(duration, 101) FROM Transaction",
        "SELECT apdex(duration, q: 1) FROM Transaction",
        "SELECT filter(duration, WHERE error) FROM Transaction",
        "SELECT count(*) FROM Transaction SINCE '2026-02-31'",
        "SELECT count(*) FROM Transaction WITH TIMEZONE 'Atlantis/Central' SINCE today",
        "SELECT count(*) FROM Transaction WHERE a = (SELECT role FROM Transaction)",
    ],
)
def test_what_has_no_meaning_is_refused(query: str) -> None:
    """Never a silent 0."""
    with pytest.raises(NrqlError):
        ask(query, EVENTS)


@pytest.mark.parametrize(
    ("since", "seconds"),
    [
        ("5 minutes ago", 300),
        ("90000 milliseconds ago", 90),
        ("1770170340", 60.5),
        ("1770170340000", 60.5),
        ("'2026-02-04 01:59:00'", 60.5),
        ("'2026-02-04T02:59:00+01:00'", 60.5),
        ("today", 7200.5),
        ("this hour", 0.5),
    ],
)
def test_times(since: str, seconds: float) -> None:
    """Relative, epoch in seconds or milliseconds, ISO 8601, and words."""
    window = ask(f"SELECT count(*) FROM Transaction SINCE {since}", []).window
    assert window.seconds == pytest.approx(seconds)
