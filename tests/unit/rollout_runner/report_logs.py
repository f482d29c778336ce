"""Event logs as a run writes them: the nine-step canary of the voting application.

`promoted_log()` goes through all steps; `aborted_log()` has a canary with 5.2 % errors that the
error-rate metric stops at index 5. Traffic is 10 requests per virtual second, split by weight.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from rollout_runner import events as ev

if TYPE_CHECKING:
    from collections.abc import Iterable

START = datetime(2026, 2, 4, 1, 54, 36, tzinfo=UTC)
STABLE = ev.Revision(hash="54bc444575", version="v16", revision=33, image="registry/vote:v16")
CANARY = ev.Revision(hash="7cd75c6d7c", version="v17", revision=34, image="registry/vote:v17")
STEPS = tuple(
    ev.Step(index=index, kind=text.partition(":")[0], text=text)
    for index, text in enumerate(
        (
            "setWeight: 20",
            "pause: 2m",
            "analysis: voting01-health-check",
            "setWeight: 50",
            "pause: 3m",
            "analysis: voting01-canary-analysis",
            "setWeight: 100",
            "pause: 1m",
            "analysis: voting01-canary-analysis",
        )
    )
)
RUN = "vote-7cd75c6d7c-34"
FAILED_METRIC = 'Metric "error-rate" assessed Failed due to failed (2) > failureLimit (1)'
ABORT_MESSAGE = (
    "RolloutAborted: Rollout aborted update to revision 34:"
    f" Step-based analysis phase error/failed: {FAILED_METRIC}"
)
HEALTH_CHECK = ev.MetricPlan(
    name="http-health-check",
    provider="web",
    interval="30s",
    count=5,
    failure_limit=2,
    success_condition='result == "healthy"',
)
HTTP_HEALTH = ev.MetricPlan(
    name="http-health",
    provider="web",
    interval="30s",
    count=3,
    failure_limit=1,
    success_condition='result == "healthy"',
)
ERROR_RATE = ev.MetricPlan(
    name="error-rate",
    provider="web",
    interval="60s",
    count=2,
    failure_limit=1,
    success_condition="result.errorRate < 2",
)
_TRAFFIC_SECONDS = 5
_REQUESTS_PER_SECOND = 10


class Log:
    """Writes events with one clock; `wait` lets time pass, during which the versions serve."""

    def __init__(
        self, *, canary_errors: float = 0.005, stable_errors: float = 0.005, traffic: bool = True
    ) -> None:
        self.events: list[ev.Event] = []
        self.second = 0.0
        self.weight = 0
        self.traffic = traffic
        self._errors = {CANARY.hash: canary_errors, STABLE.hash: stable_errors}
        self._served = {CANARY.hash: 0.0, STABLE.hash: 0.0}

    @property
    def now(self) -> datetime:
        """Return the time of the log."""
        return START + timedelta(seconds=self.second)

    def add(self, kind: type[Any], /, **fields: Any) -> None:
        """Append an event of this moment."""
        self.events.append(kind(at=self.now, **fields))

    def start(self, **fields: Any) -> None:
        """Begin the run; `fields` change what run_started says."""
        defaults: dict[str, Any] = {
            "rollout": "vote",
            "namespace": "voting01-qa",
            "strategy": "Canary",
            "replicas": 2,
            "steps": STEPS,
            "stable": STABLE,
            "canary": CANARY,
            "manifests": "deploy/overlays/qa",
            "argo_version": "1.9",
            "speed": 12,
            "seed": 7,
            "scenario": "healthy",
            "description": "both versions fail 0.5 % of their requests",
            "traffic": "10/s, Poisson arrivals",
            "gatelab_version": "0.1.0",
        }
        self.add(ev.RunStarted, **(defaults | fields))
        self.add(ev.PhaseChanged, phase="Progressing", message="more replicas need to be updated")
        self.add(ev.ReplicaSetScaled, hash=CANARY.hash, replicas=1)

    def wait(self, seconds: float) -> None:
        """Let time pass; a sample of the traffic is taken every five seconds."""
        end = self.second + seconds
        while self.second < end:
            until = min(self.second - self.second % _TRAFFIC_SECONDS + _TRAFFIC_SECONDS, end)
            requests = (until - self.second) * _REQUESTS_PER_SECOND
            self._served[CANARY.hash] += requests * self.weight / 100
            self._served[STABLE.hash] += requests * (100 - self.weight) / 100
            self.second = until
            if self.traffic and until % _TRAFFIC_SECONDS == 0:
                self.observe()

    def observe(self) -> None:
        """Take a sample of the traffic now."""
        self.add(
            ev.TrafficObserved,
            versions=tuple(
                ev.VersionTraffic(
                    hash=hash_, requests=int(served), errors=int(served * self._errors[hash_])
                )
                for hash_, served in self._served.items()
            ),
        )

    def set_weight(self, weight: int) -> None:
        """Give the canary another weight."""
        self.add(
            ev.ControllerEvent,
            reason="TrafficWeightUpdated",
            message=f"Traffic weight updated from {self.weight} to {weight}",
        )
        self.weight = weight
        self.add(ev.WeightChanged, weight=weight)

    def begin_step(self, index: int) -> None:
        """Make a step the current one."""
        self.add(ev.StepStarted, index=index, text=STEPS[index].text)

    def end_step(self, index: int) -> None:
        """Complete the current step."""
        self.add(ev.StepCompleted, index=index, text=STEPS[index].text)
        self.add(
            ev.ControllerEvent,
            reason="RolloutStepCompleted",
            message=f"Rollout step {index + 1}/9 completed ({STEPS[index].text})",
        )

    def weight_step(self, index: int, weight: int) -> None:
        """Go through a setWeight step."""
        self.begin_step(index)
        self.set_weight(weight)
        self.end_step(index)

    def pause_step(self, index: int, seconds: float) -> None:
        """Go through a pause step."""
        self.begin_step(index)
        self.add(ev.PauseStarted, reason="CanaryPauseStep", index=index, duration_seconds=seconds)
        self.add(ev.PhaseChanged, phase="Paused", message="CanaryPauseStep")
        self.wait(seconds)
        self.add(ev.PhaseChanged, phase="Progressing", message="more replicas need to be updated")
        self.end_step(index)

    def begin_analysis(self, index: int, template: str, *metrics: ev.MetricPlan) -> str:
        """Begin an analysis step and return the name of its AnalysisRun."""
        name = f"{RUN}-{index}"
        self.begin_step(index)
        self.add(
            ev.AnalysisRunStarted,
            name=name,
            kind="Step",
            templates=(template,),
            metrics=metrics,
            index=index,
            args={"service-name": "vote-canary", "error-threshold": "2"},
        )
        return name

    def measure(
        self, run: str, metric: str, number: int, phase: str, *, value: str = "", message: str = ""
    ) -> None:
        """Take a measurement that ends now and took a second."""
        self.add(
            ev.MeasurementTaken,
            analysis_run=run,
            metric=metric,
            number=number,
            phase=phase,
            started_at=self.now - timedelta(seconds=1),
            finished_at=self.now,
            value=value,
            message=message,
        )

    def end_analysis(self, run: str, phase: str, message: str, *results: dict[str, Any]) -> None:
        """End an AnalysisRun with Argo's status document."""
        status = {"phase": phase, "message": message, "metricResults": list(results)}
        self.add(ev.AnalysisRunCompleted, name=run, phase=phase, message=message, status=status)

    def lines(self) -> list[bytes]:
        """Return the log as the lines of its file."""
        return [ev.encode(event) for event in self.events]


def metric_result(name: str, phase: str, **counts: int) -> dict[str, Any]:
    """Return what Argo's status says of a metric."""
    return {"name": name, "phase": phase, "count": sum(counts.values()), **counts}


def error_rate_value(rate: float) -> str:
    """Return a recorded value of the error-rate metric: the whole answer of the APM."""
    return json.dumps(
        {
            "app": "voting01-vote-qa",
            "metric": "errorRate",
            "window": "5m",
            "errorRate": rate,
            "timestamp": "2026-02-04T02:02:23Z",
        },
        separators=(",", ":"),
    )


def _health_analysis(log: Log) -> None:
    run = log.begin_analysis(2, "voting01-health-check", HEALTH_CHECK)
    for number in range(1, 6):
        log.wait(1 if number == 1 else 30)
        log.measure(run, "http-health-check", number, "Successful", value='"healthy"')
    result = metric_result("http-health-check", "Successful", successful=5)
    log.end_analysis(run, "Successful", "", result)
    log.end_step(2)


def _good_analysis(log: Log, index: int) -> None:
    run = log.begin_analysis(index, "voting01-canary-analysis", HTTP_HEALTH, ERROR_RATE)
    for number in (1, 2, 3):
        log.wait(1 if number == 1 else 30)
        log.measure(run, "http-health", number, "Successful", value='"healthy"')
        if number != 2:
            value = error_rate_value(0.48)
            log.measure(run, "error-rate", (number + 1) // 2, "Successful", value=value)
    log.end_analysis(
        run,
        "Successful",
        "",
        metric_result("http-health", "Successful", successful=3),
        metric_result("error-rate", "Successful", successful=2),
    )
    log.end_step(index)


def _until_index_5(log: Log) -> None:
    log.wait(23)
    log.add(ev.ServiceSwitched, service="vote-canary", hash=CANARY.hash)
    log.weight_step(0, 20)
    log.pause_step(1, 120)
    _health_analysis(log)
    log.weight_step(3, 50)
    log.pause_step(4, 180)


def promoted_log() -> Log:
    """Return a run that goes through all nine steps."""
    log = Log()
    log.start()
    _until_index_5(log)
    _good_analysis(log, 5)
    log.weight_step(6, 100)
    log.add(ev.ReplicaSetScaled, hash=CANARY.hash, replicas=2)
    log.pause_step(7, 60)
    _good_analysis(log, 8)
    log.add(ev.PhaseChanged, phase="Healthy", message="")
    log.set_weight(0)
    log.wait(30)
    log.add(ev.ReplicaSetScaled, hash=STABLE.hash, replicas=0)
    log.add(ev.RunFinished, outcome="promoted", phase="Healthy", message="")
    return log


def aborted_log() -> Log:
    """Return a run that the error-rate metric aborts at index 5, at weight 50."""
    log = Log(canary_errors=0.052)
    log.start(scenario="bad-canary", description="v17 fails 5.2 % of its requests")
    log.add(ev.ScenarioAction, action="fault", detail="canary error_ratio 0.052")
    _until_index_5(log)
    run = log.begin_analysis(5, "voting01-canary-analysis", HTTP_HEALTH, ERROR_RATE)
    for number, rate in ((1, 5.18), (2, None), (3, 5.23)):
        log.wait(1 if number == 1 else 30)
        log.measure(run, "http-health", number, "Successful", value='"healthy"')
        if rate is not None:
            value = error_rate_value(rate)
            log.measure(run, "error-rate", (number + 1) // 2, "Failed", value=value)
    log.end_analysis(
        run,
        "Failed",
        FAILED_METRIC,
        metric_result("http-health", "Successful", successful=3),
        metric_result("error-rate", "Failed", failed=2),
    )
    log.add(ev.ControllerEvent, reason="RolloutAborted", message=ABORT_MESSAGE)
    log.add(ev.PhaseChanged, phase="Degraded", message=ABORT_MESSAGE)
    log.set_weight(0)
    log.wait(30)
    log.add(ev.ReplicaSetScaled, hash=CANARY.hash, replicas=0)
    log.add(
        ev.RunFinished,
        outcome="aborted",
        phase="Degraded",
        message=ABORT_MESSAGE,
        aborted_at_step=5,
    )
    return log


def paused_log() -> Log:
    """Return a run that an inconclusive health check pauses at index 2, at weight 20."""
    log = Log()
    log.start()
    log.wait(23)
    log.weight_step(0, 20)
    log.pause_step(1, 120)
    run = log.begin_analysis(2, "voting01-health-check", HEALTH_CHECK)
    log.wait(1)
    log.measure(run, "http-health-check", 1, "Inconclusive", value='"unknown"')
    message = 'Metric "http-health-check" assessed Inconclusive due to inconclusive (1) > (0)'
    result = metric_result("http-health-check", "Inconclusive", inconclusive=1)
    log.end_analysis(run, "Inconclusive", message, result)
    log.add(ev.PauseStarted, reason="InconclusiveAnalysisRun", index=2)
    log.add(ev.PhaseChanged, phase="Paused", message="InconclusiveAnalysisRun")
    log.add(ev.RunFinished, outcome="paused", phase="Paused", message="InconclusiveAnalysisRun")
    return log


def upto(events: Iterable[ev.Event], kind: type[Any]) -> list[ev.Event]:
    """Return the events before the first of a kind: the log of a run that was killed then."""
    kept = []
    for event in events:
        if isinstance(event, kind):
            break
        kept.append(event)
    return kept
