"""The services of a canary gate in this process: one clock, and cluster names instead of sockets.

    votes ──► Version (voteapp) ──Event API──► apm (mock-newrelic) ◄──── analyzer
                   ▲                                 ▲                      ▲
                   └───────── health probe ──────────┼──────────────────────┤
                                                     └──── the gate's web metrics

Everything that one service sends to another goes through `Cluster`, which knows host names. A name
that is not there cannot be reached, as in a cluster.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import cache
from pathlib import Path
from typing import Any, Self

import httpx
from starlette.types import ASGIApp

import analyzer.app
import analyzer.settings
import mock_newrelic.app
import mock_newrelic.settings
import voteapp.app
import voteapp.settings
from rollout_runner.adapters.providers.web import WebProvider
from rollout_runner.argo.analysis import Metric, resolve_run
from rollout_runner.argo.rollout.effects import AnalysisKind, CreateAnalysisRun
from rollout_runner.argo.types import ArgoVersion
from rollout_runner.bench.analyses import AnalysisPlanner
from rollout_runner.bench.subject import Subject
from rollout_runner.engine.analysis_controller import AnalysisRunPlan
from rollout_runner.scenarios.model import Versions
from svckit.clock import ManualClock
from voteapp.adapters.telemetry import BatchTelemetry
from voteapp.service import VoteService

APP = "voting01-vote-qa"
CANARY, STABLE = "7cd75c6d7c", "54bc444575"
KEY = {"Api-Key": "test-key"}
ADMIN = {"Api-Key": "admin-key"}
APM_HOST = "mock-newrelic.voting01-apm.svc.cluster.local"
ANALYZER_HOST = "canary-analyzer.voting01-apm.svc.cluster.local"
CANARY_HOST = "vote-canary.voting01-qa.svc.cluster.local"
STABLE_HOST = "vote.voting01-qa.svc.cluster.local"
PROBE = {"User-Agent": "kube-probe/1.33"}
MANIFESTS = Path(__file__).parents[1] / "deploy" / "rendered" / "qa.yaml"

_VOTE_SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/",
    "query_string": b"",
    "headers": [(b"content-type", b"application/x-www-form-urlencoded")],
}

HEALTH_STEP, FIRST_ANALYSIS_STEP, LAST_ANALYSIS_STEP = 2, 5, 8


class Cluster(httpx.AsyncBaseTransport):
    """A network of host names; `sent` are the requests that reached one, in their order."""

    def __init__(self) -> None:
        self.hosts: dict[str, ASGIApp] = {}
        self.sent: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Hand the request to the application of that name."""
        app = self.hosts.get(request.url.host)
        if app is None:
            raise httpx.ConnectError(
                f"dial tcp: lookup {request.url.host}: no such host", request=request
            )
        self.sent.append(request)
        return await httpx.ASGITransport(app).handle_async_request(request)

    def requests_to(self, host: str, path: str) -> list[httpx.Request]:
        """Return what one host was asked at one path."""
        return [each for each in self.sent if each.url.host == host and each.url.path == path]


async def at_once(_seconds: float) -> None:
    """Wait for nothing but the event loop."""
    await asyncio.sleep(0)


class Version:
    """One version of the voting application, reporting to the APM over `reports_over`.

    Its lifespan is not entered, so nothing is reported until `report` is called. `sleep` waits for
    faults and between attempts to report.
    """

    def __init__(
        self,
        clock: ManualClock,
        reports_over: httpx.AsyncBaseTransport,
        pod_hash: str,
        *,
        sleep: Callable[[float], Awaitable[None]] = at_once,
        **settings: Any,
    ) -> None:
        self.hash = pod_hash
        self.app = voteapp.app.create_app(
            voteapp.settings.VoteappSettings(
                **{"hash": pod_hash, "report_to": f"http://{APM_HOST}:8080", "app": APP, **settings}
            ),
            clock=clock,
            telemetry_transport=reports_over,
            sleep=sleep,
        )
        services = [each.kwargs.get("service") for each in self.app.user_middleware]
        [service] = [each for each in services if isinstance(each, VoteService)]
        assert isinstance(service._telemetry, BatchTelemetry)
        self.telemetry = service._telemetry
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app), base_url="http://vote.test"
        )

    async def vote(self, count: int) -> Counter[int]:
        """Cast votes and return how often which status came back."""
        return Counter([await self._cast(b"vote=" + b"ab"[n % 2 :][:1]) for n in range(count)])

    async def probe(self, count: int) -> Counter[int]:
        """Ask for the page as a kubelet does."""
        return Counter(
            [(await self.http.get("/", headers=PROBE)).status_code for _ in range(count)]
        )

    async def faults(self, **switches: Any) -> None:
        """Put these fault switches in force, or none."""
        if switches:
            response = await self.http.put("/control/faults", json=switches)
        else:
            response = await self.http.delete("/control/faults")
        assert response.status_code == 200, response.text

    async def recorded(self) -> int:
        """Return how many votes were recorded."""
        count: int = (await self.http.get("/control/votes")).json()["recorded"]
        return count

    async def report(self) -> None:
        """Send everything that was served to the APM."""
        await self.telemetry.flush()

    async def close(self) -> None:
        """Close the connections."""
        await self.telemetry.close()
        await self.http.aclose()

    async def _cast(self, form: bytes) -> int:
        """Post one vote without an HTTP client, which would cost many times the vote itself."""
        statuses: list[int] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": form}

        async def send(message: Any) -> None:
            statuses.extend([message["status"]] if "status" in message else [])

        await self.app(_VOTE_SCOPE, receive, send)
        [status] = statuses
        return status


class Suite:
    """APM, analyzer and two versions of the voting application.

    Args:
        clock: the time of all of them.
        apm: settings of mock-newrelic.
        judge: settings of canary-analyzer.
    """

    def __init__(
        self,
        clock: ManualClock,
        *,
        apm: dict[str, Any] | None = None,
        judge: dict[str, Any] | None = None,
    ) -> None:
        self.clock = clock
        self.cluster = Cluster()
        self.apm_app = mock_newrelic.app.create_app(
            mock_newrelic.settings.Settings(**{"ephemeral": True, **(apm or {})}), clock=clock
        )
        self.analyzer_app = analyzer.app.create_app(
            analyzer.settings.Settings(
                **{
                    "source": f"newrelic=http://{APM_HOST}:8080",
                    "newrelic_api_key": "test-key",
                    "health_allow": "voting01-qa/vote*",
                    "ephemeral": True,
                    **(judge or {}),
                }
            ),
            clock=clock,
            transport=self.cluster,
        )
        self.canary = Version(clock, self.cluster, CANARY, version="v17")
        self.stable = Version(clock, self.cluster, STABLE, version="v16")
        self._hosts: dict[str, ASGIApp] = {
            APM_HOST: self.apm_app,
            ANALYZER_HOST: self.analyzer_app,
            CANARY_HOST: self.canary.app,
            STABLE_HOST: self.stable.app,
        }
        self.cluster.hosts |= self._hosts
        self.apm = self._client(APM_HOST)
        self.analyzer = self._client(ANALYZER_HOST)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Start the analyzer, the one service whose connections live as long as it does."""
        lifespan = self.analyzer_app.router.lifespan_context(self.analyzer_app)
        await self._stack.enter_async_context(lifespan)
        for client in (self.apm, self.analyzer):
            self._stack.push_async_callback(client.aclose)
        for version in (self.canary, self.stable):
            self._stack.push_async_callback(version.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything; whoever was taken off the network is back for it."""
        self.cluster.hosts |= self._hosts
        await self._stack.aclose()

    def _client(self, host: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=self.cluster, base_url=f"http://{host}")

    async def ingest(self, pod_hash: str, *, bad: int, count: int, **attributes: Any) -> None:
        """Have the APM hold requests of one hash, without serving them."""
        common = {
            "eventType": "Transaction",
            "appName": APP,
            "podTemplateHash": pod_hash,
            "duration": 0.02,
            **attributes,
        }
        served = {**common, "error": False, "httpResponseCode": "200"}
        failed = {**common, "error": True, "httpResponseCode": "500"}
        response = await self.apm.post(
            "/v1/accounts/1/events", json=[failed] * bad + [served] * (count - bad), headers=KEY
        )
        assert response.status_code == 200, response.text

    async def inject(self, effect: dict[str, Any], **scope: Any) -> None:
        """Make the APM lie about the application."""
        response = await self.apm.post(
            "/control/injections", json={"app": APP, "effect": effect, **scope}, headers=ADMIN
        )
        assert response.status_code == 201, response.text

    async def ask(self, metric: str = "errorRate", **more: str) -> httpx.Response:
        """Ask the facade about the application."""
        parameters = {"app": APP, "metric": metric, "window": "5m", "detail": "full", **more}
        return await self.apm.get("/v1/metrics", params=parameters, headers=KEY)

    async def answer(self, **more: str) -> dict[str, Any]:
        """Ask the facade for the error rate with its counts, and insist on an answer."""
        response = await self.ask(**more)
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document

    async def analysis(self, **more: str) -> httpx.Response:
        """Ask the analyzer to compare canary and stable."""
        parameters = {"app": APP, "canary": CANARY, "stable": STABLE, **more}
        return await self.analyzer.get("/v1/analysis", params=parameters)

    async def verdict(self, **more: str) -> dict[str, Any]:
        """Ask for a comparison and insist on a verdict."""
        response = await self.analysis(**more)
        assert response.status_code == 200, response.text
        document: dict[str, Any] = response.json()
        return document

    def provider(self, version: ArgoVersion) -> WebProvider:
        """Return the web provider of a release of Argo Rollouts, in this cluster."""
        return web_provider(self.clock, version, self.cluster)


def web_provider(
    clock: ManualClock, version: ArgoVersion, transport: httpx.AsyncBaseTransport
) -> WebProvider:
    """Return the web provider of a release of Argo Rollouts on a transport."""
    return WebProvider(
        clock=clock,
        resolve=lambda _host: None,
        version=version,
        warn=lambda _message: None,
        transport=transport,
    )


@cache
def deployed_run(step: int) -> tuple[AnalysisRunPlan, Subject]:
    """Return the analysis run of a step of the deployed QA Rollout, and what it refers to."""
    subject = Subject.load(MANIFESTS, rollout="vote", versions=Versions(), providers=("web",))
    analysis = subject.canary.canary.steps[step].analysis
    assert analysis is not None
    planner = AnalysisPlanner(templates=subject.templates, rollout=subject.manifest)
    plan = planner.plan(
        CreateAnalysisRun(
            name=f"vote-{CANARY}-2-{step}",
            kind=AnalysisKind.STEP,
            step_index=step,
            analysis=analysis,
            pod_hash=CANARY,
            stable_hash=STABLE,
            revision=2,
        )
    )
    return plan, subject


@cache
def deployed_metrics(step: int) -> dict[str, Metric]:
    """Return the metrics of that run by name, every argument and Secret filled in."""
    plan, subject = deployed_run(step)
    run = resolve_run(plan.spec, subject.secrets)
    assert not run.error
    return {metric.name: metric for metric in run.task_metrics}
