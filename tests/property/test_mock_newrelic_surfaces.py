"""All surfaces have one opinion about a window, whatever came in and whatever is injected."""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from mock_newrelic_bench import APP, KEY, Bench
from svckit.clock import ManualClock

NOW = 1_770_170_400.25
WINDOW = 180
ROLES = ("canary", "stable")


@dataclass(frozen=True)
class Burst:
    """Equal transactions at one time."""

    age: float
    role: str
    good: int
    bad: int
    duration: float


BURSTS = st.lists(
    st.builds(
        Burst,
        age=st.floats(0, 400),
        role=st.sampled_from(ROLES),
        good=st.integers(0, 30),
        bad=st.integers(0, 10),
        duration=st.floats(0.001, 3.0),
    ),
    min_size=1,
    max_size=12,
)
EFFECTS = st.sampled_from(
    [
        None,
        {"error_ratio": 0.3},
        {"latency": {"add": "300ms"}},
        {"throughput_scale": 0.5},
        {"drop": 0.25},
        {"no_data": True},
    ]
)


async def _opinions(bench: Bench, role: str | None) -> dict[str, dict[str, Any]]:
    """Return what every surface says of the window: count, error rate, mean, p95 and apdex."""
    where = f"WHERE appName = '{APP}'" + (f" AND role = '{role}'" if role else "")
    nrql = (
        "SELECT count(*) AS n, percentage(count(*), WHERE error IS true) AS e, "
        "average(duration) * 1000 AS m, percentile(duration, 95) AS p, "
        f"apdex(duration, t: 0.5) AS a FROM Transaction {where} SINCE {WINDOW} seconds ago"
    )
    selector = {"role": role} if role else {}
    query = {"app": APP, "window": f"{WINDOW}s", **selector}
    names = ("count", "errorRate", "responseTime", "p95", "apdex")
    facade = [
        await bench.http.get("/v1/metrics", params={**query, "metric": name}, headers=KEY)
        for name in names
    ]
    said: dict[str, dict[str, Any]] = {
        "facade": {
            name: response.json().get(name) for name, response in zip(names, facade, strict=True)
        }
    }
    several = await bench.http.get(
        "/v1/metrics", params={**query, "metric": ",".join(names)}, headers=KEY
    )
    said["list"] = {name: several.json().get(name) for name in names}
    graph = await bench.http.post(
        "/graphql",
        json={
            "query": "query($q: Nrql!) { actor { account(id: 1) { nrql(query: $q) "
            "{ results } } } }",
            "variables": {"q": nrql},
        },
        headers=KEY,
    )
    (row,) = graph.json()["data"]["actor"]["account"]["nrql"]["results"]
    said["nerdgraph"] = _of_row(row)
    insights = await bench.http.get("/v1/accounts/1/query", params={"nrql": nrql}, headers=KEY)
    said["insights"] = _of_row({k: v for one in insights.json()["results"] for k, v in one.items()})
    histogram = await bench.http.get("/v1/metrics/histogram", params=query, headers=KEY)
    if histogram.status_code == 200:
        document = histogram.json()
        said["histogram"] = {
            "count": document["count"],
            "errorRate": round(100 * document["errors"] / document["count"], 4),
        }
    chart = await bench.http.get(
        "/v1/metrics/series", params={**query, "metric": "count", "step": "30s"}, headers=KEY
    )
    if chart.status_code == 200:
        said["series"] = {"count": sum(point["value"] for point in chart.json()["points"])}
    if role is None:
        said["rest v2"] = await _rest(bench)
    return said


def _of_row(row: dict[str, Any]) -> dict[str, Any]:
    percentile = row["p"]["95"]
    return {
        "count": row["n"] or None,
        "errorRate": _rounded(row["e"]),
        "responseTime": _rounded(row["m"]),
        "p95": None if percentile is None else _rounded(percentile * 1000),
        "apdex": _rounded(row["a"]),
    }


async def _rest(bench: Bench) -> dict[str, Any]:
    (application,) = (await bench.http.get("/v2/applications.json", headers=KEY)).json()[
        "applications"
    ]
    summary = application.get("application_summary", {})
    path = f"/v2/applications/{application['id']}/metrics/data.json"
    parameters = {
        "names[]": ["HttpDispatcher", "Errors/all", "Apdex"],
        "from": f"{int(bench.clock.now()) - WINDOW}",
        "summarize": "true",
    }
    data = (await bench.http.get(path, params=parameters, headers=KEY)).json()["metric_data"]
    calls, errors, apdex = (metric["timeslices"][0]["values"] for metric in data["metrics"])
    count = calls["call_count"]
    rate = 100 * errors["error_count"] / count if count else None
    assert _rounded(rate) == summary.get("error_rate")
    assert apdex.get("score") == summary.get("apdex_score")
    return {
        "count": count or None,
        "errorRate": summary.get("error_rate"),
        "responseTime": calls.get("average_response_time"),
        "apdex": summary.get("apdex_score"),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


@pytest.mark.parametrize("role", [None, "canary"])
@given(bursts=BURSTS, effect=EFFECTS, scope=st.sampled_from([None, "canary", "stable"]))
@settings(max_examples=15, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_surfaces_agree(
    role: str | None, bursts: list[Burst], effect: dict[str, Any] | None, scope: str | None
) -> None:
    """Facade, charts, histogram, NerdGraph, Insights and REST v2 tell the same numbers."""

    async def run() -> None:
        clock = ManualClock(NOW)
        async with Bench(clock) as bench:
            await bench.fill(1, role="stable", timestamp=int((NOW - 500) * 1000))
            for one in bursts:
                if one.good + one.bad:
                    await bench.fill(
                        one.good,
                        one.bad,
                        role=one.role,
                        duration=one.duration,
                        timestamp=int((NOW - one.age) * 1000),
                    )
            if effect is not None:
                await bench.inject(effect, **({"role": scope} if scope else {}))
            said = await _opinions(bench, role)
            facade = said.pop("facade")
            if effect is not None:
                # A chart shows an injection in the steps since it is in force, and it began now.
                said.pop("series", None)
            for surface, numbers in said.items():
                for name, number in numbers.items():
                    assert number == pytest.approx(facade[name], abs=2e-4), (surface, name)

    anyio.run(run)
