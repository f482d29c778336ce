"""Cluster names over real sockets: Services, selectors, refusals, the proxy of the Jobs."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from loopback_server import LoopbackServer, Seen, answer
from rollout_runner.adapters.cluster_network import Address, ClusterNetwork

pytestmark = pytest.mark.anyio

STABLE, CANARY = "vote.voting01-qa", "vote-canary.voting01-qa"
APM = "mock-newrelic.voting01-apm.svc.cluster.local"


@asynccontextmanager
async def network(*services: str) -> AsyncIterator[ClusterNetwork]:
    """Yield an open network."""
    opened = ClusterNetwork()
    await opened.open(list(services))
    try:
        yield opened
    finally:
        await opened.close()


def address(server: LoopbackServer) -> Address:
    """Return where a server listens."""
    return Address("127.0.0.1", server.port)


async def get(where: Address | None, path: str = "/") -> str:
    """Return the body that an address answers with."""
    assert where is not None
    async with httpx.AsyncClient(trust_env=False) as client:
        return (await client.get(f"http://{where}{path}")).text


async def raw(where: Address, data: bytes, *, half_close: bool = False) -> bytes:
    """Send bytes and return everything that comes back."""
    reader, writer = await asyncio.open_connection(where.host, where.port)
    try:
        writer.write(data)
        if half_close:
            writer.write_eof()
        async with asyncio.timeout(10):
            return await reader.read()
    finally:
        writer.close()


def version(name: str) -> LoopbackServer:
    """Return a version of the application that says its name."""
    return LoopbackServer(answer(200, name.encode()))


async def test_a_service_leads_to_the_pods_that_it_selects() -> None:
    """And to others as soon as the selector is another, as after an abort."""
    async with network(STABLE, CANARY) as cluster, version("v16") as old, version("v17") as new:
        cluster.add_pods("old", address(old))
        cluster.add_pods("new", address(new))
        cluster.select(STABLE, "old")
        cluster.select(CANARY, "new")
        assert await get(cluster.resolve(STABLE)) == "v16"
        assert await get(cluster.resolve(CANARY)) == "v17"
        cluster.select(CANARY, "old")
        assert await get(cluster.resolve(CANARY)) == "v16"


async def test_a_service_without_endpoints_refuses() -> None:
    """Nothing selected, or pods that are not there (any more): the connection is reset."""
    async with network(CANARY) as cluster, version("v17") as new:
        with pytest.raises(httpx.HTTPError):
            await get(cluster.resolve(CANARY))
        cluster.select(CANARY, "new")
        with pytest.raises(httpx.HTTPError):
            await get(cluster.resolve(CANARY))
        cluster.add_pods("new", address(new))
        assert await get(cluster.resolve(CANARY)) == "v17"
        cluster.remove_pods("new")
        with pytest.raises(httpx.HTTPError):
            await get(cluster.resolve(CANARY))


async def test_pods_that_are_gone_refuse() -> None:
    """The process ended, but nobody has noticed yet."""
    async with network(CANARY) as cluster:
        async with version("v17") as new:
            cluster.add_pods("new", address(new))
            cluster.select(CANARY, "new")
        with pytest.raises(httpx.HTTPError):
            await get(cluster.resolve(CANARY))


async def test_an_open_connection_stays_where_it_is() -> None:
    """A new selector is for new connections, as with kube-proxy."""
    async with network(STABLE) as cluster, version("v16") as old, version("v17") as new:
        cluster.add_pods("old", address(old))
        cluster.add_pods("new", address(new))
        cluster.select(STABLE, "old")
        where = cluster.resolve(STABLE)
        assert where is not None
        async with httpx.AsyncClient(trust_env=False) as client:
            first = await client.get(f"http://{where}/")
            cluster.select(STABLE, "new")
            second = await client.get(f"http://{where}/")
        assert (first.text, second.text) == ("v16", "v16")
        assert await get(where) == "v17"


async def test_a_client_may_half_close() -> None:
    """What comes after the client has said all is still passed on."""

    async def slow(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        writer.write(answer(200, b"late"))
        writer.close()

    async with network(STABLE) as cluster, LoopbackServer(slow) as pods:
        cluster.add_pods("old", address(pods))
        cluster.select(STABLE, "old")
        where = cluster.resolve(STABLE)
        assert where is not None
        data = await raw(where, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", half_close=True)
    assert data.endswith(b"late")


async def test_large_bodies_pass_both_ways() -> None:
    """Nothing is lost between two pipes."""
    body = bytes(range(256)) * 8192

    def echo(seen: Seen) -> bytes:
        return answer(200, seen.body)

    async with network(STABLE) as cluster, LoopbackServer(echo) as pods:
        cluster.add_pods("old", address(pods))
        cluster.select(STABLE, "old")
        async with httpx.AsyncClient(trust_env=False) as client:
            response = await client.post(f"http://{cluster.resolve(STABLE)}/", content=body)
    assert response.content == body


async def test_closing_ends_what_is_connected() -> None:
    """No listener and no connection is left."""

    async def silent(_seen: Seen, _writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    cluster = ClusterNetwork()
    await cluster.open([STABLE])
    async with LoopbackServer(silent) as pods:
        cluster.add_pods("old", address(pods))
        cluster.select(STABLE, "old")
        where = cluster.resolve(STABLE)
        assert where is not None
        waiting = asyncio.ensure_future(raw(where, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        while not pods.seen:  # noqa: ASYNC110 - a server on another socket
            await asyncio.sleep(0.01)
        await cluster.close()
        assert await waiting == b""
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await asyncio.open_connection(where.host, where.port)


async def test_the_proxy_knows_cluster_names() -> None:
    """An absolute-form request goes to the name's address with path, query, headers and body."""

    def reply(seen: Seen) -> bytes:
        return answer(200, f"{seen.method} {seen.target} {seen.header('Host')}".encode())

    async with network() as cluster, LoopbackServer(reply) as apm:
        cluster.publish("mock-newrelic", address(apm))
        async with httpx.AsyncClient(proxy=cluster.proxy_url, trust_env=False) as client:
            url = f"http://{APM}:8080/v1/metrics?app=a%20b&window=5m"
            got = await client.get(url, headers={"Api-Key": "k"})
            posted = await client.post(f"http://{APM}:8080/x", content=b"body")
    assert got.text == f"GET /v1/metrics?app=a%20b&window=5m {APM}:8080"
    assert apm.seen[0].header("Api-Key") == "k"
    assert posted.status_code == 200
    assert apm.seen[1].body == b"body"


async def test_the_proxy_asks_for_the_root_when_there_is_no_path() -> None:
    """`http://name?x=1` has an empty path."""
    async with network() as cluster, version("apm") as apm:
        cluster.publish("mock-newrelic", address(apm))
        proxy = Address.of_url(cluster.proxy_url)
        await raw(proxy, f"GET http://{APM}?x=1 HTTP/1.1\r\nHost: {APM}\r\n\r\n".encode())
    assert apm.seen[0].target == "/?x=1"


async def test_the_proxy_closes_after_one_answer() -> None:
    """The next request may be for another host, so it comes on another connection."""
    async with network() as cluster, version("apm") as apm:
        cluster.publish("mock-newrelic", address(apm))
        async with httpx.AsyncClient(proxy=cluster.proxy_url, trust_env=False) as client:
            await client.get(f"http://{APM}/")
    assert apm.seen[0].header("Connection") == "close"


async def test_the_proxy_follows_selectors() -> None:
    """Jobs see the Services as everybody else does."""
    async with network(CANARY) as cluster, version("v16") as old:
        cluster.add_pods("old", address(old))
        async with httpx.AsyncClient(proxy=cluster.proxy_url, trust_env=False) as client:
            url = f"http://{CANARY}.svc.cluster.local/"
            with pytest.raises(httpx.HTTPError):
                await client.get(url)
            cluster.select(CANARY, "old")
            assert (await client.get(url)).text == "v16"
            assert (await client.get("http://vote-canary/")).text == "v16"


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("http://nobody.ns.svc.cluster.local/", id="unknown-name"),
        pytest.param("http://nobody.ns.svc/", id="unknown-short-name"),
        pytest.param("/path", id="origin-form"),
        pytest.param("example.com:443", id="connect"),
        pytest.param("http://apm:port/", id="bad-port"),
    ],
)
async def test_the_proxy_gives_no_answer_for_what_it_does_not_know(target: str) -> None:
    """The connection is reset: a script that takes any answer for a good one must not get one."""
    async with network() as cluster:
        proxy = Address.of_url(cluster.proxy_url)
        with pytest.raises(ConnectionResetError):
            await raw(proxy, f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())


@pytest.mark.parametrize(
    "data", [b"\r\n\r\n", b"GET\r\n\r\n", b"\x16\x03\x01" * 30000, b"GET http://x/ HTTP/1.1\r\n"]
)
async def test_the_proxy_survives_nonsense(data: bytes) -> None:
    """What is no request ends its connection and nothing else."""
    async with network() as cluster, version("apm") as apm:
        cluster.publish("mock-newrelic", address(apm))
        proxy = Address.of_url(cluster.proxy_url)
        with suppress(ConnectionResetError):
            assert await raw(proxy, data, half_close=True) == b""
        async with httpx.AsyncClient(proxy=cluster.proxy_url, trust_env=False) as client:
            assert (await client.get(f"http://{APM}/")).text == "apm"


async def test_the_proxy_passes_other_hosts_on() -> None:
    """A Job may call what is not in the cluster."""
    async with (
        network() as cluster,
        version("outside") as outside,
        httpx.AsyncClient(proxy=cluster.proxy_url, trust_env=False) as client,
    ):
        response = await client.get(f"{outside.url}/x?y=1")
    assert (response.text, outside.seen[0].target) == ("outside", "/x?y=1")


@pytest.mark.external
async def test_curl_uses_the_proxy(tmp_path: Path) -> None:
    """The program that the Jobs of the component use, as they use it."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    async with network() as cluster, version("apm") as apm:
        cluster.publish("mock-newrelic", address(apm))
        outcomes = []
        for url in (f"http://{APM}:8080/v1", "http://nobody.ns.svc.cluster.local/"):
            process = await asyncio.create_subprocess_exec(
                curl,
                "-sS",
                url,
                env={"http_proxy": cluster.proxy_url},
                cwd=tmp_path,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, _ = await process.communicate()
            outcomes.append((process.returncode == 0, output))
    assert outcomes == [(True, b"apm"), (False, b"")]
