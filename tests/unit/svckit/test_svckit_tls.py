"""A second port that speaks TLS."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from mock_newrelic.adapters.tls import ensure_certificates, server_context
from svckit.clock import SystemClock
from svckit.server import serve_in_background

pytestmark = pytest.mark.anyio


async def _app(scope: object, receive: object, send: object) -> None:
    del receive
    await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": scope["scheme"].encode()})  # type: ignore[operator,index]


async def test_an_application_is_served_over_tls(tmp_path: Path) -> None:
    """Clients that trust the authority are answered; those that do not, refuse."""
    files = ensure_certificates(tmp_path, now=SystemClock().now())
    async with serve_in_background(_app, context=server_context(files)) as url:  # type: ignore[arg-type]
        trusting = ssl.create_default_context(cafile=str(files.ca))
        async with httpx.AsyncClient(verify=trusting, trust_env=False) as client:
            assert (await client.get(url)).text == "https"
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get(url)


@pytest.mark.e2e
def test_a_service_tells_both_ports_and_answers_on_both(tmp_path: Path) -> None:
    """The ready line has `url` and `tlsUrl`; both end with exit code 0 on SIGTERM."""
    command = [
        sys.executable, "-m", "mock_newrelic", "serve", "--port", "0", "--ephemeral",
        "--tls-port", "0", "--tls-dir", str(tmp_path), "--tls-host", "apm.test", "192.0.2.7",
        "--log-level", "error",
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            ready = json.loads(process.stdout.readline())
            trusting = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
            local = ready["tlsUrl"].replace("127.0.0.1", "localhost")
            with httpx.Client(verify=trusting, trust_env=False) as client:
                for url in (ready["url"], ready["tlsUrl"], local):
                    assert client.get(f"{url}/livez").json() == {"status": "ok"}
        finally:
            process.terminate()
        assert process.wait(timeout=15) == 0
