"""Settings and command line of voteapp."""

from __future__ import annotations

import gzip
import json

import httpx
import pytest

from svckit.clock import ManualClock
from svckit.errors import InvalidInput
from voteapp.app import create_app, site_of
from voteapp.settings import VoteappSettings


def test_a_pod_name_is_made_from_hash_and_seed() -> None:
    """The name has the shape of a ReplicaSet's pod and repeats with the seed."""
    names = [site_of(VoteappSettings(hash="54bc444575", seed=seed)).pod_name for seed in (1, 1, 2)]
    assert names[0] == names[1] != names[2]
    assert names[0].startswith("vote-54bc444575-")
    assert len(names[0]) == len("vote-54bc444575-") + 5


@pytest.mark.parametrize(
    ("values", "reports"),
    [
        pytest.param({}, False, id="nowhere"),
        pytest.param({"report_to": "http://apm.test"}, True, id="somewhere"),
        pytest.param(
            {"report_to": "http://apm.test", "telemetry": "none"}, False, id="switched-off"
        ),
    ],
)
def test_reporting_follows_the_address(values: dict[str, str], reports: bool) -> None:  # noqa: FBT001 - table
    """An address switches telemetry on, `none` switches it off."""
    assert VoteappSettings.load(**values).reports is reports


@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param({"telemetry": "zipkin"}, "'event-api', 'otlp' or 'none'", id="telemetry"),
        pytest.param({"telemetry": "event-api"}, "needs --report-to", id="no-address"),
        pytest.param({"telemetry": "otlp"}, "otlp needs --report-to", id="no-address-for-otlp"),
        pytest.param({"hash": "Not A Hash"}, "hash", id="hash"),
        pytest.param({"report_to": "apm:8080"}, "report_to", id="no-scheme"),
        pytest.param({"app": "vote "}, "'app': expected letters", id="app"),
        pytest.param({"app": ""}, "'app': expected letters", id="no-app"),
        pytest.param({"version": "v" * 256}, "version", id="long-version"),
        pytest.param({"pod_name": "p" * 256}, "pod_name", id="long-pod-name"),
    ],
)
def test_wrong_settings_are_refused_by_name(values: dict[str, str], message: str) -> None:
    """The error names the setting."""
    with pytest.raises(InvalidInput, match=message):
        VoteappSettings.load(**values)


@pytest.mark.anyio
async def test_the_application_reports_what_it_served(clock: ManualClock) -> None:
    """Requests reach the Event API at shutdown at the latest; the suite's own routes do not."""
    batches: list[httpx.Request] = []

    def event_api(request: httpx.Request) -> httpx.Response:
        batches.append(request)
        return httpx.Response(200, json={"success": True})

    app = create_app(
        VoteappSettings(report_to="http://apm.test"),
        clock=clock,
        telemetry_transport=httpx.MockTransport(event_api),
    )
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://vote.test") as client,
    ):
        await client.post("/", data={"vote": "a"})
        await client.get("/livez")
        await client.get("/health")
        await client.get("/nope")
    events = [event for batch in batches for event in json.loads(gzip.decompress(batch.content))]
    assert [(event["request.uri"], event["httpResponseCode"]) for event in events] == [
        ("/", "200"),
        ("/health", "200"),
        ("/nope", "404"),
    ]
