"""Who makes the load: voters, gates that poll the APM, and gates that ask the judge."""

from __future__ import annotations

import os
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

import gevent
from locust import FastHttpUser, task

from svckit.randomness import stream

if TYPE_CHECKING:
    from argparse import Namespace

    from votegen.domain.plan import Plan

# Another stream in every process, so that workers do not vote in step.
RNG = stream(os.getpid(), "load")
METRICS = ("errorRate", "p95", "throughput")
WINDOWS = ("1m", "3m", "5m")
PATIENCE_SECONDS = 10


class _User(FastHttpUser):
    """Begins at a random moment, so that users that start together do not send together."""

    abstract = True
    per_second: ClassVar[float] = 1.0

    def on_start(self) -> None:
        """Wait for a part of the pause between two requests."""
        gevent.sleep(RNG.random() / self.per_second)


class Voter(_User):
    """Votes as somebody else every time; keeps no cookie, so that no version keeps the voter."""

    host = "http://127.0.0.1"
    targets: ClassVar[list[str]] = []
    weights: ClassVar[list[float]] = []
    headers: ClassVar[dict[str, str]] = {}
    split_a: ClassVar[float] = 0.66
    gets: ClassVar[float] = 0.0

    @classmethod
    def prepare(cls, plan: Plan, *, base_url: str) -> None:
        """Take targets, split and Host from the plan; `base_url` replaces the targets."""
        cls.targets = [base_url.rstrip("/") + "/"] if base_url else [t.url for t in plan.targets]
        cls.weights = [1.0] if base_url else [target.weight for target in plan.targets]
        cls.headers = {"Host": plan.host_header} if plan.host_header else {}
        cls.split_a, cls.gets = plan.split_a, plan.gets

    @task
    def vote(self) -> None:
        """Send the form of the page, or look at the page."""
        self.client.cookiejar.clear()
        target = RNG.choices(self.targets, self.weights)[0]
        headers = {**self.headers, "Cookie": f"voter_id={RNG.getrandbits(60):x}"}
        if RNG.random() < self.gets:
            self.client.get(target, headers=headers, name="GET /", allow_redirects=False)
            return
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        self.client.post(
            target,
            data="vote=a" if RNG.random() < self.split_a else "vote=b",
            headers=headers,
            name="POST /",
            allow_redirects=False,
        )


class _Asking(_User):
    """Asks one of the suite's services, as soon as there is something to ask about."""

    abstract = True
    host = ""
    fixed_count = 4
    options: ClassVar[Any] = None

    def on_start(self) -> None:
        """Wait until the first votes have been reported, then for a part of a pause."""
        for _ in range(PATIENCE_SECONDS):
            if self._is_known():
                break
            gevent.sleep(1.0)
        super().on_start()

    def _is_known(self) -> bool:
        """Ask the APM whether it knows the application; without an APM nobody can tell."""
        if not self.options.mock:
            return True
        url = f"{self.options.mock}/v1/apps/{self.options.app}"
        with self.client.get(
            url,
            headers={"Api-Key": self.options.api_key},
            name="GET /v1/apps (waiting for votes)",
            catch_response=True,
        ) as answer:
            answer.success()
            return bool(answer.status_code == HTTPStatus.OK)

    def ask(self, path: str, *, name: str, **query: str) -> None:
        """Send one question; an answer that is no 200 is a failure."""
        pairs = "&".join(f"{key}={value}" for key, value in query.items())
        headers = {"Api-Key": self.options.api_key}
        self.client.get(f"{path}?{pairs}", headers=headers, name=name)


class GateUser(_Asking):
    """An AnalysisTemplate that polls the APM."""

    per_second = 5.0

    @classmethod
    def prepare(cls, options: Namespace) -> None:
        """Take address and application from the command line."""
        cls.host, cls.options = options.mock, options

    @task
    def metric(self) -> None:
        """Ask for one metric of the application or of one version."""
        query = {
            "app": self.options.app,
            "metric": RNG.choice(METRICS),
            "window": RNG.choice(WINDOWS),
        }
        self.ask("/v1/metrics", name="GET /v1/metrics", **query)


class AnalystUser(_Asking):
    """An AnalysisTemplate that asks the judge."""

    per_second = 1.0

    @classmethod
    def prepare(cls, options: Namespace) -> None:
        """Take address, application and versions from the command line."""
        cls.host, cls.options = options.analyzer, options

    @task
    def analysis(self) -> None:
        """Ask for a verdict on the last minutes."""
        self.ask(
            "/v1/analysis",
            name="GET /v1/analysis",
            app=self.options.app,
            canary=self.options.canary,
            stable=self.options.stable,
            window="3m",
        )
