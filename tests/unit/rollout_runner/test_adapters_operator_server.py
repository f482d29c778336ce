"""The operator's door: a key, a closed set of commands, a file that comes and goes."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from rollout_runner.adapters.operator_server import (
    CONTROL_FILE,
    KEY_HEADER,
    create_operator_app,
    operator_server,
)
from rollout_runner.commands.operate import send_command
from svckit.errors import InvalidInput, NotFound, Unavailable

COMMANDS = ("promote", "abort")
KEY = {KEY_HEADER: "k"}


@pytest.fixture(name="given")
def _given() -> list[str]:
    """The commands that arrived."""
    return []


@pytest.fixture(name="client")
async def _client(given: list[str]) -> AsyncIterator[httpx.AsyncClient]:
    app = create_operator_app(
        key="k", commands=COMMANDS, operate=given.append, status=lambda: {"phase": "Paused"}
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://run") as client:
        yield client


@pytest.mark.anyio
async def test_a_command_is_accepted(client: httpx.AsyncClient, given: list[str]) -> None:
    """The command is handed on and acknowledged with 202."""
    response = await client.post("/control/promote", headers=KEY)
    assert (response.status_code, response.json()) == (202, {"accepted": "promote"})
    assert given == ["promote"]


@pytest.mark.anyio
@pytest.mark.parametrize("headers", [{}, {KEY_HEADER: "wrong"}, {KEY_HEADER: "ü"}])
async def test_without_the_key_nothing_happens(
    headers: dict[str, str], client: httpx.AsyncClient, given: list[str]
) -> None:
    """Both reading and acting need the key."""
    encoded = {name: value.encode() for name, value in headers.items()}
    assert (await client.post("/control/promote", headers=encoded)).status_code == 401
    assert (await client.get("/control/status", headers=encoded)).status_code == 401
    assert given == []


@pytest.mark.anyio
async def test_an_unknown_command_is_refused(client: httpx.AsyncClient, given: list[str]) -> None:
    """The hint lists those that exist."""
    response = await client.post("/control/explode", headers=KEY)
    assert response.status_code == 404
    assert response.json()["hint"] == "known: promote, abort"
    assert given == []


@pytest.mark.anyio
async def test_the_status_tells_where_the_rollout_stands(client: httpx.AsyncClient) -> None:
    """It is what the run says of itself."""
    assert (await client.get("/control/status", headers=KEY)).json() == {"phase": "Paused"}


@pytest.mark.anyio
async def test_the_control_file_lives_as_long_as_the_run(tmp_path: Path) -> None:
    """Only its owner can read it, and it is gone at the end."""
    path = tmp_path / CONTROL_FILE
    async with operator_server(tmp_path, commands=COMMANDS, operate=print, status=dict):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        control = json.loads(path.read_text())
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {KEY_HEADER: control["key"]}
            response = await client.get(f"{control['url']}/control/status", headers=headers)
        assert response.status_code == 200
    assert not path.exists()


def test_a_command_needs_a_run(tmp_path: Path) -> None:
    """No run, several runs and a run that is gone each have their own error."""
    with pytest.raises(NotFound, match="no run is in progress below"):
        send_command("abort", folder=None, runs=tmp_path)
    with pytest.raises(NotFound, match="no run is in progress in"):
        send_command("abort", folder=tmp_path / "a", runs=tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / CONTROL_FILE).write_text('{"url": "http://127.0.0.1:9", "key": "k"}')
    with pytest.raises(InvalidInput, match="several runs"):
        send_command("abort", folder=None, runs=tmp_path)
    with pytest.raises(Unavailable, match="does not answer"):
        send_command("abort", folder=tmp_path / "a", runs=tmp_path)
