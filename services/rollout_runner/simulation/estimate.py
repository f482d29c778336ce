"""From the runs of a study to its result: probabilities with intervals, detection, exposure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from rollout_runner.simulation.intervals import (
    CONFIDENCE,
    mcnemar,
    paired_difference,
    proportion_interval,
    quantile,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rollout_runner.simulation.summary import RunSummary

OUTCOMES = ("promoted", "aborted", "paused")
"""Those that are always told; degraded only when it happened."""
_DIGITS = 6


def estimate(runs: Sequence[RunSummary], *, seed: int) -> dict[str, Any]:
    """Return the result document of a study.

    `detection` speaks of the runs that were stopped: virtual seconds from the start of the rollout
    to the abort (or the pause that nobody ends), and requests that failed in the canary until all
    was over. `exposure` speaks of all runs.
    """
    total = len(runs)
    counts = Counter(run.outcome for run in runs)
    names = [*OUTCOMES, *sorted(counts.keys() - set(OUTCOMES))]
    intervals = {name: proportion_interval(counts[name], total) for name in names}
    stopped = [run for run in runs if run.stopped]
    return {
        "runs": total,
        "seed": seed,
        "probabilities": {name: _rounded(counts[name] / total) for name in names},
        "intervals": {
            name: [_rounded(each.low), _rounded(each.high)] for name, each in intervals.items()
        },
        "intervalMethods": {name: each.method for name, each in intervals.items()},
        "confidence": CONFIDENCE,
        "detection": {
            "runs": len(stopped),
            "seconds": _quantiles(
                [run.stopped_after for run in stopped if run.stopped_after is not None]
            ),
            "badRequestsServed": _quantiles([run.bad_requests for run in stopped]),
        },
        "exposure": {
            "badRequestsServed": _quantiles([run.bad_requests for run in runs]),
            "canaryRequests": _quantiles([run.canary_requests for run in runs]),
        },
        "abortedAtStep": {
            str(step): count
            for step, count in sorted(
                Counter(
                    run.aborted_at_step for run in runs if run.aborted_at_step is not None
                ).items()
            )
        },
        "decidedBy": dict(
            sorted(Counter(run.decided_by for run in runs if run.decided_by).items())
        ),
        "readings": _readings(runs),
    }


def compare(first: Sequence[RunSummary], second: Sequence[RunSummary]) -> dict[str, Any]:
    """Return the paired comparison of two gates on the same runs.

    `table` counts runs by (first, second); `stopped` leaves out which way. McNemar's p-value is
    that of the two gates stopping equally often.
    """
    pairs = Counter((one.outcome, other.outcome) for one, other in zip(first, second, strict=True))
    stops = Counter((one.stopped, other.stopped) for one, other in zip(first, second, strict=True))
    runs, only_first, only_second = len(first), stops[True, False], stops[False, True]
    interval = paired_difference(only_first, only_second, runs)
    return {
        "table": [
            {"outcome": one, "against": other, "runs": count}
            for (one, other), count in sorted(pairs.items())
        ],
        "stopped": {
            "both": stops[True, True],
            "onlyThis": only_first,
            "onlyAgainst": only_second,
            "neither": stops[False, False],
        },
        "difference": _rounded((only_first - only_second) / runs),
        "differenceInterval": [_rounded(interval.low), _rounded(interval.high)],
        "differenceMethod": interval.method,
        "mcnemarP": float(f"{mcnemar(only_first, only_second):.4g}"),
    }


def _readings(runs: Sequence[RunSummary]) -> list[dict[str, Any]]:
    """Return what the gates were told, by step and metric, in percent."""
    values: dict[tuple[int, str], list[float]] = {}
    for run in runs:
        for reading in run.readings:
            values.setdefault((reading.step, reading.metric), []).append(reading.value)
    return [
        {
            "step": step if step >= 0 else None,
            "metric": metric,
            "count": len(found),
            "mean": _rounded(sum(found) / len(found)),
            "p10": quantile(found, 0.10),
            "p50": quantile(found, 0.50),
            "p90": quantile(found, 0.90),
        }
        for (step, metric), found in sorted(values.items())
    ]


def _quantiles(values: Sequence[float]) -> dict[str, float | None]:
    return {"p50": quantile(list(values), 0.50), "p90": quantile(list(values), 0.90)}


def _rounded(value: float) -> float:
    return round(value, _DIGITS)
