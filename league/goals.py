"""The goals, measured: what was aimed at, what was reached, met or missed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Documents = Mapping[str, Any]

MET, MISSED, OPEN, UNMEASURED = "met", "missed", "within noise", "not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One measured goal; `state` is met, missed, within noise (of a missed one) or not measured."""

    goal: str
    what: str
    aim: str
    reached: str
    state: str


def findings(documents: Documents) -> list[Finding]:
    """Return every goal that these scenarios tell something about."""
    return [
        *_false_alarms(documents),
        *_delays(documents),
        *_latency(documents),
        *_passes(documents),
        *_costs(documents),
    ]


def row(documents: Documents, scenario: str, contender: str = "Gatelab") -> dict[str, Any] | None:
    """Return one row; None when it was not measured."""
    rows = documents.get(scenario, {}).get("rows", [])
    return next((one for one in rows if one["contender"] == contender), None)


def percent(share: float) -> str:
    """Return a share as text in percent."""
    return f"{100 * share:.2f} %"


def _share(
    documents: Documents, goal: str, name: str, what: str, *, most: float, key: str = "fail_share"
) -> Finding:
    found = row(documents, name)
    aim = f"<= {percent(most)}"
    if found is None:
        return Finding(goal=goal, what=what, aim=aim, reached="", state=UNMEASURED)
    share = found[key]
    state = MET if share <= most else MISSED
    text = f"{percent(share)} of {found['runs']}"
    if key == "fail_share":
        text += f" [{percent(found['fail_low'])}, {percent(found['fail_high'])}]"
        if state == MISSED and found["fail_low"] <= most:
            state = OPEN
    return Finding(goal=goal, what=what, aim=aim, reached=text, state=state)


def _false_alarms(documents: Documents) -> Iterator[Finding]:
    for name in documents:
        if name.startswith("S0-") or name in {"S2", "L0", "L5", "M1"}:
            yield _share(documents, "G1", name, f"false alarms, {name}", most=0.01)
    for name, document in documents.items():
        if name.startswith("S3-") and document["null"]:
            yield _share(documents, "G4", name, f"false alarms under bursts, {name}", most=0.01)
    slow, fast = row(documents, "S3-power"), row(documents, "S6-2-5")
    if slow and fast and slow.get("median_fail_s") and fast.get("median_fail_s"):
        ratio = slow["median_fail_s"] / fast["median_fail_s"]
        yield _compared("G4", "median delay with bursts over without", ratio, most=2.0, unit="x")
    yield _share(documents, "G6", "S0-1-2", "false alarms at 2/s", most=0.01)
    yield _least(documents, "G6", "S1", "power at 2/s, 1 -> 5 %", least=0.85)


def _delays(documents: Documents) -> Iterator[Finding]:
    for change in ("2-3", "2-5", "2-20", "0.2-1"):
        name = f"S6-{change}-poll5"
        product = row(documents, name)
        oracle = row(documents, name, "oracle SPRT, calibrated")
        if product and oracle:
            ratio = product["mean_fail_s"] / oracle["mean_fail_s"]
            what = f"mean delay over the calibrated oracle, {change} %"
            yield _compared("G2", what, ratio, most=1.3, unit="x")
    late = row(documents, "S5")
    if late is not None:
        median = late.get("median_fail_s")
        delay = None if median is None else median - 300
        yield _compared("G3", "median delay of a regression at 300 s", delay, most=90, unit=" s")


def _latency(documents: Documents) -> Iterator[Finding]:
    for name, most in (("L2", 120), ("L1-1.1", 90)):
        found = row(documents, name)
        if found is not None:
            yield _compared(
                "G5", f"median delay, {name}", found.get("median_fail_s"), most=most, unit=" s"
            )
    yield _least(documents, "G5", "L3-0.5", "power, +2 s on 0.5 %", least=0.99)


def _passes(documents: Documents) -> Iterator[Finding]:
    yield _share(documents, "G7", "S8", "false pass at the margin", most=0.05, key="pass_share")
    yield _least(
        documents, "G7", "S0-2-50", "pass without a difference", least=0.9, key="pass_share"
    )


def _costs(documents: Documents) -> Iterator[Finding]:
    for name, what in (("S0-2-50", "a window of errors"), ("L0", "a window of eight latencies")):
        found = row(documents, name)
        if found is not None:
            cost = found["ms_per_judgement"]
            yield _compared("G8", f"time for {what}", cost, most=5.0, unit=" ms")


def _compared(goal: str, what: str, value: float | None, *, most: float, unit: str) -> Finding:
    reached = "never" if value is None else f"{value:.3g}{unit}"
    state = MET if value is not None and value <= most else MISSED
    return Finding(goal=goal, what=what, aim=f"<= {most:g}{unit}", reached=reached, state=state)


def _least(
    documents: Documents, goal: str, name: str, what: str, *, least: float, key: str = "fail_share"
) -> Finding:
    found = row(documents, name)
    aim = f">= {percent(least)}"
    if found is None:
        return Finding(goal=goal, what=what, aim=aim, reached="", state=UNMEASURED)
    state = MET if found[key] >= least else MISSED
    reached = f"{percent(found[key])} of {found['runs']}"
    if state == MISSED and key == "fail_share" and found["fail_high"] >= least:
        state = OPEN
    return Finding(goal=goal, what=what, aim=aim, reached=reached, state=state)
