"""The APM page: what it shows, what it refuses, and what its stream sends."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import httpx
import pytest

from mock_newrelic.app import create_app
from mock_newrelic.settings import Settings
from mock_newrelic_bench import APP, CANARY, KEY, STABLE, Bench, transactions
from svckit.clock import ManualClock
from svckit.server import serve_in_background

pytestmark = pytest.mark.anyio


@pytest.fixture(name="bench")
async def _bench(clock: ManualClock) -> AsyncIterator[Bench]:
    async with Bench(clock) as bench:
        yield bench


async def test_the_page_shows_rates_and_injections(bench: Bench) -> None:
    """The page lists applications by hash and what is in force."""
    await bench.fill(98, 2, podTemplateHash=CANARY)
    await bench.inject({"set": 5.2}, role="canary")
    response = await bench.http.get("/")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    for text in (APP, CANARY, ">2.0<", "inj_000001", "role=canary", 'id="chart-errorRate"'):
        assert text in response.text


async def test_the_page_says_on_top_that_it_lies(bench: Bench) -> None:
    """As long as anything is in force; a rehearsal does not count."""
    await bench.fill(1)
    assert re.search(r'id="lying"[^>]* hidden', (await bench.http.get("/")).text)
    await bench.inject({"set": 5.2}, dryRun=True)
    assert re.search(r'id="lying"[^>]* hidden', (await bench.http.get("/")).text)
    await bench.inject({"status": 503}, surface="nerdgraph", probability=0.5)
    text = (await bench.http.get("/")).text
    assert re.search(r'id="lying" href="#injections-title">1 injection in force<', text)
    assert "surface=nerdgraph probability=0.5" in text


async def test_the_page_loads_nothing_from_elsewhere(bench: Bench) -> None:
    """It is self-contained, and its policy allows no script but its own."""
    await bench.fill(1)
    response = await bench.http.get("/")
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", response.text)
    policy = response.headers["content-security-policy"]
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)
    assert nonce
    scripts = re.findall(r"<script([^>]*)>", response.text)
    data = ' type="application/json" id="state"'
    assert scripts == [data, *[f' nonce="{nonce[1]}"'] * 2]
    assert "default-src 'none'" in policy


async def test_the_page_escapes_what_was_sent(bench: Bench) -> None:
    """Labels and reasons with markup are text."""
    await bench.fill(1, podTemplateHash="<b>x</b>")
    await bench.inject({"set": 1}, app="<i>*", role="<u>")
    text = (await bench.http.get("/")).text
    assert not re.search(r"<(b|i|u)>", text)
    assert "&lt;b&gt;" in text
    assert "\\u003cb\\u003e" in text


async def test_the_form_injects_and_clears(bench: Bench) -> None:
    """Submitting the form does what the API does, and returns to the page."""
    fields = {"key": "admin-key", "app": APP, "effect": "set", "value": "5.2", "ttl": "10m"}
    response = await bench.http.post("/ui/inject", data=fields)
    assert (response.status_code, response.headers["location"]) == (303, "../")
    assert await bench.value() == 5.2
    cleared = await bench.http.post("/ui/clear", data={"key": "admin-key"})
    assert cleared.status_code == 303
    assert await bench.error() == "404 unknown_app"


@pytest.mark.parametrize(
    ("changes", "status", "text"),
    [
        pytest.param({"key": "wrong"}, 401, "the admin key is wrong", id="wrong-key"),
        pytest.param({"key": "test-key"}, 403, "needs the admin key", id="reading-key"),
        pytest.param({"key": ""}, 401, "the admin key is missing", id="no-key"),
        pytest.param({"value": "many"}, 422, "effect.set is not a number", id="bad-value"),
        pytest.param({"value": "NaN"}, 422, "out of range", id="nan"),
        pytest.param({"ttl": "soon"}, 422, "invalid duration", id="bad-ttl"),
        pytest.param({"effect": "status", "value": "503"}, 303, "", id="status"),
        pytest.param({"effect": "no_data", "value": ""}, 303, "", id="no-data"),
    ],
)
async def test_the_form_explains_what_is_wrong(
    bench: Bench, changes: dict[str, str], status: int, text: str
) -> None:
    """A bad field gives the page again, with the reason."""
    fields = {"key": "admin-key", "app": APP, "effect": "set", "value": "5.2", "ttl": "10m"}
    response = await bench.http.post("/ui/inject", data={**fields, **changes})
    assert response.status_code == status
    assert text in response.text


async def test_a_script_gets_the_reason_as_a_problem(bench: Bench) -> None:
    """The same form, sent in place, answers with JSON."""
    accept = {"Accept": "application/json"}
    refused = await bench.http.post("/ui/clear", data={"key": "wrong"}, headers=accept)
    assert (refused.status_code, refused.json()["error"]) == (401, "unauthorized")
    done = await bench.http.post("/ui/clear", data={"key": "admin-key"}, headers=accept)
    assert done.json() == {"done": True}


async def test_arms_have_their_own_values(bench: Bench) -> None:
    """Each role has a row and a line; a role without samples says so instead of zero."""
    await bench.fill(95, 5, role="canary", podTemplateHash=CANARY)
    await bench.fill(200, role="stable", podTemplateHash=STABLE)
    state = await _state(bench)
    rows = {arm["label"]: arm for arm in state["arms"]}
    assert rows["canary"]["errorRate"] == "5.0"
    assert rows["stable"]["errorRate"] == "0.0"
    assert rows["all"]["requests"] == "300"
    assert rows["canary"]["tone"] == "canary"
    bench.clock.advance(400)
    state = await _state(bench)
    assert {arm["errorRate"] for arm in state["arms"]} == {"no data"}
    assert all(set(arm["series"]["errorRate"]) == {None} for arm in state["arms"])


@pytest.mark.parametrize("window", ["5x", "1d", "", "<b>"])
async def test_an_unknown_window_is_the_usual_one(bench: Bench, window: str) -> None:
    """An address that somebody mended by hand still shows the page."""
    await bench.fill(1)
    response = await bench.http.get("/", params={"window": window, "app": "nobody"})
    assert response.status_code == 200
    assert '"window":"5m"' in response.text


async def test_the_stream_sends_the_state(clock: ManualClock) -> None:
    """Server-sent events carry the state again and again, over a real connection."""
    app = create_app(Settings(ephemeral=True), clock=clock)
    async with serve_in_background(app) as url, httpx.AsyncClient(base_url=url) as http:
        await http.post("/v1/accounts/1/events", json=transactions(98, 2), headers=KEY)
        states = []
        async with http.stream("GET", "/ui/stream", params={"app": APP}) as response:
            assert response.headers["content-type"].startswith("text/event-stream")
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    states.append(json.loads(line.removeprefix("data:")))
                if len(states) == 2:
                    break
    assert states[0] == states[1]
    assert states[0]["arms"][0]["errorRate"] == "2.0"


async def _state(bench: Bench) -> dict:  # type: ignore[type-arg]
    text = (await bench.http.get("/", params={"app": APP})).text
    match = re.search(r'id="state">(.*?)</script>', text)
    assert match
    return json.loads(match[1])
