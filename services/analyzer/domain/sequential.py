"""One bad event, judged window after window: evidence of harm and evidence of harmlessness.

Two engines look for harm and share the false-alarm level. Exact spending uses all of its share and
is the faster one for differences from the start; the mixture e-process needs no plan and finds
differences that begin late. Both condition on the margins of every window, so neither a base rate
that drifts nor a weight that ramps can fool them. With proven bursts the level goes to the mixture
alone, whose likelihood can be tempered.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analyzer.domain import ripr, scme, spending
from analyzer.domain.boosting import Boosted
from analyzer.domain.dispersion import Dispersion

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Table = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What it takes, for one event.

    Attributes:
        alpha_fail: chance that a harmless event ever fails, over the whole rollout.
        spending_share: part of it for exact spending; the rest is for the mixture.
        spending_power: how the spent level grows with time; see `spending.spending_with_overtime`.
        alpha_pass: chance that an event at the pass margin ever passes.
        fail_odds: odds ratio up to which the canary is fine.
        fail_difference: difference of rates that a fail needs besides (a trifle fails nobody).
        pass_odds, pass_difference: materially worse is at least this odds ratio *and* difference.
        planned: windows of the plan.
    """

    alpha_fail: float = 0.01
    spending_share: float = 0.9
    spending_power: float = spending.EARLY
    alpha_pass: float = 0.05
    fail_odds: float = 1.0
    fail_difference: float = 0.0005
    pass_odds: float = 1.5
    pass_difference: float = 0.005
    planned: int = 22

    @property
    def mixture_cap(self) -> float:
        """Log evidence at which the mixture fails the event by itself."""
        return -math.log(self.alpha_fail * (1 - self.spending_share))

    @property
    def fail_margin(self) -> float:
        """Log odds ratio up to which the canary is fine."""
        return math.log(self.fail_odds)

    @property
    def pass_margin(self) -> float:
        """Log odds ratio from which the canary is materially worse."""
        return math.log(self.pass_odds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The state of one event; a function of its windows in their order and nothing else.

    Attributes:
        curve: log likelihood of every node of `scme.nodes` against equal odds, tempered.
        late: evidence of harm that began late.
        boosted: evidence of harm from the start or late; None with proven bursts, when the null
            is not known exactly, and when looking for the worst stretch would find the worst burst.
        look: exact spending; None with proven bursts.
        crossed: whether exact spending has failed at any look.
        harm: log evidence of harm of the mixture, as of now.
        absolute: log evidence against a difference of `pass_difference` or more.
        highest_pass: highest log evidence for a pass so far.
        totals: requests and bad ones of the canary, then of stable.
        windows: windows in which both arms had requests.
    """

    rules: Rules
    dispersion: Dispersion
    curve: Floats
    late: scme.LateOnset
    boosted: Boosted | None
    look: spending.Look | None
    crossed: bool = False
    harm: float = 0.0
    absolute: float = 0.0
    highest_pass: float = -math.inf
    totals: Table = (0, 0, 0, 0)
    windows: int = 0

    @property
    def phi(self) -> float:
        """Factor by which bursts inflate the variance of an average window; 1 without any."""
        count_canary, bad_canary, count_stable, bad_stable = self.totals
        shown = max(1, self.windows)
        return self.dispersion.phi(
            count_canary // shown, count_stable // shown, (bad_canary + bad_stable) // shown
        )

    def pass_log_e(self) -> float:
        """Log evidence that the canary is not materially worse, as of now."""
        betas = scme.nodes(self.rules.fail_margin, self.rules.pass_margin)
        relative = scme.pass_log_e(self.curve, betas, self.rules.pass_margin)
        return scme.half_and_half(relative, self.absolute)


def start(rules: Rules, dispersion: Dispersion) -> Evidence:
    """Return the state before any window."""
    betas = scme.nodes(rules.fail_margin, rules.pass_margin)
    prior = scme.FailPrior.beyond_margin(betas, rules.fail_margin)
    return Evidence(
        rules=rules,
        dispersion=dispersion,
        curve=np.zeros(len(betas)),
        late=scme.LateOnset.start(prior, rules.planned),
        boosted=None if dispersion.bursty else Boosted(cap=rules.mixture_cap),
        look=None if dispersion.bursty else spending.start(),
    )


def advance(state: Evidence, table: Table) -> Evidence:
    """Return the state after a window of (requests, bad) of the canary, then of stable.

    A window without requests of an arm tells nothing and is no look.
    """
    if not table[0] or not table[2]:
        return state
    rules = state.rules
    betas = scme.nodes(rules.fail_margin, rules.pass_margin)
    prior = scme.FailPrior.beyond_margin(betas, rules.fail_margin)
    phi = state.dispersion.phi(table[0], table[2], table[1] + table[3])
    step = scme.curve(table, betas) / phi
    curve = state.curve + step
    growth = prior.against_margin(step)
    late = state.late.after(growth)
    harm, boosted, look = prior.log_e(curve), state.boosted, state.look
    if look is not None and boosted is not None:
        null = spending.increments(table, margin=rules.fail_margin)
        boosted = boosted.after(
            scme.half_and_half(harm, late.log_e(prior)),
            prior=prior,
            curve=state.curve,
            late=state.late,
            growth=growth,
            bad=table[1],
            null=null,
        )
        harm = boosted.log_e
        allowed = spending.spending_with_overtime(
            rules.alpha_fail * rules.spending_share, rules.planned, power=rules.spending_power
        )
        look = spending.after(look, table[1], null, allowed)
    advanced = replace(
        state,
        curve=curve,
        late=late,
        boosted=boosted,
        look=look,
        crossed=state.crossed or (look is not None and look.crossed),
        harm=harm,
        absolute=state.absolute + _against_difference(state, table) / phi,
        totals=_sum(state.totals, table),
        windows=state.windows + 1,
    )
    return replace(advanced, highest_pass=max(state.highest_pass, advanced.pass_log_e()))


def _against_difference(state: Evidence, table: Table) -> float:
    """Log e-value of a window against the pass difference, betting on what was common so far."""
    count_canary, bad_canary, count_stable, bad_stable = state.totals
    common = (bad_canary + bad_stable + 0.5) / (count_canary + count_stable + 25)
    return ripr.log_e(table, (common, common), ripr.Margin.DIFFERENCE, state.rules.pass_difference)


def _sum(totals: Table, table: Table) -> Table:
    return (
        totals[0] + table[0],
        totals[1] + table[1],
        totals[2] + table[2],
        totals[3] + table[3],
    )
