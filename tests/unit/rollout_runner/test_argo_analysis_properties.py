"""What holds for every analysis run, whatever it measures."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from rollout_runner.argo.analysis import (
    AnalysisRunSpec,
    AnalysisRunStatus,
    TaskKind,
    begin,
    finish,
    resolve_run,
)
from rollout_runner.argo.types import ArgoVersion, Measurement, Phase

BAD = {Phase.FAILED, Phase.ERROR, Phase.INCONCLUSIVE}
ENDED = [Phase.SUCCESSFUL, *sorted(BAD)]
MAX_PASSES = 40


@st.composite
def specs(draw: st.DrawFn) -> AnalysisRunSpec:
    """Draw a spec of one to three metrics, valid or not."""
    names = draw(st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True))
    limits = st.one_of(st.none(), st.integers(0, 2))
    metrics = []
    for name in names:
        fields: dict[str, Any] = {
            "interval": draw(st.sampled_from([None, "1s", "25s"])),
            "initialDelay": draw(st.sampled_from([None, "0s", "40s"])),
            "count": draw(st.one_of(st.none(), st.integers(-1, 4))),
            "failureLimit": draw(st.one_of(limits, st.just(-1))),
            "inconclusiveLimit": draw(limits),
            "consecutiveErrorLimit": draw(limits),
            "consecutiveSuccessLimit": draw(limits),
        }
        given_fields = {key: value for key, value in fields.items() if value is not None}
        metrics.append({"name": name, "provider": {"web": {"url": "x"}}, **given_fields})
    dry_run = draw(st.lists(st.sampled_from(names), max_size=1))
    return AnalysisRunSpec.from_json(
        {"metrics": metrics, "dryRun": [{"metricName": name} for name in dry_run]}
    )


def run_through(
    spec: AnalysisRunSpec, version: ArgoVersion, data: st.DataObject
) -> list[AnalysisRunStatus]:
    """Run a spec with drawn measurements, terminating it late; return the status of each pass."""
    run = resolve_run(spec, {})
    status, now = AnalysisRunStatus(), 1.77e9
    seen = []
    for number in range(MAX_PASSES):
        if number == MAX_PASSES - 10:
            run = run.terminated()
        status, tasks = begin(run, status, now=now, version=version)
        results = {}
        for task in tasks:
            phases = [*ENDED, Phase.RUNNING] if task.kind is not TaskKind.TERMINATE else ENDED
            phase = data.draw(st.sampled_from(phases))
            resume_at = now + 5 if phase is Phase.RUNNING else None
            results[task.metric.name] = Measurement(
                phase=phase, started_at=now, resume_at=resume_at
            )
        status, next_at = finish(run, status, results, now=now, version=version)
        seen.append(status)
        assert next_at is None or next_at >= now
        now = next_at if next_at is not None else now + 1
    return seen


@settings(max_examples=150, deadline=None, derandomize=True)
@given(spec=specs(), version=st.sampled_from(ArgoVersion), data=st.data())
def test_terminal_phase_is_never_left(
    spec: AnalysisRunSpec, version: ArgoVersion, data: st.DataObject
) -> None:
    """A completed run stays as it is; a completed metric keeps its phase and counters."""
    seen = run_through(spec, version, data)
    for before, after in pairwise(seen):
        if before.completed:
            assert after == before
        for result in before.metric_results:
            if result.completed:
                later = after.result(result.name)
                assert later is not None
                assert (later.phase, later.measurements) == (result.phase, result.measurements)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(spec=specs(), version=st.sampled_from(ArgoVersion), data=st.data())
def test_success_has_no_bad_metric(
    spec: AnalysisRunSpec, version: ArgoVersion, data: st.DataObject
) -> None:
    """A run is never Successful when a metric that counts ended Failed, Error or Inconclusive."""
    last = run_through(spec, version, data)[-1]
    if last.phase is Phase.SUCCESSFUL:
        assert not [
            each.name for each in last.metric_results if each.phase in BAD and not each.dry_run
        ]


@settings(max_examples=150, deadline=None, derandomize=True)
@given(spec=specs(), version=st.sampled_from(ArgoVersion), data=st.data())
def test_terminated_run_ends(
    spec: AnalysisRunSpec, version: ArgoVersion, data: st.DataObject
) -> None:
    """Every run that is told to stop completes; only an invalid one has no completion time."""
    last = run_through(spec, version, data)[-1]
    assert last.completed
    assert last.completed_at is not None or last.message.startswith("Analysis spec invalid: ")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(spec=specs(), version=st.sampled_from(ArgoVersion), data=st.data())
def test_counters_add_up(spec: AnalysisRunSpec, version: ArgoVersion, data: st.DataObject) -> None:
    """Errors never consume the count, and history never exceeds ten measurements."""
    for status in run_through(spec, version, data):
        for each in status.metric_results:
            assert each.count == each.successful + each.failed + each.inconclusive
            assert len(each.measurements) <= 10
