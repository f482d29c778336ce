"""The command line against a running service: inject, list, clear, sessions, and clear refusals."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from mock_newrelic.app import create_app
from mock_newrelic.cli import cli
from mock_newrelic.settings import Settings
from svckit.clock import ManualClock
from svckit.errors import InvalidInput, SuiteError, Unavailable
from svckit.server import serve_in_background

pytestmark = pytest.mark.anyio


class Shell:
    """Runs commands against one service."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def run(self, *words: str, key: str = "admin-key") -> dict[str, Any]:
        """Return the JSON that a command prints, or raise what it fails with."""
        with capture_logs():  # the service logs to the same stdout
            done = await asyncio.to_thread(
                CliRunner().invoke, cli, [*words, "--url", self.url, "--admin-key", key]
            )
        if done.exception is not None:
            raise done.exception
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@pytest.fixture(name="shell")
async def _shell(clock: ManualClock) -> AsyncIterator[Shell]:
    async with serve_in_background(create_app(Settings(ephemeral=True), clock=clock)) as url:
        yield Shell(url)


async def test_an_error_rate_from_the_command_line(shell: Shell) -> None:
    """The words of the specification put a value for one role in force, for so long."""
    made = await shell.run(
        *(
            [
                "inject",
                "error-rate",
                "--app",
                "voting01-vote-qa",
                "--role",
                "canary",
                "--value",
                "8",
                "--for",
                "5m",
            ]
        )
    )
    assert made["effect"] == {"set": 8, "unit": "percent"}
    assert (made["app"], made["role"]) == ("voting01-vote-qa", "canary")
    assert made["expiresAt"] == "2026-02-04T02:05:00.000Z"
    [listed] = (await shell.run("injections"))["injections"]
    assert (listed["id"], listed["hits"]) == (made["id"], 0)
    assert await shell.run("clear", made["id"]) == {"cleared": 1}
    assert (await shell.run("injections"))["injections"] == []


@pytest.mark.parametrize(
    ("words", "effect"),
    [
        pytest.param(["latency", "--value", "300ms"], {"latency": {"add": "300ms"}}, id="latency"),
        pytest.param(["no-data"], {"no_data": True}, id="no-data"),
        pytest.param(["status", "--value", "503"], {"status": 503}, id="status"),
        pytest.param(["payload", "--value", "nan"], {"payload": "nan"}, id="payload"),
        pytest.param(["hang", "--value", "60s"], {"hang": "60s"}, id="hang"),
        pytest.param(["latency", "--value", '{"scale": 2}'], {"latency": {"scale": 2}}, id="json"),
    ],
)
async def test_every_fault_has_a_word(
    shell: Shell, words: list[str], effect: dict[str, Any]
) -> None:
    """Effects are named as on the wire, with hyphens; values may be JSON."""
    assert (await shell.run("inject", *words, "--app", "a"))["effect"] == effect


async def test_a_preview_puts_nothing_in_force(shell: Shell) -> None:
    """It shows the injection and what would be struck."""
    shown = await shell.run(
        "inject", "error-rate", "--app", "a", "--value", "8", "--probability", "0.5", "--preview"
    )
    assert 0 < sum(shown["strikes"]) < 20
    assert (await shell.run("injections"))["injections"] == []


async def test_sessions_from_the_command_line(shell: Shell) -> None:
    """One is begun, used, listed and ended."""
    token = (await shell.run("sessions", "--create", "suite-a"))["session"]
    await shell.run("inject", "no-data", "--app", "a", "--session", token)
    assert (await shell.run("injections"))["injections"] == []
    assert len((await shell.run("injections", "--session", token))["injections"]) == 1
    assert [one["name"] for one in (await shell.run("sessions"))["sessions"]] == ["suite-a"]
    assert await shell.run("sessions", "--end", token) == {"ended": 1}
    with pytest.raises(InvalidInput, match="no such session"):
        await shell.run("injections", "--session", token)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param("inject nodata --app a", "not known", id="unknown-word"),
        pytest.param("inject error-rate --app a", "needs --value", id="no-value"),
        pytest.param("inject error-rate --app a --value 800", "from 0 to 100", id="above-100"),
        pytest.param("inject no-data --app a --for 25h", "0s to 24h", id="ttl"),
        pytest.param("clear inj_9", "no such injection", id="unknown-id"),
    ],
)
async def test_refusals_are_told_in_words(shell: Shell, words: str, told: str) -> None:
    """Exit code 2, one sentence."""
    with pytest.raises(SuiteError, match=told) as caught:
        await shell.run(*words.split())
    assert caught.value.exit_code == 2


async def test_a_wrong_key_and_a_silent_service(shell: Shell) -> None:
    """The reading key is refused; where nobody listens, that is said."""
    with pytest.raises(InvalidInput, match="needs the admin key"):
        await shell.run("injections", key="test-key")
    with pytest.raises(Unavailable, match="no answer"):
        await Shell("http://127.0.0.1:9").run("injections")
