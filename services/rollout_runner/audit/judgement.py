"""What the outcome of an analysis under a fault means, why it passed, and what to do about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rollout_runner.argo import gojson
from rollout_runner.argo.types import Phase
from rollout_runner.audit.matrix import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.argo.types import ArgoVersion
    from rollout_runner.audit.faults import Fault
    from rollout_runner.audit.matrix import Finding

LONGEST_READING: Final = 160
_LENIENT: Final = re.compile(r"\bdefault\(|\?\?|\bisNil\(|== *nil|\?:|\|\|")
_NEGATIVE: Final = re.compile(r"(?<![\w.])-\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """How one metric ended by itself.

    Attributes:
        metric: its name.
        provider: `web`, `job` or `newRelic`.
        phase: None when it was never measured.
        ended_at: the end of its last measurement, in seconds.
        value: of its last measurement; what the Job wrote.
        message: of the last measurement, or of the metric.
        success_condition: with its arguments filled in.
        failure_condition: with its arguments filled in.
        dry_run: whether it decides nothing.
    """

    metric: str
    provider: str
    phase: Phase | None
    ended_at: float
    value: str
    message: str
    success_condition: str
    failure_condition: str
    dry_run: bool = False

    @property
    def passes(self) -> bool:
        """Whether it ended Successful."""
        return self.phase is Phase.SUCCESSFUL

    @property
    def reading(self) -> str:
        """The last measurement in a few words."""
        return short(self.value or self.message)


def outcome_of(observations: Sequence[Observation], *, run_phase: Phase | None) -> Outcome:
    """Return what the rollout does when the metrics end so, each by itself.

    The first metric that does not succeed ends the run; the worst of those that ended by then
    decides. A run without measurements (its spec could not be resolved) has a phase of its own.
    """
    deciding = [each for each in observations if not each.dry_run]
    if not observations:
        return Outcome.ABORTS if run_phase is Phase.ERROR else Outcome.WAITS
    bad = [each for each in deciding if not each.passes]
    if not bad:
        return Outcome.PROMOTES
    completed = [each for each in bad if each.phase is not None and each.phase.completed]
    if not completed:
        return Outcome.WAITS
    first = min(each.ended_at for each in completed)
    phases = {each.phase for each in completed if each.ended_at <= first}
    return Outcome.ABORTS if phases & {Phase.FAILED, Phase.ERROR} else Outcome.PAUSES


def verdict_of(fault: Fault, outcome: Outcome, findings: Sequence[Finding]) -> Verdict:
    """Return what a cell means; the gate is known to stop this canary without the fault."""
    if outcome is Outcome.PROMOTES:
        return Verdict.LIE if fault.lie else Verdict.FAIL_OPEN
    if any(each.passes for each in findings):
        return Verdict.WARNING
    return Verdict.HOLDS


def explain(fault: Fault, seen: Observation, version: ArgoVersion) -> tuple[str, str]:
    """Say why a metric passed a bad canary under a fault, and what to do about it."""
    if seen.provider == "job":
        wrote = f" and wrote {_code(short(seen.value))}" if seen.value else ""
        mechanism = f"the script ended with exit code 0{wrote}; Argo looks at nothing else of a Job"
        return mechanism, _job_fix(fault)
    answer, condition = _code(short(seen.value)), seen.success_condition
    unread = seen.provider == "web" and not _is_json(seen.value)
    if unread and not version.evaluates_plain_text:
        skipped = f" without evaluating {_code(condition)}" if condition else ""
        mechanism = (
            f"the answer {answer} is not JSON, and Argo Rollouts {version} calls every 2xx answer"
            f" that is not JSON Successful{skipped}"
        )
        return mechanism, _FIX_NOT_JSON
    if not condition:
        rest = f" ({_code(seen.failure_condition)} did not hold)" if seen.failure_condition else ""
        mechanism = (
            "there is no successCondition, so every answer that is not a failure passes"
            f"{rest}: the answer was {answer}"
        )
        return mechanism, _FIX_NO_CONDITION
    return f"{answer} satisfies {_code(condition)}", _web_fix(fault, seen)


_FIX_NOT_JSON: Final = (
    "no condition can help before Argo Rollouts 1.10: put a metric into the same analysis that does"
    " not depend on this source, or upgrade"
)
_FIX_NO_CONDITION: Final = "give it a successCondition that only a good answer meets"
_FIX_LIE: Final = (
    "nothing in this answer tells that it is wrong: ask a second, independent source in the same"
    " analysis"
)
_FIX_DEFAULT: Final = (
    "let a missing value be an Error: compare the value itself, and put no good value in its place"
)
_FIX_NEGATIVE: Final = (
    "a number below zero is below every threshold: add the lower bound that a rate has, such as"
    " `result.errorRate >= 0 && …`"
)
_FIX_DATA: Final = (
    "the samples behind it are not the canary's of now: ask for the canary alone (hash=) and for"
    " fresh data (detail=full, `result.freshnessSeconds < 60`), or compare canary and stable in the"
    " same analysis"
)
_FIX_WIDE: Final = (
    "make the condition as narrow as a good answer is: type, range, and the name it is for"
)
_FIX_SCRIPT: Final = (
    "end with 0 only for one plain number that the source gave with status 200: `set -eu`,"
    ' `curl -f`, no `|| echo "0"`, no `${rate:-0}`; deploy/components/job-form does'
)


def _web_fix(fault: Fault, seen: Observation) -> str:
    if fault.lie:
        return _FIX_LIE
    if _LENIENT.search(seen.success_condition):
        return _FIX_DEFAULT
    if _NEGATIVE.search(seen.value):
        return _FIX_NEGATIVE
    return _FIX_DATA if fault.group == "APM: data" else _FIX_WIDE


def _job_fix(fault: Fault) -> str:
    if fault.lie:
        return _FIX_LIE
    return f"{_FIX_SCRIPT}; {_FIX_DATA}" if fault.group == "APM: data" else _FIX_SCRIPT


def short(text: str) -> str:
    """Return text on one line, cut to a readable length."""
    flat = " ".join(text.split())
    return flat if len(flat) <= LONGEST_READING else flat[: LONGEST_READING - 1] + "…"


def _code(text: str) -> str:
    return f"`{text}`" if text else "(empty)"


def _is_json(text: str) -> bool:
    try:
        gojson.decode(text.encode())
    except gojson.GoJsonError:
        return False
    return True
