"""How long a verdict will take at this traffic: closed forms of information rates.

A sequential test needs log(1/alpha) nats on average; what a second brings is a Kullback-Leibler
divergence times the events of a second. Descriptive: evidence fluctuates around it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import xlog1py, xlogy


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
