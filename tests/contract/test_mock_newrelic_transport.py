"""Transport faults as real clients see them: curl, httpx and urllib over a loopback socket."""

from __future__ import annotations

import asyncio
import http.client
import shutil
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from mock_newrelic.adapters.wire_faults import WireProtocol
from mock_newrelic.app import create_app
from mock_newrelic.service.wire import BrokenConnectionError
from mock_newrelic.settings import Settings
from mock_newrelic_bench import ADMIN, APP, KEY, Bench, transactions
from svckit.clock import ManualClock
from svckit.server import serve_in_background

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

QUESTION = f"/v1/metrics?app={APP}&metric=errorRate&window=5m"


@asynccontextmanager
async def _serving(clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(Settings(ephemeral=True), clock=clock)
    async with (
        serve_in_background(app, protocol=WireProtocol) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=5) as apm,
    ):
        sent = await apm.post("/v1/accounts/1/events", json=transactions(99, 1), headers=KEY)
        assert sent.status_code == 200
        yield apm


async def _inject(apm: httpx.AsyncClient, effect: Any, **more: Any) -> None:
    response = await apm.post(
        "/control/injections", json={"app": APP, "effect": effect, **more}, headers=ADMIN
    )
    assert response.status_code == 201, response.text


async def _curl(apm: httpx.AsyncClient, *options: str) -> tuple[int, str]:
    """Return curl's exit code and output."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    process = await asyncio.create_subprocess_exec(
        curl, "-sS", "--noproxy", "*", "-H", "Api-Key: test-key", *options,
        f"{apm.base_url}{QUESTION}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode(errors="replace")


@pytest.mark.parametrize(
    ("effect", "options", "exit_code"),
    [
        pytest.param({"transport": "reset"}, [], 56, id="reset"),
        pytest.param({"transport": "empty_reply"}, [], 52, id="empty_reply"),
        pytest.param({"transport": "garbage"}, [], 1, id="garbage"),
        pytest.param({"transport": "truncate"}, [], 18, id="truncate"),
        pytest.param({"transport": "reset_mid_body"}, [], 56, id="reset_mid_body"),
        pytest.param({"transport": "refuse"}, [], 56, id="refuse"),
        pytest.param({"transport": "hang"}, ["--max-time", "0.4"], 28, id="hang"),
        pytest.param({"hang": "60s"}, ["--max-time", "0.4"], 28, id="hang-60s"),
        pytest.param(
            {"transport": {"latency": {"add": "60s"}}}, ["--max-time", "0.4"], 28, id="latency"
        ),
        pytest.param({"transport": "slow_headers"}, ["--max-time", "0.4"], 28, id="slow_headers"),
        pytest.param({"transport": {"drip": 5}}, ["--max-time", "0.4"], 28, id="drip"),
        pytest.param({"transport": {"drip": 5000}}, [], 0, id="drip-ends"),
        pytest.param({"transport": {"slow_headers": "200ms"}}, [], 0, id="slow_headers-end"),
        pytest.param({"hang": "100ms"}, [], 0, id="hang-ends"),
        pytest.param({"transport": "close_keepalive"}, [], 0, id="close_keepalive"),
    ],
)
async def test_curl_sees_every_transport_fault(
    clock: ManualClock, effect: dict[str, Any], options: list[str], exit_code: int
) -> None:
    """The exit code is the fault's own, the control plane stays up, and the hit is counted."""
    async with _serving(clock) as apm:
        await _inject(apm, effect)
        code, output = await _curl(apm, *options)
        assert code == exit_code
        if code == 0:
            assert '"errorRate":1.0' in output
        [listed] = (await apm.get("/control/injections", headers=ADMIN)).json()["injections"]
        assert listed["hits"] == 1
        [entry] = [
            one
            for one in (await apm.get("/control/requests", headers=ADMIN)).json()["requests"]
            if one["surface"] == "facade"
        ]
        assert (entry["app"], entry["injections"]) == (APP, listed["id"])
        await apm.delete("/control/injections", headers=ADMIN)
        assert await _curl(apm) == (0, (await apm.get(QUESTION, headers=KEY)).text)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        pytest.param("reset", httpx.ReadError, id="reset"),
        pytest.param("empty_reply", httpx.RemoteProtocolError, id="empty_reply"),
        pytest.param("garbage", httpx.RemoteProtocolError, id="garbage"),
        pytest.param("truncate", httpx.RemoteProtocolError, id="truncate"),
        pytest.param("reset_mid_body", httpx.ReadError, id="reset_mid_body"),
        pytest.param("hang", httpx.ReadTimeout, id="hang"),
    ],
)
async def test_httpx_sees_transport_faults(
    clock: ManualClock, kind: str, error: type[Exception]
) -> None:
    """Each is its own exception."""
    async with _serving(clock) as apm:
        await _inject(apm, {"transport": kind})
        with pytest.raises(error):
            await apm.get(QUESTION, headers=KEY, timeout=0.5)


async def test_urllib_sees_a_reset_and_a_short_body(clock: ManualClock) -> None:
    """The standard library's client fails too, and never takes half a body for a whole one."""
    async with _serving(clock) as apm:
        url = f"{apm.base_url}{QUESTION}"

        def read() -> bytes:
            request = urllib.request.Request(url, headers=KEY)  # noqa: S310 - loopback
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(request, timeout=5) as response:
                body: bytes = response.read()
                return body

        await _inject(apm, {"transport": "reset"}, maxHits=1)
        with pytest.raises((ConnectionResetError, urllib.error.URLError)):
            await asyncio.to_thread(read)
        await _inject(apm, {"transport": "truncate"}, maxHits=1)
        with pytest.raises(http.client.IncompleteRead):
            await asyncio.to_thread(read)
        assert b'"errorRate":1.0' in await asyncio.to_thread(read)


async def test_an_answer_in_this_process_breaks_with_an_exception(clock: ManualClock) -> None:
    """Without a socket to break, the request raises; delays do not wait for real time."""
    async with Bench(clock) as bench:
        await bench.fill(10)
        for kind in ("reset", "empty_reply", "garbage", "truncate", "reset_mid_body", "refuse"):
            await bench.inject({"transport": kind})
            with pytest.raises(BrokenConnectionError) as caught:
                await bench.ask()
            assert caught.value.breakage == kind
            assert isinstance(caught.value, ConnectionError)


async def test_ingest_that_is_reset_counts_nothing(clock: ManualClock) -> None:
    """A body whose connection was reset never arrived; the same body counts afterwards."""
    async with _serving(clock) as apm:
        await _inject(apm, {"transport": "reset"}, app="*", surface="event_api", maxHits=1)
        with pytest.raises(httpx.ReadError):
            await apm.post("/v1/accounts/1/events", json=transactions(100), headers=KEY)
        count = QUESTION.replace("errorRate", "count")
        assert (await apm.get(count, headers=KEY)).json()["count"] == 100
        await apm.post("/v1/accounts/1/events", json=transactions(100), headers=KEY)
        assert (await apm.get(count, headers=KEY)).json()["count"] == 200
