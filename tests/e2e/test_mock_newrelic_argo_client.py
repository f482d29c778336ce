"""New Relic's Go client, with which Argo Rollouts' newRelic provider asks, against a service.

Which statuses it sees as what, and how often it asks before it gives up, decides whether a
measurement is an Error, and how long it takes.
"""

# ruff: noqa: S608 - NRQL looks like SQL, and there is no database
from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from e2e.programs import serving
from mock_newrelic_bench import ADMIN, APP, KEY, transactions

pytestmark = [pytest.mark.e2e, pytest.mark.external, pytest.mark.timeout(600)]

SOURCE = Path(__file__).parent / "argo_client"
ERROR_RATE = (
    "SELECT percentage(count(*), WHERE error IS true) AS 'errorRate' FROM Transaction "
    f"WHERE appName = '{APP}' SINCE 5 minutes ago"
)
ASKS_AGAIN = 4
"""Requests of a question that the client asks again: it waits 1, 2 and 4 seconds in between."""


class Client:
    """The client, and the service that it asks."""

    def __init__(self, url: str, program: Path) -> None:
        self.url = url
        self.process = subprocess.Popen(
            [program, url, "test-key"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, nrql: str = ERROR_RATE) -> dict[str, Any]:
        """Return `results` and `error` of one question."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{nrql}\n")
        self.process.stdin.flush()
        told: dict[str, Any] = json.loads(self.process.stdout.readline())
        return told

    def ask_with(self, effect: Any) -> tuple[dict[str, Any], int]:
        """Return what it makes of a fault, and how many requests it took."""
        control = f"{self.url}/control/injections"
        wish = {"app": APP, "effect": effect, "surface": "nerdgraph"}
        made = httpx.post(control, json=wish, headers=ADMIN, trust_env=False)
        assert made.status_code == 201, made.text
        told = self.ask()
        [injection] = httpx.get(control, headers=ADMIN, trust_env=False).json()["injections"]
        httpx.delete(control, headers=ADMIN, trust_env=False)
        return told, injection["hits"]


@pytest.fixture(name="client", scope="module")
def _client() -> Iterator[Client]:
    go = shutil.which("go", path=f"{os.environ['PATH']}:/usr/local/go/bin")
    if go is None:
        pytest.skip("Go is not installed")
    program = Path(__file__).parents[2] / ".gatelab" / "argo-client"
    subprocess.run([go, "build", "-o", program, "."], cwd=SOURCE, check=True, timeout=500)
    with serving("mock_newrelic", "--ephemeral") as url:
        sent = httpx.post(
            f"{url}/v1/accounts/1/events", json=transactions(90, 10), headers=KEY, trust_env=False
        )
        assert sent.status_code == 200
        client = Client(url, program)
        try:
            yield client
        finally:
            client.process.kill()
            client.process.communicate()


@pytest.mark.parametrize(
    ("nrql", "results"),
    [
        (ERROR_RATE, [{"errorRate": 10}]),
        ("SELECT count(*) FROM Transaction", [{"count": 100}]),
        ("SELECT count(*) FROM Transaction WHERE appName = 'x'", [{"count": 0}]),
        ("SELECT average(duration) FROM Transaction WHERE appName = 'x'",
         [{"average.duration": None}]),
        ("SELECT count(*) FROM Transaction FACET appName",
         [{"facet": APP, "appName": APP, "count": 100}]),
        ("SELECT count(*) FROM Transaction WHERE appName = 'x' FACET appName", []),
    ],
)  # fmt: skip
def test_rows(client: Client, nrql: str, results: list[dict[str, Any]]) -> None:
    """It decodes what the service answers."""
    assert client.ask(nrql) == {"results": results, "error": ""}


def test_a_wrong_query(client: Client) -> None:
    """An error with its place, at once."""
    told = client.ask("SELECT cuont(*) FROM Transaction")
    assert told["results"] is None
    assert told["error"].startswith("NRQL Syntax Error: Error at line 1 position 8")


@pytest.mark.parametrize(
    ("effect", "requests", "error"),
    [
        ({"status": 301}, 1, "resource not found"),
        ({"status": 302}, 1, "resource not found"),
        ({"status": 400}, 1, "400 response returned"),
        ({"status": 401}, 1, "401 response returned: Invalid credentials provided"),
        ({"status": 402}, 1, "Payment Required"),
        ({"status": 403}, 1, "403 response returned"),
        ({"status": 404}, 1, "resource not found"),
        ({"status": 408}, 1, "408 response returned"),
        ({"status": 501}, 1, "501 response returned"),
        ({"payload": {"graphql_errors": "BAD_USER_INPUT"}}, 1, "injected: BAD_USER_INPUT"),
        ({"payload": "nan"}, 1, "invalid character 'N'"),
        ({"payload": "html_login_page"}, 1, "invalid character '<'"),
        ({"payload": "malformed_json"}, 1, "invalid character"),
        ({"payload": "truncated_json"}, 1, "unexpected end of JSON input"),
        ({"payload": "empty_body"}, 1, "unexpected end of JSON input"),
        ({"payload": "bom"}, 1, "invalid character"),
        ({"payload": "json_null"}, 1, "panic: runtime error"),
        ({"transport": "truncate"}, 1, "unexpected end of JSON input"),
        ({"transport": "reset_mid_body"}, 1, "unexpected end of JSON input"),
    ],
)
def test_faults_that_are_errors_at_once(
    client: Client, effect: dict[str, Any], requests: int, error: str
) -> None:
    """One request, and an error that says so: for Argo an Error, never a number."""
    told, asked = client.ask_with(effect)
    assert told["results"] is None
    assert error in told["error"]
    assert asked == requests


@pytest.mark.slow
@pytest.mark.parametrize(
    "effect",
    [
        {"status": 429},
        {"status": 500},
        {"status": 503},
        {"payload": "graphql_errors"},
        {"payload": {"graphql_errors": "TOO_MANY_REQUESTS"}},
        {"payload": "partial_data"},
        {"transport": "reset"},
        {"transport": "empty_reply"},
        {"transport": "garbage"},
    ],
)
def test_faults_that_it_asks_again_for(client: Client, effect: dict[str, Any]) -> None:
    """Four requests in seven seconds, then an error."""
    told, asked = client.ask_with(effect)
    assert told["results"] is None
    assert "giving up after 4 attempt" in told["error"] or "maximum retries" in told["error"]
    assert asked == ASKS_AGAIN


@pytest.mark.parametrize(
    ("effect", "results"),
    [
        ({"payload": "null"}, [{"errorRate": None}]),
        ({"payload": "negative"}, [{"errorRate": -10}]),
        ({"payload": "string_number"}, [{"errorRate": "10.0"}]),
        ({"payload": "bool"}, [{"errorRate": False}]),
        ({"payload": "array"}, [{"errorRate": [10]}]),
        ({"payload": "nested"}, [{"errorRate": {"value": 10}}]),
        ({"payload": "wrong_unit"}, [{"errorRate": 1000}]),
        ({"payload": "missing_key"}, [{}]),
        ({"payload": "renamed_key"}, [{"errorRate_v2": 10}]),
        ({"payload": "extra_rows"}, [{"errorRate": 0}, {"errorRate": 10}]),
        ({"payload": "empty_results"}, []),
        ({"payload": "exponent"}, [{"errorRate": 10}]),
        ({"payload": "wrong_content_type"}, [{"errorRate": 10}]),
        ({"transport": "close_keepalive"}, [{"errorRate": 10}]),
        ({"no_data": True}, [{"errorRate": None}]),
        ({"error_ratio": 0.5}, [{"errorRate": 55}]),
    ],
)
def test_faults_that_it_does_not_notice(
    client: Client, effect: dict[str, Any], results: list[dict[str, Any]]
) -> None:
    """They pass through to the condition, which has to hold them up."""
    told, asked = client.ask_with(effect)
    assert told == {"results": results, "error": ""}
    assert asked == 1
