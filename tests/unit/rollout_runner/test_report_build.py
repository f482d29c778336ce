from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import timedelta

import pytest
from report_logs import (
    ABORT_MESSAGE,
    CANARY,
    FAILED_METRIC,
    RUN,
    STABLE,
    START,
    Log,
    aborted_log,
    paused_log,
    promoted_log,
    upto,
)

from rollout_runner import events as ev
from rollout_runner.events import decode_log
from rollout_runner.report import Outcome, build_report
from rollout_runner.report.model import RunReport, StepState
from svckit.errors import InvalidInput


@pytest.fixture(name="promoted")
def _promoted() -> RunReport:
    return build_report(promoted_log().events)


@pytest.fixture(name="aborted")
def _aborted() -> RunReport:
    return build_report(aborted_log().events)


class TestPromotedRun:
    """A run through all nine steps."""

    def test_outcome_is_promoted(self, promoted: RunReport) -> None:
        """A finished run has the outcome, phase and message that run_finished says."""
        assert (promoted.outcome, promoted.phase, promoted.message) == ("promoted", "Healthy", "")

    def test_all_nine_steps_are_completed(self, promoted: RunReport) -> None:
        """Nine steps, indices 0 to 8, each with a start and an end."""
        assert [step.index for step in promoted.steps] == list(range(9))
        assert {step.state for step in promoted.steps} == {StepState.COMPLETED}

    def test_steps_have_their_real_durations(self, promoted: RunReport) -> None:
        """Durations come from the events: weights take no time, analyses what they took."""
        durations = [step.duration_seconds for step in promoted.steps]
        assert durations == [0, 120, 121, 0, 180, 61, 0, 60, 61]

    def test_steps_know_their_weight(self, promoted: RunReport) -> None:
        """The weight of a step is the canary's at its end, before the next step changes it."""
        assert [s.weight for s in promoted.steps] == [20, 20, 20, 50, 50, 50, 100, 100, 100]

    def test_analysis_steps_name_their_run(self, promoted: RunReport) -> None:
        """Steps 2, 5 and 8 point to the AnalysisRuns with these suffixes."""
        named = {step.index: step.analysis_run for step in promoted.steps if step.analysis_run}
        assert named == {2: f"{RUN}-2", 5: f"{RUN}-5", 8: f"{RUN}-8"}

    def test_checks_are_successful_of_planned(self, promoted: RunReport) -> None:
        """The checks read 5/5, then 3/3 + 2/2 twice."""
        checks = [[m.checks for m in run.metrics] for run in promoted.analysis_runs]
        assert checks == [["5/5"], ["3/3", "2/2"], ["3/3", "2/2"]]

    def test_every_measurement_has_start_and_end(self, promoted: RunReport) -> None:
        """All 15 measurements are there and end a second after their start."""
        measurements = [
            measurement
            for run in promoted.analysis_runs
            for metric in run.metrics
            for measurement in metric.measurements
        ]
        assert len(measurements) == 15
        assert {m.finished_at - m.started_at for m in measurements} == {timedelta(seconds=1)}

    def test_weights_are_in_order(self, promoted: RunReport) -> None:
        """Every change of weight is kept with its time."""
        assert [change.weight for change in promoted.weights] == [20, 50, 100, 0]
        assert promoted.weights[0].at == START + timedelta(seconds=23)

    def test_nothing_decided_and_nothing_was_rolled_back(self, promoted: RunReport) -> None:
        """A promoted run has neither a deciding AnalysisRun nor a rollback."""
        assert promoted.deciding_run is None
        assert promoted.rollback is None


class TestAbortedRun:
    """A run that the error-rate metric aborts at index 5."""

    def test_outcome_names_the_step(self, aborted: RunReport) -> None:
        """An aborted run says at which index."""
        assert aborted.outcome is Outcome.ABORTED
        assert aborted.aborted_at_step == 5
        assert aborted.message == ABORT_MESSAGE

    def test_later_steps_were_never_reached(self, aborted: RunReport) -> None:
        """Index 5 is aborted, 6 to 8 have no times."""
        states = [step.state for step in aborted.steps]
        assert states == ["completed"] * 5 + ["aborted"] + ["not reached"] * 3
        assert all(step.started_at is None for step in aborted.steps[6:])

    def test_the_aborted_step_keeps_its_weight(self, aborted: RunReport) -> None:
        """The aborted step ran at 50 percent, though the abort set 0."""
        assert aborted.steps[5].weight == 50

    def test_the_aborted_step_ends_with_the_abort(self, aborted: RunReport) -> None:
        """The step took until the phase became Degraded, not until the run was over."""
        assert aborted.steps[5].duration_seconds == 61

    def test_the_failed_run_decided(self, aborted: RunReport) -> None:
        """The deciding AnalysisRun is the failed one, for its failed metric only."""
        assert aborted.deciding_run is not None
        assert aborted.deciding_run.name == f"{RUN}-5"
        assert aborted.deciding_run.message == FAILED_METRIC
        assert [metric.plan.name for metric in aborted.deciding_metrics] == ["error-rate"]

    def test_readings_are_what_the_condition_looked_at(self, aborted: RunReport) -> None:
        """The error rate is read out of the whole answer of the APM."""
        metric = aborted.deciding_metrics[0]
        assert [m.reading for m in metric.measurements] == [5.18, 5.23]

    def test_time_to_rollback_counts_from_the_first_bad_measurement(
        self, aborted: RunReport
    ) -> None:
        """From the start of the first failed measurement to weight 0 are 61 seconds."""
        rollback = aborted.rollback
        assert rollback is not None
        assert rollback.weight_before == 50
        assert rollback.seconds == 61
        assert rollback.weight_zero_at == rollback.decided_at

    def test_canary_pods_go_after_the_delay(self, aborted: RunReport) -> None:
        """The canary's ReplicaSet is scaled down 30 seconds after the abort."""
        rollback = aborted.rollback
        assert rollback is not None
        assert rollback.canary_scaled_down_at == rollback.decided_at + timedelta(seconds=30)

    def test_traffic_of_a_step_is_what_was_served_in_it(self, aborted: RunReport) -> None:
        """The canary served half of 10 requests a second in the three minutes at weight 50."""
        served = aborted.steps[4].canary
        assert served is not None
        assert served.requests == pytest.approx(900, abs=20)
        assert served.error_rate == pytest.approx(5.2, abs=0.3)


class TestOtherEnds:
    """Pauses, a person's decisions, lost programs."""

    def test_an_inconclusive_run_pauses(self) -> None:
        """A paused run names the AnalysisRun that could not decide."""
        report = build_report(paused_log().events)
        assert report.outcome is Outcome.PAUSED
        assert report.deciding_run is not None
        assert report.deciding_run.phase == "Inconclusive"
        assert report.steps[2].state is StepState.PAUSED

    def test_a_person_s_abort_has_no_deciding_run(self) -> None:
        """An abort by command is decided by the command, not by an earlier AnalysisRun."""
        log = Log()
        log.start()
        log.wait(23)
        log.weight_step(0, 20)
        log.begin_step(1)
        log.wait(10)
        log.add(ev.OperatorCommand, command="abort")
        decided = log.now
        log.wait(5)
        log.set_weight(0)
        log.add(ev.RunFinished, outcome="aborted", phase="Degraded", message="m", aborted_at_step=1)
        report = build_report(log.events)
        assert report.deciding_run is None
        assert report.rollback is not None
        assert report.rollback.decided_at == decided
        assert report.rollback.seconds == 5

    def test_a_retry_voids_the_first_attempt(self) -> None:
        """After a retry the steps are those of the second attempt, and no old run decides."""
        log = aborted_log()
        log.events.pop()
        log.add(ev.OperatorCommand, command="retry")
        log.wait(5)
        log.weight_step(0, 20)
        log.begin_step(1)
        log.wait(5)
        log.add(ev.OperatorCommand, command="abort")
        log.add(ev.RunFinished, outcome="aborted", phase="Degraded", message="m", aborted_at_step=1)
        report = build_report(log.events)
        assert [step.state for step in report.steps][:3] == ["completed", "aborted", "not reached"]
        assert report.deciding_run is None

    def test_skipped_steps_of_a_promotion_are_told(self) -> None:
        """Steps that a full promotion skipped are neither completed nor unreached."""
        log = Log()
        log.start()
        log.wait(23)
        log.weight_step(0, 20)
        log.begin_step(1)
        log.add(ev.OperatorCommand, command="promote-full")
        log.add(ev.RunFinished, outcome="promoted", phase="Healthy")
        report = build_report(log.events)
        assert [step.state for step in report.steps] == ["completed"] + ["skipped"] * 8

    def test_a_lost_process_is_told(self) -> None:
        """A program that ended unasked is in the report, an expected end is not."""
        log = Log()
        log.start()
        log.add(ev.ProcessExited, name="votegen", exit_code=0, expected=True)
        log.add(ev.ProcessExited, name="mock-newrelic", exit_code=-9, expected=False)
        report = build_report(log.events)
        assert [(lost.name, lost.exit_code) for lost in report.lost_processes] == [
            ("mock-newrelic", -9)
        ]


class TestIncompleteLog:
    """Logs of runs that were killed."""

    def test_a_killed_run_is_interrupted(self) -> None:
        """Without run_finished there is no verdict, whatever came before."""
        report = build_report(upto(promoted_log().events, ev.RunFinished))
        assert report.outcome is Outcome.INTERRUPTED
        assert report.finished_at is None

    @pytest.mark.parametrize("count", range(1, len(aborted_log().events), 7))
    def test_any_beginning_of_a_log_gives_a_report(self, count: int) -> None:
        """A log may stop anywhere: no cut is a success, none is an error."""
        report = build_report(aborted_log().events[:count])
        assert report.outcome is Outcome.INTERRUPTED

    def test_a_run_killed_in_an_analysis_has_it_running(self) -> None:
        """An AnalysisRun without an end is Running, and so are its measured metrics."""
        report = build_report(upto(aborted_log().events, ev.AnalysisRunCompleted))
        assert report.analysis_runs[0].phase == "Running"
        assert report.analysis_runs[0].metrics[0].phase == "Running"
        assert report.steps[2].state is StepState.UNFINISHED

    def test_a_run_killed_after_the_abort_still_shows_the_rollback(self) -> None:
        """The evidence is not lost when the run is killed between abort and end."""
        report = build_report(upto(aborted_log().events, ev.RunFinished))
        assert report.outcome is Outcome.INTERRUPTED
        assert report.rollback is not None
        assert report.deciding_run is not None
        assert report.steps[5].state is StepState.ABORTED

    def test_a_torn_last_line_is_forgiven(self) -> None:
        """A line cut by a kill ends the log; the events before it count."""
        lines = aborted_log().lines()
        report = build_report(decode_log([*lines[:-1], lines[-1][:20]]))
        assert report.outcome is Outcome.INTERRUPTED


class TestRefusedLogs:
    """Logs that cannot be reported."""

    @pytest.mark.parametrize(
        "events",
        [
            pytest.param([], id="empty"),
            pytest.param(promoted_log().events[1:], id="no-run-started"),
        ],
    )
    def test_a_log_without_a_start_is_refused(self, events: list[ev.Event]) -> None:
        """Without run_started there is nothing to report, and the error says what was expected."""
        with pytest.raises(InvalidInput, match="no run_started") as caught:
            build_report(events)
        assert "event log" in caught.value.hint

    def test_two_runs_in_one_log_are_refused(self) -> None:
        """Two runs would mix their steps."""
        with pytest.raises(InvalidInput, match="second run_started"):
            build_report([*promoted_log().events, *aborted_log().events])

    def test_an_unknown_outcome_is_refused(self) -> None:
        """A made-up outcome is an error that lists the known ones."""
        log = Log()
        log.start()
        log.add(ev.RunFinished, outcome="fine", phase="Healthy")
        with pytest.raises(InvalidInput, match="'fine'") as caught:
            build_report(log.events)
        assert "promoted" in caught.value.hint

    def test_a_newer_schema_is_refused(self) -> None:
        """A log of a later schema is not half understood."""
        log = Log()
        log.start(schema_version=ev.SCHEMA_VERSION + 1)
        with pytest.raises(InvalidInput, match="schemaVersion"):
            build_report(log.events)


class TestMissingFacts:
    """What the log does not say, or says before the run."""

    def test_bringing_up_stable_is_not_part_of_the_run(self) -> None:
        """Events before run_started leave no weight, no phase and no row."""
        log = Log()
        log.add(ev.PhaseChanged, phase="Healthy", message="")
        log.add(ev.ReplicaSetScaled, hash=STABLE.hash, replicas=2)
        log.start()
        report = build_report(log.events)
        assert report.phase == "Progressing"
        assert report.timeline[0].event == "started"

    def test_traffic_before_the_start_does_not_count(self) -> None:
        """The totals of the run begin with the run."""
        log = Log()
        log.add(
            ev.TrafficObserved,
            versions=(ev.VersionTraffic(hash=STABLE.hash, requests=500, errors=5),),
        )
        log.start()
        log.add(
            ev.TrafficObserved,
            versions=(ev.VersionTraffic(hash=STABLE.hash, requests=700, errors=6),),
        )
        served = build_report(log.events).served(STABLE.hash)
        assert served is not None
        assert (served.requests, served.errors) == (200, 1)

    def test_no_traffic_is_not_zero(self) -> None:
        """Without a sample no version was served, and nobody knows of a downtime."""
        log = Log(traffic=False)
        log.start()
        log.wait(60)
        report = build_report(log.events)
        assert report.served(CANARY.hash) is None
        assert report.traffic.downtime_seconds() is None

    def test_a_metric_without_a_result_is_pending(self) -> None:
        """A metric that a sibling's failure cut off before its first measurement is Pending."""
        log = aborted_log()
        events = [
            event
            for event in log.events
            if not (isinstance(event, ev.MeasurementTaken) and event.metric == "http-health")
        ]
        completed = next(
            event
            for event in events
            if isinstance(event, ev.AnalysisRunCompleted) and event.name == f"{RUN}-5"
        )
        completed.status["metricResults"].pop(0)
        metric = build_report(events).analysis_runs[1].metrics[0]
        assert (metric.plan.name, metric.phase, metric.checks) == ("http-health", "Pending", "0/3")

    def test_counts_of_a_running_metric_come_from_its_measurements(self) -> None:
        """Before Argo's status is in the log, the measurements are counted."""
        events = upto(aborted_log().events, ev.AnalysisRunCompleted)
        metric = build_report(events).analysis_runs[0].metrics[0]
        assert (metric.successful, metric.failed, metric.count) == (5, 0, 5)

    def test_the_report_cannot_be_changed(self, promoted: RunReport) -> None:
        """Renderers share one model, so it is frozen."""
        with pytest.raises(FrozenInstanceError):
            promoted.message = "other"  # type: ignore[misc]


class TestTimeline:
    """Which events become rows."""

    def test_rows_are_in_the_order_of_the_log(self, aborted: RunReport) -> None:
        """Times never go back, from the start to the outcome."""
        times = [entry.at for entry in aborted.timeline]
        assert times == sorted(times)
        assert aborted.timeline[0].subject == "Rollout"
        assert aborted.timeline[-1].event == "aborted"

    def test_bad_news_are_marked(self, aborted: RunReport) -> None:
        """Failed measurements, the failed run, the phase and the outcome are bad."""
        bad = [entry.event for entry in aborted.timeline if entry.bad]
        assert bad == [
            "error-rate #1 Failed",
            "error-rate #2 Failed",
            f"{RUN}-5 Failed",
            "Degraded",
            "aborted",
        ]

    def test_weights_show_where_they_came_from(self, aborted: RunReport) -> None:
        """A weight row has the weight before and after."""
        weights = [entry.event for entry in aborted.timeline if entry.subject == "Weight"]
        assert weights == ["0 → 20 %", "20 → 50 %", "50 → 0 %"]

    def test_steps_do_not_repeat_as_phases(self, promoted: RunReport) -> None:
        """Progressing and Paused come with every step, so only Healthy is a row."""
        phases = [entry.event for entry in promoted.timeline if entry.subject == "Phase"]
        assert phases == ["Healthy"]

    def test_controller_events_have_their_own_list(self, promoted: RunReport) -> None:
        """Argo's events repeat the rows and are kept apart."""
        assert {entry.subject for entry in promoted.controller_events} == {"Controller"}
        assert all(entry.subject != "Controller" for entry in promoted.timeline)
