"""Replays of the judge's own engines."""

from __future__ import annotations

import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from analyzer.conformance.record import Check, UnsupportedRecord, checks
from analyzer.domain import (
    block_t,
    forecast,
    multiplicity,
    noncentral,
    posterior,
    ripr,
    scme,
    spending,
    traffic_split,
)
from analyzer.domain.contenders import quantiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from analyzer.conformance.record import Record

    Table = tuple[int, int, int, int]

_SPENDING = "alpha*log(1+(e-1)t/T)"
_LOG_MARGIN = re.compile(r"log\(([0-9.]+)\)|(-?[0-9.]+)")
_WORSE = re.compile(r"P\(pc>([0-9.]*)ps\)")


def replay_log_z(record: Record) -> Iterator[Check]:
    """Replay the normaliser of one table and the likelihood ratio of one effect."""
    table = (record["nc"], record["ec"], record["ns"], record["m"] - record["ec"])
    beta = [record["beta"]]
    values = {
        "logZ": lambda: noncentral.log_z(record["nc"], record["ns"], record["m"], beta)[0],
        "loglik": lambda: noncentral.log_likelihood(*table, beta)[0],
    }
    yield from checks(record["expected"], values, record["tol"])


def replay_tilt(record: Record) -> Iterator[Check]:
    """Replay the normaliser of a rank score over pooled bins."""

    def log_z() -> float:
        return float(
            noncentral.tilt_log_z(
                record["pooled"], record["score"], record["n_canary"], [record["lam"]]
            )[0]
        )

    yield from checks(record["expected"], {"logZ": log_z}, record["tol"])


def replay_scme(record: Record) -> Iterator[Check]:
    """Replay the evidence of a sequence of windows, look by look."""
    tables, margin, tolerance = _tables(record), _margin(record), record["tol"]
    if record["kind"] == "pass":
        found = scme.pass_series(tables, margin=margin)
        yield Check("logE", found, record["expected_logE"], tolerance)
        return
    if record["kind"] != "fail":
        raise UnsupportedRecord(f"no function for kind {record['kind']!r}")
    planned = next(
        int(key.removeprefix("expected_logE_SR_uniform"))
        for key in record
        if key.startswith("expected_logE_SR_uniform")
    )
    series = scme.fail_series(tables, margin=margin, planned=planned)
    for key, values in zip(
        ("expected_logE", f"expected_logE_SR_uniform{planned}", "expected_logE_mix"),
        zip(*series, strict=True),
        strict=True,
    ):
        yield Check(key, values, record[key], tolerance)


def replay_boost(record: Record) -> Iterator[Check]:
    """Replay the exact boosting of one window."""
    table = (record["nc"], record["ec"], record["ns"], record["es"])
    factor = scme.boost(table, alpha=record["alpha"])
    plain = math.exp(scme.fail_series([table], margin=0.0, planned=1)[0][0])
    values: dict[str, Callable[[], Any]] = {
        "boost": lambda: factor,
        "E_plain": lambda: plain,
        "E_boosted": lambda: factor * plain,
    }
    yield from checks(record["expected"], values, record["tol"])


def replay_spending(record: Record) -> Iterator[Check]:
    """Replay the looks of one sequence, or its sequential p-values."""
    tables, planned = _tables(record), record["T"]
    if record.get("kind") == "sequential_p":
        found = spending.sequential_p_values(
            tables, lambda alpha: spending.planned_spending(alpha, planned)
        )
        yield Check("p", found, record["expected"], record["tol"])
        return
    if record["spending"] != _SPENDING:
        raise UnsupportedRecord(f"no function for spending {record['spending']!r}")
    looks = spending.looks(
        tables, spending.planned_spending(record["alpha"], planned), margin=_margin(record)
    )
    stop = next((look.number for look in looks if look.crossed), None)
    yield Check("stop_at", stop, record["expected"]["stop_at"])
    for look, expected in zip(looks, record["expected"]["looks"], strict=True):
        values: dict[str, Callable[[], Any]] = {
            "t": partial(int, look.number),
            "S": partial(int, look.total),
            "boundary": partial(int, look.boundary),
            "tail_spent_cum": partial(float, look.spent),
            "crossed": partial(bool, look.crossed),
        }
        yield from checks(expected, values, record["tol"])


def replay_ripr(record: Record) -> Iterator[Check]:
    """Replay one projection on a margin and its e-value."""
    kind, margin = ripr.Margin(record["margin_kind"]), record["margin"]
    table = (record["nc"], record["ec"], record["ns"], record["es"])
    predicted = (record["alt"][0], record["alt"][1])
    canary, stable = ripr.projection((table[0], table[2]), predicted, kind, margin)
    values: dict[str, Callable[[], Any]] = {
        "q_c": lambda: canary,
        "q_s": lambda: stable,
        "logE": lambda: ripr.log_e(table, predicted, kind, margin),
    }
    yield from checks(record["expected"], values, record["tol"])


def replay_split(record: Record) -> Iterator[Check]:
    """Replay the evidence against a traffic split."""
    found = traffic_split.split_evidence(
        record["nc"],
        record["n"],
        weight=record["expected_weight"],
        tolerance=record["tolerance_abs"],
    )
    values = {
        "logE_over": lambda: found.over,
        "logE_under": lambda: found.under,
        "logE_avg": lambda: found.either,
    }
    yield from checks(record["expected"], values, record["tol"])


def replay_planning(record: Record) -> Iterator[Check]:
    """Replay one forecast."""
    traffic = forecast.Traffic(rps=record["rps"], weight=record["weight"])
    values: dict[str, Callable[[], Any]]
    if record.get("kind") == "pass_time_if_equal":
        values = {
            "seconds": lambda: forecast.pass_seconds(
                traffic,
                record["p"],
                odds_ratio=record["margin_ratio"],
                alpha=record["alpha_pass"],
            )
        }
    elif "kind" in record:
        raise UnsupportedRecord(f"no function for kind {record['kind']!r}")
    else:
        rates, alpha = (record["p_canary"], record["p_stable"]), record["alpha"]
        oracle = forecast.oracle_nats_per_second(traffic, *rates)
        conditional = forecast.nats_per_second(traffic, *rates)
        known = forecast.known_baseline_nats_per_second(traffic, *rates)
        values = {
            "oracle_two_sample_nats_per_s": lambda: oracle,
            "oracle_seconds": lambda: forecast.seconds(oracle, alpha),
            "conditional_nats_per_s": lambda: conditional,
            "conditional_seconds": lambda: forecast.seconds(conditional, alpha),
            "known_ps_seconds": lambda: forecast.seconds(known, alpha),
        }
    yield from checks(record["expected"], values, record["tol"])


def replay_block_t(record: Record) -> Iterator[Check]:
    """Replay the evidence of a sequence of blocks."""
    found = block_t.series(record["z"])
    yield Check("logE", found, record["expected_logE_from_n2"], record["tol"])


def replay_combination(record: Record) -> Iterator[Check]:
    """Replay what several e-values come to."""
    e_values, weights, alpha = record["evalues"], record["weights"], record["alpha"]
    average = multiplicity.weighted_average(e_values, weights)
    values: dict[str, Callable[[], Any]] = {
        "weighted_average": lambda: average,
        "reject_global": lambda: average >= 1 / alpha,
        "weighted_bonferroni": lambda: multiplicity.weighted_bonferroni(
            e_values, weights, alpha=alpha
        ),
        "eBH_rejections": lambda: multiplicity.e_bh(e_values, alpha=alpha),
    }
    yield from checks(record["expected"], values, record["tol"])


def replay_quantile(record: Record) -> Iterator[Check]:
    """Replay the ranks around a quantile, at one look or at all."""
    n, p, alpha = record["n"], record["p"], record["alpha"]
    values: dict[str, Callable[[], Any]]
    if record["kind"].startswith("fixed-n"):
        found = quantiles.rank_interval(n, p, alpha=alpha)
        values = {
            "lower_index": lambda: found.lower,
            "upper_index": lambda: found.upper,
            "coverage": lambda: found.coverage,
            "upper_exists": lambda: found.upper_exists,
        }
    elif record["kind"].startswith("time-uniform"):
        above, below = quantiles.rank_offsets(n, p, alpha=alpha)
        values = {"upper_rank_offset": lambda: above, "lower_rank_offset": lambda: below}
    else:
        raise UnsupportedRecord(f"no function for kind {record['kind']!r}")
    yield from checks(record["expected"], values, record["tol"])


def replay_posterior(record: Record) -> Iterator[Check]:
    """Replay posterior probabilities that the canary is worse."""
    if record["prior"] != "Jeffreys":
        raise UnsupportedRecord(f"no function for prior {record['prior']!r}")
    table = (record["nc"], record["ec"], record["ns"], record["es"])
    values: dict[str, Callable[[], Any]] = {}
    for key in record["expected"]:
        match = _WORSE.fullmatch(key)
        if match is not None:
            ratio = float(match[1] or 1)
            values[key] = partial(posterior.probability_worse, table, ratio=ratio)
    yield from checks(record["expected"], values, record["tol"])


def _tables(record: Record) -> list[Table]:
    return [(nc, ec, ns, es) for nc, ec, ns, es in record["windows"]]


def _margin(record: Record) -> float:
    match = _LOG_MARGIN.fullmatch(record["margin_logOR"])
    if match is None:
        raise UnsupportedRecord(f"no margin {record['margin_logOR']!r}")
    return math.log(float(match[1])) if match[1] else float(match[2])
