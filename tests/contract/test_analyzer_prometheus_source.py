"""Windows from Prometheus: a real one with exact samples, and answers that lie."""

from __future__ import annotations

import json
import math
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from analyzer.adapters.prometheus import PrometheusSource
from analyzer.domain.model import ArmCounts, Window
from analyzer.ports import Arms, Tier
from svckit.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.anyio

NOW = 1_770_170_400  # 2026-02-04T02:00:00Z
WINDOW = Window(start=NOW - 30, end=NOW)
ARMS = Arms(app="vote", canary="7cd75c6d7c", stable="54bc444575")


async def _read(http: httpx.AsyncClient, window: Window = WINDOW) -> Any:
    return await PrometheusSource(http, timeout_seconds=5).read_window(ARMS, window)


async def _read_from(body: bytes, status: int = 200) -> Any:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, content=body))
    async with httpx.AsyncClient(transport=transport, base_url="http://prometheus.test") as http:
        return await _read(http)


def _labels(name: str, arm: str, **more: str) -> dict[str, str]:
    common = {"app": "vote", "pod_template_hash": arm, "job": "vote", "instance": f"{arm}:80"}
    return {"__name__": name, **common, **more}


def _series(arm: str, *values: tuple[float, str], **more: str) -> dict[str, Any]:
    labels = _labels("http_requests_total", arm, **{"code": "200", **more})
    return {"metric": labels, "values": [[NOW + at, text] for at, text in values]}


GOOD = (
    _series(ARMS.canary, (-40, "10"), (-10, "30")),
    _series(ARMS.canary, (-10, "2"), code="500"),
    _series(ARMS.stable, (-40, "100"), (-10, "180")),
)


def _answer(*series: Any, **changes: Any) -> bytes:
    data = {"resultType": "matrix", "result": list(series)}
    return json.dumps({"status": "success", "data": data, **changes}).encode()


async def test_counters_are_counted_by_status() -> None:
    """A series of bad requests that was born in the window counts from zero."""
    reading = await _read_from(_answer(*GOOD))
    assert reading.tier is Tier.COUNTS
    assert reading.canary.counts == ArmCounts(count=22, bad=2)
    assert reading.stable.counts == ArmCounts(count=80, bad=0)


async def test_native_histograms_give_latencies() -> None:
    """Their bins are read as they are."""

    def native(arm: str, before: int, after: int) -> dict[str, Any]:
        def sample(count: int) -> dict[str, Any]:
            return {
                "count": str(count + 1),
                "sum": "1",
                "buckets": [[3, "-0.001", "0.001", "1"], [0, "0.02", "0.025", str(count)]],
            }

        return {
            "metric": _labels("http_request_duration_seconds", arm),
            "histograms": [[NOW - 40, sample(before)], [NOW - 10, sample(after)]],
        }

    reading = await _read_from(
        _answer(*GOOD, native(ARMS.canary, 10, 32), native(ARMS.stable, 100, 180))
    )
    assert reading.tier is Tier.HISTOGRAM
    assert reading.canary.latency.le_ms == (25.0,)
    assert reading.canary.latency.counts == (22,)


async def test_an_arm_that_is_gone_is_empty_and_says_so() -> None:
    """Its counts are not those of an earlier time."""
    reading = await _read_from(_answer(_series(ARMS.canary, (-60, "10")), GOOD[2]))
    assert reading.canary.counts.count == 0
    assert "no sample" in reading.canary.note


LIES = [
    pytest.param(200, b"<html>login</html>", "unusable", id="html"),
    pytest.param(200, _answer(*GOOD)[:-4], "unusable", id="truncated"),
    pytest.param(200, b"null", "unusable", id="null"),
    pytest.param(200, b'{"status":"error","errorType":"x"}', "no success", id="error-as-200"),
    pytest.param(200, _answer(*GOOD, warnings=["a store is down"]), "warnings", id="partial"),
    pytest.param(200, _answer(), "no series", id="no-series"),
    pytest.param(
        200,
        _answer(_series(ARMS.canary, (-60, "1")), _series(ARMS.stable, (-60, "1"))),
        "no sample of either arm",
        id="stale",
    ),
    pytest.param(200, _answer(_series(ARMS.canary, (-10, "NaN"))), "NaN", id="nan"),
    pytest.param(200, _answer(_series(ARMS.canary, (-10, "+Inf"))), "infinite", id="infinite"),
    pytest.param(200, _answer(_series(ARMS.canary, (-10, "x"))), "unusable", id="text"),
    pytest.param(200, _answer(_series(ARMS.canary, (-10, "-1"))), "below zero", id="negative"),
    pytest.param(200, _answer({"metric": {}, "values": 5}), "unusable", id="shape"),
    pytest.param(
        200,
        _answer({**GOOD[0], "metric": _labels("http_requests_total", ARMS.canary)}),
        "no label code",
        id="status-label-missing",
    ),
    pytest.param(
        200,
        _answer(*GOOD, {**GOOD[0], "metric": _labels("http_request_duration_seconds_bucket",
                                                     ARMS.canary, le="0.1")}),
        "no \\+Inf",
        id="buckets-cut",
    ),
    pytest.param(400, b'{"status":"error","errorType":"bad_data"}', "400 .bad_data.", id="400"),
    pytest.param(401, b"", "HTTP 401", id="401"),
    pytest.param(503, b"<html>", "HTTP 503", id="503"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body", "said"), LIES)
async def test_what_cannot_be_trusted_is_an_error(status: int, body: bytes, said: str) -> None:
    """Never an empty arm instead."""
    with pytest.raises(Unavailable, match=said):
        await _read_from(body, status)


# Samples every 10 s; the canary restarts at NOW-15, and its first bad request comes in the window.
EXPOSED = """# TYPE http_requests counter
{requests}
# TYPE http_request_duration_seconds histogram
{latencies}
# EOF
"""


def _exposition() -> str:
    def line(name: str, arm: str, value: int, at: int, **labels: str) -> str:
        every = {"app": "vote", "pod_template_hash": arm, "instance": f"{arm}:80", **labels}
        text = ",".join(f'{key}="{value}"' for key, value in every.items())
        return f"{name}{{{text}}} {value} {at}"

    requests, latencies = [], []
    canary = [100, 110, 120, 125, 5, 15, 25]
    for index, at in enumerate(range(NOW - 65, NOW, 10)):
        requests.append(line("http_requests_total", ARMS.canary, canary[index], at, code="200"))
        requests.append(line("http_requests_total", ARMS.stable, 1000 + 40 * index, at, code="200"))
        if at > NOW - 20:
            requests.append(line("http_requests_total", ARMS.canary, 1, at, code="500"))
        for arm, count in ((ARMS.canary, canary[index]), (ARMS.stable, 1000 + 40 * index)):
            latencies += [
                line("http_request_duration_seconds_bucket", arm, count - count // 5, at, le="0.1"),
                line("http_request_duration_seconds_bucket", arm, count, at, le="0.5"),
                line("http_request_duration_seconds_bucket", arm, count, at, le="+Inf"),
                line("http_request_duration_seconds_count", arm, count, at),
                line("http_request_duration_seconds_sum", arm, count, at),
            ]
    requests.sort(key=lambda text: text.rsplit(" ", 2)[0])
    latencies.sort(key=lambda text: text.rsplit(" ", 2)[0])
    return EXPOSED.format(requests="\n".join(requests), latencies="\n".join(latencies))


@pytest.fixture(name="prometheus", scope="module")
def _prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program, tool = shutil.which("prometheus"), shutil.which("promtool")
    if program is None or tool is None:
        pytest.skip("needs prometheus and promtool (Debian's package prometheus)")
    folder: Path = tmp_path_factory.mktemp("prometheus")
    (folder / "samples.txt").write_text(_exposition())
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    subprocess.run(
        [tool, "tsdb", "create-blocks-from", "openmetrics", "samples.txt", "data"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with subprocess.Popen(
        [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
         "--storage.tsdb.retention.time=100y", f"--web.listen-address=127.0.0.1:{port}"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            _await_ready(f"http://127.0.0.1:{port}/-/ready")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _await_ready(url: str) -> None:
    with httpx.Client(trust_env=False) as client:
        for _ in range(300):
            try:
                if client.get(url).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
    pytest.fail("prometheus did not become ready within 30 s")


@pytest.fixture(name="ask")
def _ask(prometheus: str) -> Callable[[], httpx.AsyncClient]:
    return lambda: httpx.AsyncClient(base_url=prometheus, trust_env=False)


@pytest.mark.external
async def test_a_real_prometheus_counts_exactly(ask: Callable[[], httpx.AsyncClient]) -> None:
    """Over a restart, a newborn series and classic buckets."""
    async with ask() as http:
        reading = await _read(http)
    # Samples at -35 (125), -25 (5 after a restart), -15 (15), -5 (25); bad ones from -15 on.
    assert reading.canary.counts == ArmCounts(count=26, bad=1)
    assert reading.stable.counts == ArmCounts(count=120, bad=0)
    assert reading.tier is Tier.HISTOGRAM
    assert reading.canary.latency.le_ms == (100.0, 500.0)
    assert reading.canary.latency.counts == (20, 5)


@pytest.mark.external
async def test_windows_of_a_real_prometheus_add_up(
    ask: Callable[[], httpx.AsyncClient],
) -> None:
    """Two halves have the requests of the whole, each in one of them."""
    async with ask() as http:
        halves = [
            await _read(http, Window(start=NOW - 60 + 30 * part, end=NOW - 30 + 30 * part))
            for part in (0, 1)
        ]
        whole = await _read(http, Window(start=NOW - 60, end=NOW))
    assert whole.stable.counts.count == sum(half.stable.counts.count for half in halves) == 240


@pytest.mark.external
async def test_a_real_prometheus_without_the_names_is_an_error(
    ask: Callable[[], httpx.AsyncClient],
) -> None:
    """No series of either arm is a wrong name, not an idle application."""
    async with ask() as http:
        with pytest.raises(Unavailable, match="no series"):
            await PrometheusSource(http, timeout_seconds=5).read_window(
                Arms(app="another", canary="a", stable="b"), WINDOW
            )


@pytest.mark.external
async def test_history_of_a_real_prometheus(ask: Callable[[], httpx.AsyncClient]) -> None:
    """Blocks of stable, each as exact as a window."""
    async with ask() as http:
        history = await PrometheusSource(http, timeout_seconds=5).read_history(
            ARMS, Window(start=NOW - 60, end=NOW), block_s=30
        )
    assert history.blocks == ((120, 0), (120, 0))
    assert history.latency is not None
    assert math.inf not in history.latency.le_ms
