"""Time-uniform boundaries: curves that a centred sum crosses at any time with probability alpha.

Sources: S. Howard, A. Ramdas, J. McAuliffe and J. Sekhon, Time-uniform, nonparametric,
nonasymptotic confidence sequences (2021), Annals of Statistics 49:1055 (normal and beta-binomial
mixtures, stitching); S. Howard and A. Ramdas, Sequential estimation of quantiles (2022), Bernoulli
28:1704 (empirical process, double stitching). Reference values: their package confseq. `v` is the
variance process of the sum; `v_opt` is where a mixture is tightest at level `alpha_opt`.
"""

from __future__ import annotations

import math

from scipy.special import betainc, betaln, log_ndtr, zeta

from analyzer.domain.contenders.solving import bisect, minimum


def normal_mixture(
    v: float, *, alpha: float, v_opt: float, alpha_opt: float = 0.05, one_sided: bool
) -> float:
    """Return the bound of a sub-Gaussian sum."""
    rho = _best_rho(v_opt, alpha_opt, one_sided=one_sided)
    if not one_sided:
        return math.sqrt((v + rho) * (math.log1p(v / rho) + 2 * math.log(1 / alpha)))

    def excess(s: float) -> float:
        mixture = 0.5 * math.log(4 * rho / (v + rho)) + s * s / (2 * (v + rho))
        return mixture + float(log_ndtr(s / math.sqrt(v + rho))) - math.log(1 / alpha)

    high = v + rho
    while excess(high) <= 0:
        high *= 2
    return bisect(excess, 0.0, high)


def beta_binomial_mixture(
    v: float,
    *,
    alpha: float,
    v_opt: float,
    g: float,
    h: float,
    alpha_opt: float = 0.05,
    one_sided: bool = True,
) -> float:
    """Return the bound of a sum of increments in [-g, h]; at most v/g, where it is certain."""
    mixture = BetaBinomial(v_opt=v_opt, g=g, h=h, alpha_opt=alpha_opt, one_sided=one_sided)
    threshold = math.log(1 / alpha)
    # At v/g itself the mixture's limit is taken a hair inside: there one of its terms is 0/0.
    end = v / g
    if mixture.log_e(end, v) < threshold:
        return end
    return bisect(lambda s: mixture.log_e(s, v) - threshold, 0.0, end)


class BetaBinomial:
    """Mixture martingale of a sum with increments in [-g, h]."""

    def __init__(
        self, *, v_opt: float, g: float, h: float, alpha_opt: float, one_sided: bool
    ) -> None:
        rho = _best_rho(v_opt, alpha_opt, one_sided=one_sided)
        self._g, self._h = g, h
        self._r = max(rho - g * h, 1e-3 * g * h)
        self._x = h / (g + h) if one_sided else 1.0
        self._normaliser = self._log_beta(self._r / (g * (g + h)), self._r / (h * (g + h)))

    def log_e(self, s: float, v: float) -> float:
        """Return the log of the martingale at sum s and variance v."""
        g, h, r = self._g, self._h, self._r
        return (
            v / (g * h) * math.log(g + h)
            - (v + h * s) / (h * (g + h)) * math.log(g)
            - (v - g * s) / (g * (g + h)) * math.log(h)
            + self._log_beta((r + v - g * s) / (g * (g + h)), (r + v + h * s) / (h * (g + h)))
            - self._normaliser
        )

    def _log_beta(self, a: float, b: float) -> float:
        whole = float(betaln(a, b))
        if self._x == 1.0:
            return whole
        part = float(betainc(a, b, self._x))
        return whole + math.log(part) if part > 0 else -math.inf


def poly_stitching(
    v: float, *, alpha: float, v_min: float, c: float = 0.0, s: float = 1.4, eta: float = 2.0
) -> float:
    """Return the stitched bound of a sub-gamma sum with scale c (sub-Gaussian with c = 0)."""
    k1, k2 = _stitching_constants(eta)
    v = max(v, v_min)
    ell = s * math.log(math.log(eta * v / v_min)) + math.log(1 / alpha)
    ell += math.log(float(zeta(s)) / math.log(eta) ** s)
    linear = k2 * c * ell
    return math.sqrt(k1**2 * v * ell + linear**2) + linear


def double_stitching(
    p: float,
    t: float,
    *,
    alpha: float,
    t_opt: float,
    delta: float = 0.5,
    s: float = 1.4,
    eta: float = 2.0,
) -> float:
    """Return by how many observations the empirical count may leave t p, for all t and all p."""
    k1, k2 = _stitching_constants(eta)
    t = max(t, t_opt)
    logit = math.log(p / (1 - p))
    if p >= 0.5:
        r = p
    else:
        shifted = logit + 2 * delta * math.sqrt(t_opt * eta / t)
        r = min(0.5, 1 / (1 + math.exp(-shifted)))
    variance = r * (1 - r)
    j = math.sqrt(t / t_opt) * abs(logit) / (2 * delta) + 1
    z = float(zeta(s))
    ell = s * math.log(math.log(eta * t / t_opt)) + s * math.log(j)
    ell += math.log(2 * z * (2 * z + 1) / (alpha * math.log(eta) ** s))
    linear = k2 * (1 - 2 * p) / 3 * ell
    return (
        delta * math.sqrt(eta * t * variance / t_opt)
        + math.sqrt(k1**2 * variance * t * ell + linear**2)
        + linear
    )


def empirical_process_lil(t: float, *, alpha: float, t_min: float, a: float = 0.85) -> float:
    """Return the half width of a band around a distribution function that holds at all t >= t_min.

    The time-uniform form of the Dvoretzky-Kiefer-Wolfowitz band; infinite before t_min.
    """
    if t < t_min:
        return math.inf
    return a * math.sqrt((math.log1p(math.log(t / t_min)) + lil_constant(alpha, a)) / t)


def lil_constant(alpha: float, a: float = 0.85) -> float:
    """Return the least C for which a sqrt((1 + loglog t + C)/t) is crossed with P <= alpha."""

    def error(c: float, eta: float) -> float:
        gamma = 2 / eta * (a - math.sqrt(2 * (eta - 1) / c)) ** 2
        if gamma <= 1:
            return math.inf
        return 4 * math.exp(-gamma * c) * (1 + 1 / ((gamma - 1) * math.log(eta)))

    def least_error(c: float) -> float:
        largest = bisect(
            lambda eta: math.sqrt(eta / 2) + math.sqrt(2 * (eta - 1) / c) - a, 1.0, 2 * a * a
        )
        eta = minimum(lambda eta: error(c, eta), 1.0 + 1e-12, largest)
        return error(c, eta)

    high = 5.0
    while least_error(high) > alpha:
        high *= 2
    low = high / 2
    while least_error(low) < alpha:
        low /= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if least_error(middle) > alpha else (low, middle)
    return high


def dkw_half_width(n: int, *, alpha: float) -> float:
    """Return the half width of the Dvoretzky-Kiefer-Wolfowitz band at a fixed sample size."""
    return math.sqrt(math.log(2 / alpha) / (2 * n))


def bernoulli_interval(
    successes: float, n: int, *, alpha: float, t_opt: float, alpha_opt: float = 0.05
) -> tuple[float, float]:
    """Return the time-uniform interval of a probability."""
    observed, threshold = successes / n, math.log(1 / alpha)

    def excess(p: float) -> float:
        mixture = BetaBinomial(
            v_opt=p * (1 - p) * t_opt, g=p, h=1 - p, alpha_opt=alpha_opt, one_sided=False
        )
        return mixture.log_e((observed - p) * n, p * (1 - p) * n) - threshold

    # A single success (or failure) bounds nothing: then the set reaches to the end.
    tiny = 1e-15
    low = bisect(excess, tiny, observed) if successes > 0 and excess(tiny) > 0 else 0.0
    bounded = successes < n and excess(1 - tiny) > 0
    high = bisect(excess, max(observed, tiny), 1 - tiny) if bounded else 1.0
    return low, high


def _best_rho(v_opt: float, alpha_opt: float, *, one_sided: bool) -> float:
    alpha = 2 * alpha_opt if one_sided else alpha_opt
    spread = 2 * math.log(1 / alpha)
    return v_opt / (spread + math.log1p(spread))


def _stitching_constants(eta: float) -> tuple[float, float]:
    return (eta**0.25 + eta**-0.25) / math.sqrt(2), (math.sqrt(eta) + 1) / 2
