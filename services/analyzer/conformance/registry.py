"""Every kind of vector file, by the stem of its name, and its replay."""

from __future__ import annotations

from typing import TYPE_CHECKING

from analyzer.conformance import contenders, engines, kayenta

if TYPE_CHECKING:
    from collections.abc import Mapping

    from analyzer.conformance.record import Replay

REPLAYS: Mapping[str, Replay] = {
    "asymptotic_cs": contenders.replay_asymptotic_cs,
    "bayes_beta": engines.replay_posterior,
    "boundaries": contenders.replay_boundary,
    "cmh": contenders.replay_cmh,
    "ecs": engines.replay_spending,
    "evalue_combination": engines.replay_combination,
    "kayenta_classifier": kayenta.replay_classifier,
    "kayenta_issues": kayenta.replay_issue,
    "kayenta_mannwhitney": kayenta.replay_mann_whitney,
    "kayenta_scorer": kayenta.replay_scorer,
    "kayenta_stats": kayenta.replay_statistics,
    "ks_2samp": contenders.replay_ks,
    "lindon_malek_multinomial": contenders.replay_multinomial,
    "mannwhitney": contenders.replay_mann_whitney,
    "nch_loglik": engines.replay_log_z,
    "planning": engines.replay_planning,
    "quantile_ci": engines.replay_quantile,
    "ripr_2x2": engines.replay_ripr,
    "scme": engines.replay_scme,
    "scme_boost": engines.replay_boost,
    "srm": engines.replay_split,
    "t_eprocess": engines.replay_block_t,
    "tilt_logZ": engines.replay_tilt,
    "two_proportion": contenders.replay_two_proportion,
}
