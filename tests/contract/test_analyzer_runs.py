"""`GET /v1/analysis?run=`: evidence from call to call, kept, and the same for whoever asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from analyzer_bench import START, analyzer_client
from svckit.clock import ManualClock
from svckit.timestamps import format_timestamp, parse_timestamp

pytestmark = pytest.mark.anyio

QUERY = "/v1/analysis?app=vote&canary=new&stable=old&run=r1"
HEALTHY, BAD = ((6, 300), (24, 1200)), ((16, 300), (24, 1200))
NOTHING = (0, 0)


class Apm:
    """An APM that holds the same counts in every window; `windows` are those it was asked for.

    `arms` is (bad, count) of the canary, then of stable, of 30 s; `until` overrides them for
    windows that end at or before an instant. `ms` is the one latency of each arm.
    """

    def __init__(self, arms: Any = HEALTHY, *, ms: tuple[float, float] = (20.0, 20.0)) -> None:
        self.arms, self.ms = arms, ms
        self.since: list[tuple[float, Any]] = []
        self.windows: list[tuple[str, str]] = []
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer as the APM's REST interface does."""
        if self.down:
            return httpx.Response(503, json={"error": "overloaded"})
        params = request.url.params
        end, seconds = parse_timestamp(params["at"]), int(params["window"].removesuffix("s"))
        if request.url.path.endswith("series"):
            value = 2.0 if params["metric"] == "errorRate" else 0.0
            step = int(params["step"].removesuffix("s"))
            points = [
                {"at": format_timestamp(end - at), "value": value, "sampleCount": 1200}
                for at in range(0, seconds, step)
            ]
            return httpx.Response(200, json={"points": points})
        self.windows.append((params["hash"], params["at"]))
        arms = next((one for at, one in reversed(self.since) if end > at), self.arms)
        index = ("new", "old").index(params["hash"])
        bad, count = arms[index]
        if not count:
            return httpx.Response(404, json={"error": "no_data", "status": 404})
        buckets = [{"le": self.ms[index], "count": count}]
        return httpx.Response(200, json={"buckets": buckets, "count": count, "errors": bad})


async def looks(client: httpx.AsyncClient, clock: ManualClock, number: int) -> list[dict[str, Any]]:
    """Ask every 30 s and return the answers."""
    found = []
    for _ in range(number):
        response = await client.get(QUERY)
        assert response.status_code == 200, response.text
        found.append(response.json())
        clock.advance(30)
    return found


async def test_evidence_adds_up_until_a_verdict() -> None:
    """No single window is enough for a pass; several are, and a regression fails for good."""
    clock, apm = ManualClock(START), Apm()
    async with analyzer_client(apm, clock=clock) as client:
        first = (await client.get(f"{QUERY}&window=30s")).json()
        answers = await looks(client, clock, 20)
        assert answers[-1]["verdict"] == "pass"
        apm.since.append((clock.now(), BAD))
        failed = await looks(client, clock, 6)
        apm.since.append((clock.now(), HEALTHY))
        later = await looks(client, clock, 5)
    assert (first["verdict"], first["windows"], first["window"]) == ("inconclusive", 0, None)
    assert [one["windows"] for one in answers] == sorted(one["windows"] for one in answers)
    assert failed[-1]["verdict"] == "fail"
    assert {one["verdict"] for one in later} == {"fail"}
    assert later[-1]["failedAt"] == failed[-1]["failedAt"]


async def test_every_window_is_read_once_and_when_it_has_closed() -> None:
    """Disjoint windows of whole seconds, each asked for once, none before its lag is over."""
    clock, apm = ManualClock(START + 0.4), Apm()
    async with analyzer_client(apm, clock=clock, ingestion_lag_seconds=10) as client:
        for _ in range(50):
            await client.get(f"{QUERY}&window=1m")
            clock.advance(3)
        newest = max(parse_timestamp(at) for _, at in apm.windows)
        first = parse_timestamp((await client.get(QUERY)).json()["window"]["start"])
    of_canary = [parse_timestamp(at) for name, at in apm.windows if name == "new"]
    assert of_canary == [START - 30 + 30 * index for index in range(len(of_canary))]
    assert newest + 10 <= clock.now() < newest + 30 + 10 + 3
    assert first == START - 60


async def test_the_answer_is_one_within_an_interval() -> None:
    """A retry and a second gate see the same bytes."""
    clock, apm = ManualClock(START), Apm()
    async with analyzer_client(apm, clock=clock) as client:
        first = await client.get(QUERY)
        clock.advance(9)
        second = await client.get(QUERY)
        clock.advance(30)
        third = await client.get(QUERY)
    assert first.content == second.content != third.content


async def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    """What another process finds in the directory leads to the same bytes."""
    apm = Apm()
    answers = []
    for restarts in (False, True):
        clock, state = ManualClock(START), tmp_path / str(restarts)
        settings = {"clock": clock, "ephemeral": False, "state_dir": state}
        found = b""
        for _ in range(6 if restarts else 1):
            async with analyzer_client(apm, **settings) as client:
                for _ in range(1 if restarts else 6):
                    found = (await client.get(QUERY)).content
                    clock.advance(30)
        answers.append(found)
    assert answers[0] == answers[1]


async def test_two_replicas_agree(tmp_path: Path) -> None:
    """Whichever of them reads a window, both judge what was kept."""
    clock, apm = ManualClock(START), Apm(BAD)
    settings = {"clock": clock, "ephemeral": False, "state_dir": tmp_path}
    async with analyzer_client(apm, **settings) as one, analyzer_client(apm, **settings) as two:
        for turn in range(8):
            order = (one, two) if turn % 2 else (two, one)
            first, second = [(await each.get(QUERY)).content for each in order]
            assert first == second
            clock.advance(30)
    assert b'"fail"' in first


async def test_a_failing_source_is_no_verdict_and_loses_nothing() -> None:
    """The call is a problem; when the source is back, what was missed is read."""
    clock, apm = ManualClock(START), Apm()
    async with analyzer_client(apm, clock=clock) as client:
        before = (await looks(client, clock, 2))[-1]
        apm.down = True
        clock.advance(60)
        response = await client.get(QUERY)
        assert (response.status_code, response.json()["error"]) == (502, "source_failed")
        apm.down = False
        after = (await client.get(QUERY)).json()
    assert after["windows"] == before["windows"] + 2 * 3


async def test_latency_fails_a_run() -> None:
    """Three times as slow, no request failed."""
    clock, apm = ManualClock(START), Apm(((0, 300), (0, 1200)), ms=(60.0, 20.0))
    async with analyzer_client(apm, clock=clock) as client:
        answer = (await looks(client, clock, 4))[-1]
    assert (answer["verdict"], answer["reasonCode"]) == ("fail", "latency_higher")
    assert answer["latencyMs"]["canary"]["p99"] == 60


CASES = {
    "no stable arm": (((6, 300), NOTHING), "", "no_baseline"),
    "no canary": ((NOTHING, (24, 1200)), "", "no_data"),
    "all traffic": (((6, 300), NOTHING), "&weight=100", "all_traffic"),
    "traffic split": (((24, 1200), (6, 300)), "&weight=20", "traffic_split"),
    "few requests": (((0, 2), (0, 8)), "", "not_enough_samples"),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_keeps_a_run_open_has_its_own_code(case: str) -> None:
    """Inconclusive, with the reason."""
    arms, more, code = CASES[case]
    clock, apm = ManualClock(START), Apm(arms)
    async with analyzer_client(apm, clock=clock) as client:
        answer = (await client.get(QUERY + more)).json()
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", code)


async def test_a_canary_that_falls_silent_holds() -> None:
    """It had passed; without requests it does not pass any more."""
    clock, apm = ManualClock(START), Apm()
    async with analyzer_client(apm, clock=clock) as client:
        assert (await looks(client, clock, 20))[-1]["verdict"] == "pass"
        apm.since.append((clock.now(), (NOTHING, (24, 1200))))
        answer = (await looks(client, clock, 5))[-1]
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", "canary_silent")


async def test_a_canary_that_came_back_warms_up_again(tmp_path: Path) -> None:
    """With a warm-up configured, the first minute after a silence does not count."""
    (tmp_path / "warm.yaml").write_text("warmup: 1m\n", encoding="utf-8")
    clock, apm = ManualClock(START), Apm()
    async with analyzer_client(
        apm, clock=clock, config_dir=tmp_path, default_config="warm"
    ) as client:
        apm.since = [
            (START - 300, HEALTHY),
            (START - 150, (NOTHING, (24, 1200))),
            (START - 60, HEALTHY),
        ]
        back = (await client.get(QUERY)).json()
        first = (await client.get(f"{QUERY}2&since=2026-02-04T01:59:00Z")).json()
    assert (back["verdict"], back["reasonCode"]) == ("inconclusive", "canary_restarted")
    assert (first["verdict"], first["reasonCode"]) == ("inconclusive", "warming_up")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("canary=new", "canary=newer", "canary_changed"),
        ("stable=old", "stable=older", "baseline_changed"),
    ],
)
async def test_another_pair_is_not_judged_by_the_run(old: str, new: str, code: str) -> None:
    """A new hash in the middle neither passes nor fails, and is not read."""
    clock, apm = ManualClock(START), Apm()
    async with analyzer_client(apm, clock=clock) as client:
        await looks(client, clock, 20)
        asked = len(apm.windows)
        answer = (await client.get(QUERY.replace(old, new))).json()
        same = (await client.get(QUERY)).json()
    assert (answer["verdict"], answer["reasonCode"]) == ("inconclusive", code)
    assert same["verdict"] == "pass"
    assert len(apm.windows) == asked + 2


async def test_a_run_is_of_one_application() -> None:
    """Another one under the same name is refused."""
    async with analyzer_client(Apm()) as client:
        await client.get(QUERY)
        response = await client.get(QUERY.replace("app=vote", "app=other"))
    assert (response.status_code, response.json()["errors"][0]["loc"]) == (422, "query.run")


async def test_a_clock_that_jumps_back_changes_nothing() -> None:
    """No window is read again, and the answer stays."""
    clock, apm = ManualClock(START), Apm()
    async with analyzer_client(apm, clock=clock) as client:
        before = await client.get(QUERY)
        asked = len(apm.windows)
        clock.advance(-600)
        after = await client.get(QUERY)
    assert before.content == after.content
    assert len(apm.windows) == asked


async def test_a_changed_configuration_is_for_new_runs(tmp_path: Path) -> None:
    """A run keeps what it began with and says so; a broken file is the caller's error."""
    file = tmp_path / "mine.yaml"
    file.write_text("alpha: {fail: 1%}\n", encoding="utf-8")
    clock = ManualClock(START)
    async with analyzer_client(Apm(), clock=clock, config_dir=tmp_path) as client:
        began = (await client.get(f"{QUERY}&config=mine")).json()
        file.write_text("alpha: {fail: 2%}  # now\n", encoding="utf-8")
        clock.advance(30)
        kept = (await client.get(f"{QUERY}&config=mine")).json()
        new = (await client.get(f"{QUERY}2&config=mine")).json()
        file.write_text("alpha: {fail: much}\n", encoding="utf-8")
        broken = await client.get(f"{QUERY}3&config=mine")
    assert began["config"] == kept["config"] != new["config"]
    assert kept["notes"] == [f"the run is judged by mine {began['config']['hash']}, as it began"]
    assert (broken.status_code, broken.json()["error"]) == (422, "invalid_config")
    assert "alpha.fail" in broken.json()["detail"]


async def test_the_history_tells_every_look() -> None:
    """What a call said at the time is what the history says of that look."""
    clock, apm = ManualClock(START), Apm(BAD)
    async with analyzer_client(apm, clock=clock) as client:
        answers = await looks(client, clock, 5)
        history = (await client.get("/v1/analysis/r1")).json()
        clock.advance(3600)
        stale = (await client.get("/v1/analysis/r1")).json()
        page = await client.get("/v1/analysis/r1/page")
    said = {one["timestamp"][:19]: one["reasonCode"] for one in answers if one["timestamp"]}
    told = {one["end"][:19]: one["reasonCode"] for one in history["looks"]}
    assert said.items() <= told.items()
    assert history["looks"][-1]["observed"]["errors"]["canary"]["count"] == 300
    assert history["history"]["blocks"] == 120
    assert history["current"]["verdict"] == stale["current"]["verdict"] == "fail"
    assert page.headers["content-type"].startswith("text/html")
    assert "uPlot" in page.text
    assert "error_rate_higher" in page.text


async def test_a_run_left_alone_is_stale() -> None:
    """It had passed; an hour later its last window says nothing about now."""
    clock = ManualClock(START)
    async with analyzer_client(Apm(), clock=clock) as client:
        await looks(client, clock, 20)
        clock.advance(3600)
        history = (await client.get("/v1/analysis/r1")).json()
    assert history["looks"][-1]["verdict"] == "pass"
    assert (history["current"]["verdict"], history["current"]["reasonCode"]) == (
        "inconclusive",
        "stale",
    )


async def test_an_unknown_run_is_404() -> None:
    """Neither history nor page."""
    async with analyzer_client(Apm()) as client:
        found = [await client.get(f"/v1/analysis/nobody{end}") for end in ("", "/page")]
    assert [(one.status_code, one.json()["error"]) for one in found] == [(404, "unknown_run")] * 2


async def test_an_unusable_store_is_a_problem(tmp_path: Path) -> None:
    """The verdict does not pretend to be kept."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    async with analyzer_client(Apm(), ephemeral=False, state_dir=tmp_path / "file") as client:
        response = await client.get(QUERY)
    assert (response.status_code, response.json()["error"]) == (503, "store_failed")
