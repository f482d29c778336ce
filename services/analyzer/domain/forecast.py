"""How long a verdict will take at this traffic: closed forms of information rates.

A sequential test needs log(1/alpha) nats on average; what a second brings is a Kullback-Leibler
divergence times the events of a second. Descriptive: evidence fluctuates around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scipy.special import xlog1py, xlogy

from analyzer.domain import ripr

if TYPE_CHECKING:
    from analyzer.domain.sequential import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Requests a second of both arms, and the canary's share of them."""

    rps: float
    weight: float


def divergence(p: float, q: float) -> float:
    """Return the divergence of two Bernoulli distributions in nats."""
    return float(xlogy(p, p / q) + xlog1py(1 - p, -p) - xlog1py(1 - p, -q))


def nats_per_second(traffic: Traffic, canary: float, stable: float) -> float:
    """Return what the windows of two rates tell a second, given their margins."""
    common = traffic.weight * canary + (1 - traffic.weight) * stable
    if common <= 0:
        return 0.0
    share = traffic.weight * canary / common
    return traffic.rps * common * divergence(share, traffic.weight)


def oracle_nats_per_second(traffic: Traffic, canary: float, stable: float) -> float:
    """Return what they tell one who knows both rates but not the base rate."""
    common = traffic.weight * canary + (1 - traffic.weight) * stable
    of_canary = traffic.weight * divergence(canary, common)
    return traffic.rps * (of_canary + (1 - traffic.weight) * divergence(stable, common))


def known_baseline_nats_per_second(traffic: Traffic, canary: float, stable: float) -> float:
    """Return what the canary alone tells one who knows stable's rate."""
    return traffic.rps * traffic.weight * divergence(canary, stable)


def seconds(nats: float, alpha: float) -> float:
    """Return the seconds until evidence of 1/alpha; infinite without information."""
    return math.log(1 / alpha) / nats if nats > 0 else math.inf


def pass_seconds(traffic: Traffic, rate: float, *, odds_ratio: float, alpha: float) -> float:
    """Return the seconds until a harmless canary excludes the margin, an odds ratio."""
    weight = traffic.weight
    at_margin = weight * odds_ratio / (weight * odds_ratio + 1 - weight)
    return seconds(traffic.rps * rate * divergence(weight, at_margin), alpha)


def requests_without_bad(difference: float, *, alpha: float) -> float:
    """Return the canary's requests, none of them bad, that exclude a difference of rates.

    A comparison of odds learns nothing where nobody fails; the absolute margin does.
    """
    return math.log(1 / alpha) / -math.log1p(-difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """Seconds from now at the traffic and rates so far; infinite for never.

    Attributes:
        pass_s: until a canary as good as stable passes.
        double_s: until a canary that fails twice as often from now on fails the run.
    """

    pass_s: float
    double_s: float


def outlook(evidence: Evidence, *, elapsed_s: float) -> Outlook | None:
    """Return how long a metric will take; None before both arms had requests.

    A canary passes by its odds or by its difference, whichever is sooner; each has half of the
    stake. Descriptive: it takes the average for certain, and the level of the mixture for a fail.
    """
    count_canary, bad_canary, count_stable, bad_stable = evidence.totals
    total = count_canary + count_stable
    if not count_canary or not count_stable or elapsed_s <= 0:
        return None
    rules, phi = evidence.rules, evidence.phi
    traffic = Traffic(rps=total / elapsed_s, weight=count_canary / total)
    # Half a request: a rate of exactly 0 would promise that nothing is ever learned from odds.
    rate = (bad_canary + bad_stable + 0.5) / (total + 1)
    at_margin = traffic.weight * rules.pass_odds
    at_margin /= at_margin + 1 - traffic.weight
    by_odds = traffic.rps * rate * divergence(traffic.weight, at_margin)
    canary, stable = ripr.projection(
        (count_canary, count_stable), (rate, rate), ripr.Margin.DIFFERENCE, rules.pass_difference
    )
    by_difference = traffic.rps * (
        traffic.weight * divergence(rate, canary) + (1 - traffic.weight) * divergence(rate, stable)
    )
    missing = math.log(2 / rules.alpha_pass) - max(0.0, evidence.pass_log_e())
    faster = max(by_odds, by_difference) / phi
    passed = evidence.highest_pass >= math.log(1 / rules.alpha_pass)
    doubled = nats_per_second(traffic, min(1.0, 2 * rate), rate) / phi
    return Outlook(
        pass_s=0.0 if passed else max(0.0, missing) / faster,
        double_s=seconds(doubled, rules.alpha_fail),
    )
