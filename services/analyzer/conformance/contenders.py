"""Replays of the textbook methods and of the sequential methods of others."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from analyzer.conformance.record import Check, UnsupportedRecord, checks
from analyzer.domain.contenders import asymptotic_cs, boundaries, multinomial, proportions
from analyzer.domain.contenders.rank_tests import (
    Alternative,
    ks_2samp,
    mann_whitney,
    mann_whitney_exact,
)
from analyzer.domain.contenders.stratified import mantel_haenszel
from analyzer.domain.intervals import newcombe, wilson
from analyzer.domain.model import ArmCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from analyzer.conformance.record import Record

_INTERVAL_KEY = re.compile(r"ci(\d\d)_([a-z]+)_([a-z-]+)")


def replay_mann_whitney(record: Record) -> Iterator[Check]:
    """Replay one Mann-Whitney test: U and p."""
    alternative = Alternative(record["alternative"])
    if record["method"] == "exact":
        found = mann_whitney_exact(record["x"], record["y"], alternative=alternative)
    elif record["method"] == "asymptotic":
        found = mann_whitney(
            record["x"], record["y"], alternative=alternative, continuity=record["continuity"]
        )
    else:
        raise UnsupportedRecord(f"no function for method {record['method']!r}")
    values = {"U": lambda: found.statistic, "p": lambda: found.p_value}
    yield from checks(record["expected"], values, record["tol"])


def replay_ks(record: Record) -> Iterator[Check]:
    """Replay one Kolmogorov-Smirnov test: distance and p."""
    found = ks_2samp(record["x"], record["y"], alternative=Alternative(record["alternative"]))
    values = {"D": lambda: found.statistic, "p": lambda: found.p_value}
    yield from checks(record["expected"], values, record["tol"])


def replay_two_proportion(record: Record) -> Iterator[Check]:
    """Replay the tests and intervals of one 2x2 table."""
    table = proportions.Table(record["ec"], record["nc"], record["es"], record["ns"])
    kind = str(record.get("kind", "table"))
    tolerance = record["tol"]
    values: Mapping[str, Callable[[], Any]]
    if kind.startswith("noninferiority_diff_score"):
        z, p = proportions.noninferiority(table, margin=record["margin"])
        values = {"z": lambda: z, "p": lambda: p}
    elif kind == "tost_diff_score":
        values = {"p": lambda: proportions.equivalence_p(table, margin=record["margin"])}
    elif kind == "table":
        values = {key: partial(_of_table, table, key) for key in record["expected"]}
    else:
        raise UnsupportedRecord(f"no function for kind {kind!r}")
    for check in checks(record["expected"], values, tolerance):
        # A value printed with more digits than a float has is text in the file.
        expected = float(check.expected) if isinstance(check.expected, str) else check.expected
        yield Check(check.what, check.actual, expected, check.tolerance)


def _of_table(table: proportions.Table, key: str) -> Any:
    z = proportions.pooled_z(table)
    tests: dict[str, Callable[[], Any]] = {
        "z_pooled_larger": lambda: (z, proportions.upper_tail(z)),
        "z_pooled_smaller": lambda: (z, proportions.upper_tail(-z)),
        "z_pooled_two-sided": lambda: (z, 2 * proportions.upper_tail(abs(z))),
        "fisher_greater_p": lambda: proportions.fisher_greater(table),
        "fisher_greater_p_mpmath": lambda: proportions.fisher_greater(table),
        "fisher_two_sided_p": lambda: proportions.fisher_two_sided(table),
        "boschloo_greater_p": lambda: proportions.boschloo_greater(_by_outcome(table)),
    }
    if key in tests:
        return tests[key]()
    match = _INTERVAL_KEY.fullmatch(key)
    if match is None:
        raise UnsupportedRecord(f"no function for {key}")
    return _interval(table, match[2], match[3], int(match[1]) / 100)


def _by_outcome(table: proportions.Table) -> proportions.Table:
    """Return the table with bad and good requests as the arms.

    SciPy takes the columns of a table for the groups whose sizes are fixed. The reference values
    come from tables with canary and stable as rows, so they fix how many requests are bad and good.
    """
    good_canary = table.count_canary - table.bad_canary
    return proportions.Table(table.bad_canary, table.bad, good_canary, table.total - table.bad)


def _interval(table: proportions.Table, what: str, method: str, confidence: float) -> Any:
    canary = ArmCounts(count=table.count_canary, bad=table.bad_canary)
    stable = ArmCounts(count=table.count_stable, bad=table.bad_stable)
    arms = {"canary": canary, "stable": stable}
    if what in arms:
        arm = arms[what]
        of_one: dict[str, Callable[[], Any]] = {
            "wilson": lambda: wilson(arm, confidence=confidence),
            "beta": lambda: proportions.clopper_pearson(arm.bad, arm.count, confidence=confidence),
            "jeffreys": lambda: proportions.jeffreys(arm.bad, arm.count, confidence=confidence),
        }
        found = of_one.get(method)
    else:
        of_two: dict[tuple[str, str], Callable[[], Any]] = {
            ("diff", "newcomb"): lambda: newcombe(canary, stable, confidence=confidence),
            ("diff", "wald"): lambda: proportions.wald(table, confidence=confidence),
            ("diff", "agresti-caffo"): lambda: proportions.agresti_caffo(
                table, confidence=confidence
            ),
            ("ratio", "log"): lambda: proportions.log_ratio(table, confidence=confidence),
        }
        for effect in proportions.Effect:
            of_two[effect, "score"] = partial(
                proportions.score_interval, table, effect, confidence=confidence
            )
        found = of_two.get((what, method))
    if found is None:
        raise UnsupportedRecord(f"no function for the {method} interval of {what}")
    return found()


def replay_cmh(record: Record) -> Iterator[Check]:
    """Replay one stratified table, and what pooling it would have said."""
    tables = record["tables"]
    found = mantel_haenszel(tables, correction=record.get("correction", False))
    a, b, c, d = (sum(table[i][j] for table in tables) for i in (0, 1) for j in (0, 1))
    crude = proportions.Table(a, a + b, c, c + d)
    values: dict[str, Callable[[], Any]] = {
        "cmh": lambda: found.chi_square,
        "p": lambda: found.p_value,
        "mh_or": lambda: found.odds_ratio,
        "mh_logor_se": lambda: found.log_odds_ratio_se,
        "mh_rr": lambda: found.risk_ratio,
        "crude_or": lambda: a * d / (b * c),
        "crude_z": lambda: proportions.pooled_z(crude),
    }
    yield from checks(record["expected"], values, record["tol"])


def replay_multinomial(record: Record) -> Iterator[Check]:
    """Replay one Lindon-Malek test with its confidence sequences."""
    shares, k, counts = record["theta0"], record["k"], record["counts"]
    log_e = multinomial.log_e(counts, shares, k=k)

    def intervals() -> list[tuple[float, float]]:
        return multinomial.confidence_sequence(counts, shares, k=k, alpha=0.05)

    values: dict[str, Callable[[], Any]] = {
        "logE": lambda: log_e,
        "p": lambda: multinomial.p_value(log_e),
        "logE_one_sided_theta_gt_theta0": lambda: multinomial.log_e_greater(
            counts[0], sum(counts[1:]), shares[0], k=k
        ),
        "cs95_theta_savvi": intervals,
        "cs95_theta": lambda: intervals()[0],
    }
    yield from checks(record["expected"], values, record["tol"])


_BOUNDARIES: dict[str, Callable[..., Any]] = {
    "normal_mixture_bound two-sided": partial(boundaries.normal_mixture, one_sided=False),
    "normal_mixture_bound one-sided": partial(boundaries.normal_mixture, one_sided=True),
    "beta_binomial_mixture_bound one-sided": partial(
        boundaries.beta_binomial_mixture, one_sided=True
    ),
    "beta_binomial_mixture_bound two-sided": partial(
        boundaries.beta_binomial_mixture, one_sided=False
    ),
    "poly_stitching_bound": boundaries.poly_stitching,
    "double_stitching_bound": boundaries.double_stitching,
    "empirical_process_lil_bound (time-uniform DKW)": boundaries.empirical_process_lil,
    "bernoulli_confidence_interval": boundaries.bernoulli_interval,
    "DKW fixed-n half width sqrt(log(2/a)/(2n))": boundaries.dkw_half_width,
}
_RENAMED = {"A": "a"}


def replay_boundary(record: Record) -> Iterator[Check]:
    """Replay one time-uniform boundary."""
    function = _BOUNDARIES.get(record["fn"])
    if function is None:
        raise UnsupportedRecord(f"no function for {record['fn']!r}")
    arguments = {_RENAMED.get(name, name): value for name, value in record["args"].items()}
    yield Check(record["fn"], function(**arguments), record["expected"], record["tol"])


def replay_asymptotic_cs(record: Record) -> Iterator[Check]:
    """Replay one asymptotic confidence sequence, two-sided and one-sided."""
    alpha, tuned = record["alpha"], record["tuning"]
    rho = {
        side: asymptotic_cs.tuning_rho(alpha=alpha, tuned_at=tuned, one_sided=side == "one")
        for side in ("one", "two")
    }
    values: dict[str, Callable[[], Any]] = {}
    for side, value in rho.items():
        values[f"rho_{side}"] = partial(float, value)
        values[f"half_{side}"] = partial(
            asymptotic_cs.half_width,
            record["s2"],
            record["n"],
            alpha=alpha,
            rho=value,
            one_sided=side == "one",
        )
    yield from checks(record["expected"], values, record["tol"])
